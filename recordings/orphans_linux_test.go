package recordings

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// opens counts how often a directory is opened while do runs.
func opens(t *testing.T, dir string, do func()) (n int) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	// Of the same event twice in a row the kernel keeps one: closing is between.
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_OPEN|unix.IN_CLOSE_NOWRITE|unix.IN_ONLYDIR)
	must(t, err)
	do()
	buf := make([]byte, 1<<16)
	for {
		size, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EAGAIN) {
			return n
		}
		must(t, err)
		for at := 0; at < size; {
			mask, name := binary.NativeEndian.Uint32(buf[at+4:]), binary.NativeEndian.Uint32(buf[at+12:])
			if mask&unix.IN_Q_OVERFLOW != 0 {
				t.Fatal("events were lost")
			}
			if mask&unix.IN_OPEN != 0 && name == 0 { // else one of a directory in it
				n++
			}
			at += unix.SizeofInotifyEvent + int(name)
		}
	}
}

// The trash, which may be large, is not read for each of many formats that are
// missing: that they are many and the trash is large has the same reason.
func TestCheckReadsTheTrashOnce(t *testing.T) {
	t.Parallel()
	for _, how := range []Repair{RepairNothing, RepairSafe} {
		var reads []int
		for _, missing := range []int{1, 5} {
			s := newShelf(t)
			s.missesInTrash(missing)
			reads = append(reads, opens(t, s.trees.trash(""), func() {
				problems, err := s.Check(t.Context(), how)
				if err != nil || len(problems) != missing {
					t.Errorf("problems are %+v, %v", problems, err)
				}
			}))
			_, err := s.Check(t.Context(), RepairSafe)
			must(t, err)
		}
		if reads[0] == 0 || reads[1] != reads[0] {
			t.Errorf("with repair %v the trash is read %v times with 1 and 5 recordings missing", how, reads)
		}
	}
}
