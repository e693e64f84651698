package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"scalelite/store"
	"scalelite/store/kv/boltkv"
)

// upgraded is what the log says of an upgrade; a command says it on stderr.
const upgraded = "database is upgraded; the former one is kept"

// formerName is the copy of the database at path as it was with a schema.
func formerName(path string, schema int) string { return fmt.Sprintf("%s.schema-%d", path, schema) }

// keepFormer copies a database before it is upgraded, and says how to go back.
// The copy was looked through when it has its name.
func keepFormer(ctx context.Context, engine *boltkv.Engine, log *slog.Logger, from, to int) error {
	// The lock of the database is held: nobody else makes such a copy now. One who
	// is killed at it is started again, and killed again perhaps.
	for schema := 1; schema <= from; schema++ {
		sweepBeside(formerName(engine.Path(), schema))
	}
	name := formerName(engine.Path(), from)
	f, err := newBeside(name)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	if err := fill(f, func(w io.Writer) error { return engine.Snapshot(ctx, w) }); err != nil {
		return err
	}
	if err := boltkv.Verify(ctx, f.Name()); err != nil {
		return err
	}
	if err := errors.Join(likeDirectory(f.Name()), place(f.Name(), name, true)); err != nil {
		return err
	}
	log.Warn(upgraded, "from", from, "to", to, "copy", name,
		"downgrade", "install the former version, then: scalelite restore "+name)
	return nil
}

// downgradeHint names the copy that was made when the database at path was
// upgraded, if err says that this program is too old for it.
func downgradeHint(err error, path string) string {
	if !errors.Is(err, store.ErrNewerSchema) {
		return ""
	}
	if name := formerCopy(path); name != "" {
		return fmt.Sprintf("; the copy made before the upgrade is %s: scalelite restore %s", name, name)
	}
	return ""
}

// formerCopy is the newest copy of the database at path that was made before an
// upgrade and that this program can read, empty if there is none.
func formerCopy(path string) string {
	for schema := store.SchemaVersion(); schema > 0; schema-- {
		if name := formerName(path, schema); !missing(name) {
			return name
		}
	}
	return ""
}

// upgradeLog is the log of a command that opens the database itself: it only
// tells of an upgrade.
func upgradeLog() *slog.Logger { return slog.New(onlyUpgrades{slog.NewTextHandler(os.Stderr, nil)}) }

// onlyUpgrades is a handler that is silent about everything else.
type onlyUpgrades struct{ slog.Handler }

// Handle hands on what tells of an upgrade.
func (o onlyUpgrades) Handle(ctx context.Context, r slog.Record) error {
	if r.Message != upgraded {
		return nil
	}
	return o.Handler.Handle(ctx, r)
}

// WithAttrs keeps to that.
func (o onlyUpgrades) WithAttrs(attrs []slog.Attr) slog.Handler {
	return onlyUpgrades{o.Handler.WithAttrs(attrs)}
}

// WithGroup keeps to that.
func (o onlyUpgrades) WithGroup(name string) slog.Handler {
	return onlyUpgrades{o.Handler.WithGroup(name)}
}
