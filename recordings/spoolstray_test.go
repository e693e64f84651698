package recordings

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"scalelite/store"
)

// What is in the spool and no tarball has a state and a reason, and stays.
func TestSpoolTellsOfStrays(t *testing.T) {
	inSpoolTime(t, func(t *testing.T) {
		r := newSpoolRig(t, nil)
		const ending = "its name does not end in .tar, .tar.gz or .tgz"
		want := map[string]string{
			"A.TAR": ending, "a.tar.xz": ending, "a": ending, "a.tar.part": ending,
			"dir": "it is a directory", "dir.tar": "it is a directory", "link.tar": "it is a link", "pipe.tar": "it is no regular file",
		}
		for name, reason := range want {
			if reason == ending {
				r.place(name, "content")
			}
		}
		for _, dir := range []string{"dir", "dir.tar", "lost+found", ".hidden"} {
			must(t, os.Mkdir(r.path(dir), 0o755))
		}
		writeWhole(t, r.path("dir/a.tar"), "content")
		writeWhole(t, r.path(".a.tar.AbCdEf"), "content")
		must(t, os.Symlink(r.path("A.TAR"), r.path("link.tar")), unix.Mkfifo(r.path("pipe.tar"), 0o644))
		r.place("good.tar", "good")
		r.start()
		elapse(time.Hour)
		got := r.files()
		if len(got) != len(want) {
			t.Errorf("%d files are shown, want %d: %+v", len(got), len(want), got)
		}
		for name, reason := range want {
			f := got[name]
			if f.State != store.ImportIgnored || f.Reason != reason || f.Since.IsZero() || f.Import != "" || f.More != 0 {
				t.Errorf("%s is shown as %+v", name, f)
			}
			r.wantFile(name, true)
		}
		if got["A.TAR"].Size != int64(len("content")) || got["dir"].Size != 0 {
			t.Errorf("sizes: %+v, %+v", got["A.TAR"], got["dir"])
		}
		r.wantTaken("good")
		if back, err := r.Retry(t.Context(), nil); err != nil || len(back) != 0 {
			t.Errorf("tried again are %v, %v", back, err)
		}
		must(t, os.Rename(r.path("A.TAR"), r.path("A.tar")))
		r.lookNow()
		r.wantTaken("good", "content")
		if _, shown := r.files()["A.TAR"]; shown {
			t.Error("it is shown by the name it had")
		}
	})
}

// Of very many only the first are kept.
func TestSpoolCountsStrays(t *testing.T) {
	t.Parallel()
	r := newSpoolRig(t, nil)
	const more = 7
	for n := range maxStrays + more {
		f, err := os.Create(r.path(fmt.Sprintf("stray-%04d", n)))
		must(t, err, f.Close())
	}
	must(t, r.scan(t.Context()))
	files := r.files()
	last := fmt.Sprintf("stray-%04d", maxStrays-1)
	if len(files) != maxStrays || files[last].More != more || files["stray-0000"].More != 0 {
		t.Errorf("%d are shown, the last as %+v", len(files), files[last])
	}
	for n := range more + 1 {
		must(t, os.Remove(r.path(fmt.Sprintf("stray-%04d", n))))
	}
	must(t, r.scan(t.Context()))
	for name, f := range r.files() {
		if f.More != 0 {
			t.Errorf("%s is shown as %+v", name, f)
		}
	}
}

// One that is taken away is not shown any longer than the event takes.
func TestSpoolForgetsStrays(t *testing.T) {
	r := newEventRig(t, nil)
	r.start()
	writeWhole(t, r.path("a.TAR"), "content")
	shown := func() bool { return strings.Contains(fmt.Sprint(r.files()), "a.TAR") }
	r.eventually("it is shown", shown)
	must(t, os.Remove(r.path("a.TAR")))
	r.eventually("it is forgotten", func() bool { return !shown() })
}
