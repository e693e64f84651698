package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"scalelite/balancer/bbb"
	"scalelite/cmd/config"
)

func TestTextLog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log, _ := newLogger(config.Log{Format: "text", Level: "info"}, &b, false)
	log.With("component", "poller").WithGroup("server").Warn("server does not answer", "id", "b 1", "err", errors.New("a\nb"), "secret", bbb.Secret("swordfish"))
	log.Debug("unseen")
	want := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} WARN  server does not answer component=poller server\.id="b 1" server\.err="a\\nb" server\.secret=\S*\n$`)
	if !want.MatchString(b.String()) || strings.Contains(b.String(), "swordfish") {
		t.Errorf("%q", b.String())
	}
}

func TestTextLogUnderTheJournal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if !underJournal(func(string) string { return "8:123" }) || underJournal(func(string) string { return "" }) {
		t.Error("JOURNAL_STREAM is not what tells")
	}
	log, _ := newLogger(config.Log{Format: "text", Level: "info"}, &b, true)
	log.Info("ready")
	log.Info("odd names", "msg", "m", "level", "l", "time", 1)
	if got, want := b.String(), "INFO  ready\nINFO  odd names msg=m level=l time=1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJSONLog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log, _ := newLogger(config.Log{Format: "json", Level: "error"}, &b, true)
	log.Warn("unseen")
	log.Error("seen", "n", 1)
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil || line["msg"] != "seen" || line["n"] != 1.0 || line["time"] == nil {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestLogLevelCanChange(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log, level := newLogger(config.Log{Format: "text", Level: "warn"}, &b, true)
	sub := log.With("a", 1)
	sub.Info("unseen")
	level.Set(logLevel("debug"))
	sub.Debug("seen")
	if got := b.String(); got != "DEBUG seen a=1\n" {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError, "": slog.LevelInfo} {
		if got := logLevel(name); got != want {
			t.Errorf("%q = %s, want %s", name, got, want)
		}
	}
}

func TestLogLinesStayWhole(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log, _ := newLogger(config.Log{Format: "text"}, &b, true)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			sub := log.With("k", "v")
			for range 50 {
				sub.Info("m", "n", 1)
			}
		})
	}
	wg.Wait()
	if got, want := b.String(), strings.Repeat("INFO  m k=v n=1\n", 400); got != want {
		t.Errorf("lines are mixed: %q", got[:min(len(got), 200)])
	}
}
