package cmd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"scalelite/cmd/config"
)

// newLogger returns the logger that the section [log] describes, and its level,
// which a reload may change. Text has no time stamp if journal is set: the
// journal adds its own.
func newLogger(c config.Log, w io.Writer, journal bool) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(logLevel(c.Level))
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), level
	}
	return slog.New(newTextHandler(w, level, !journal)), level
}

// underJournal tells whether systemd connected stderr to the journal.
func underJournal(getenv func(string) string) bool { return getenv("JOURNAL_STREAM") != "" }

// logLevel is the slog level of a value of log.level.
func logLevel(name string) slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(name)) != nil {
		return slog.LevelInfo
	}
	return l
}

// textHandler writes lines for people: time, level, message, attributes. It
// leaves the attributes to slog.TextHandler, which quotes what must be quoted.
type textHandler struct {
	out   *textOut
	stamp bool
	attrs slog.Handler // writes into out.attrs
}

// textOut is what the handlers of one logger share.
type textOut struct {
	mu    sync.Mutex
	w     io.Writer
	attrs bytes.Buffer
	line  bytes.Buffer
}

func newTextHandler(w io.Writer, level slog.Leveler, stamp bool) *textHandler {
	out := &textOut{w: w}
	return &textHandler{
		out:   out,
		stamp: stamp,
		attrs: slog.NewTextHandler(&out.attrs, &slog.HandlerOptions{
			Level: level,
			ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
				if len(groups) == 0 && isHead(a) {
					return slog.Attr{}
				}
				return a
			},
		}),
	}
}

// noMessage stands for the message in the record that the attributes' handler
// gets.
const noMessage = "\x00"

// isHead tells the level and the message of a record from attributes that have
// the same names.
func isHead(a slog.Attr) bool {
	switch a.Key {
	case slog.LevelKey:
		_, ok := a.Value.Any().(slog.Level)
		return ok
	case slog.MessageKey:
		return a.Value.Kind() == slog.KindString && a.Value.String() == noMessage
	}
	return false
}

func (h *textHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.attrs.Enabled(ctx, l)
}

func (h *textHandler) Handle(ctx context.Context, r slog.Record) error {
	at, message := r.Time, r.Message
	r.Time, r.Message = time.Time{}, noMessage // a zero time is left out
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.attrs.Reset()
	if err := h.attrs.Handle(ctx, r); err != nil {
		return err
	}
	line := &h.out.line
	line.Reset()
	if h.stamp {
		line.WriteString(at.Format("2006-01-02 15:04:05.000 "))
	}
	fmt.Fprintf(line, "%-5s %s", r.Level, printable(message))
	if attrs := bytes.TrimSpace(h.out.attrs.Bytes()); len(attrs) > 0 {
		line.WriteByte(' ')
		line.Write(attrs)
	}
	line.WriteByte('\n')
	_, err := h.out.w.Write(line.Bytes())
	return err
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &textHandler{out: h.out, stamp: h.stamp, attrs: h.attrs.WithAttrs(attrs)}
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	return &textHandler{out: h.out, stamp: h.stamp, attrs: h.attrs.WithGroup(name)}
}
