package doctor

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"scalelite/store"
)

// TestDatabaseOfANewerVersion: what is to be restored is a copy from before the
// upgrade. The newest backup is most likely of a time after it, and refused.
func TestDatabaseOfANewerVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options.Open = func(context.Context) (Pool, func() error, error) {
		return nil, nil, fmt.Errorf("database: %w", store.ErrNewerSchema)
	}
	look := func(texts ...string) {
		t.Helper()
		f := only(t, w.look("database"))
		f.want(t, Fail, append(texts, "install the newer version again", "systemctl stop scalelite", "systemctl start scalelite")...)
		if strings.Contains(strings.Join(f.Commands, "\n"), w.path("db", "backups")) {
			t.Errorf("names a backup of a time that nobody knows: %q", f.Commands)
		}
	}
	look("backup --list", "restore BACKUP")
	w.write("db/upgrade/scalelite-1.2.4-20261123T120000Z.db", "of the newer version")
	w.write("db/upgrade/scalelite-1.2.3-20261123T120000Z.db.new", "being written")
	look("restore BACKUP")
	w.write("db/upgrade/scalelite-1.2.3-20261121T120000Z.db", "x")
	last := w.write("db/upgrade/scalelite-1.2.3-20261122T120000Z.db", "x")
	look("restore " + last)
	w.options.Former = w.path("db", "scalelite.db.schema-1")
	look("restore " + w.options.Former)
}
