package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"scalelite/recordings"
	"scalelite/store"
)

// TestFullDiskHoldsImportsBack (T2, T4): a file system with too little space for
// one tarball and too few inodes for another. Both stay, nothing of them is
// there; with a larger one both come in by themselves.
func TestFullDiskHoldsImportsBack(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	disk := p.path("disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m,nr_inodes=40"); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		p.kill()
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	var dirs string
	for _, dir := range []string{"work", "published", "unpublished"} {
		dirs += fmt.Sprintf("%s_dir = %q\n", dir, filepath.Join(disk, dir))
	}
	p.configure(strings.TrimPrefix(p.base, "http://"), sections{recordings: dirs})
	p.start()
	large := made{id: id("large"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 2 << 20}
	many := made{id: id("many"), meeting: "room", version: 1, formats: []string{"presentation", "video", "podcast", "notes", "screenshare", "capture"}, size: 1}
	p.place(large)
	p.place(many)
	held := func(m made) bool {
		f, ok := p.spoolFile(m.id + ".tar")
		return ok && f.State == store.ImportWaiting && strings.Contains(f.Reason, "not enough free space") && !f.Next.IsZero()
	}
	eventually(t, "both to wait for space", func() bool { return held(large) && held(many) })
	if got := p.metric("scalelite_spool_held_files"); got != "2" {
		t.Errorf("metric: %q, want 2", got)
	}
	if all, _ := p.recordings("state", "any"); len(all) > 0 {
		t.Errorf("recordings %+v", all)
	}
	left := slices.Concat(p.names("disk", "work", "import"), p.names("disk", "work", "old"), p.names("disk", "published"), p.names("disk", "unpublished"))
	if left = slices.DeleteFunc(left, func(name string) bool { return name == ".scalelite" }); len(left) > 0 {
		t.Errorf("on the full disk there are %v", left)
	}
	small := made{id: id("small"), meeting: "room", version: 1, formats: []string{"video"}, size: 1}
	p.place(small)
	eventually(t, "a small one to come in meanwhile", func() bool { all, _ := p.recordings(); return all[small.id].State == "published" })
	if testing.Short() {
		return
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m,nr_inodes=1000"); err != nil {
		t.Fatal(err)
	}
	// It looks for space once a minute.
	for end := time.Now().Add(2 * time.Minute); len(p.spooled()) > 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	p.imported()
	if all, _ := p.recordings(); len(all) != 3 || len(all[many.id].Formats) != len(many.formats) {
		t.Errorf("recordings %+v, want all", all)
	}
	problems, err := p.admin().CheckRecordings(t.Context(), recordings.RepairNothing)
	if err != nil || len(problems) > 0 {
		t.Errorf("recordings check: %v %+v", err, problems)
	}
}
