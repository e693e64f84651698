package admin

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// arrivals are the bytes that imports by hand are still going to bring into the
// spool, so that two of them do not count on the same space.
type arrivals struct {
	mu     sync.Mutex
	coming int64
}

// begin admits size bytes if dir has the room for them beside what must remain
// free, or says how much there is.
func (a *arrivals) begin(dir string, size, keep int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	free, err := freeSpace(dir)
	if err != nil {
		return fmt.Errorf("ask for the free space of the spool %s: %w", dir, err)
	}
	if free-keep-a.coming < size {
		others := ""
		if a.coming > 0 {
			others = fmt.Sprintf(" and %d bytes of others that are coming", a.coming)
		}
		return &Error{Conflict, fmt.Sprintf("the spool %s has %d bytes free, and the tarball has %d beside the %d of recordings.min_free%s: "+
			"make room, or lower recordings.min_free", dir, free, size, keep, others)}
	}
	a.coming += size
	return nil
}

// came notes bytes that were announced and need no more room.
func (a *arrivals) came(n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.coming -= n
}

// arriving counts down what is still to come, at most to nothing.
type arriving struct {
	of   *arrivals
	left int64
}

// Write takes note of what was written elsewhere.
func (a *arriving) Write(p []byte) (int, error) {
	n := min(int64(len(p)), a.left)
	a.left -= n
	a.of.came(n)
	return len(p), nil
}

// end gives back what did not come.
func (a *arriving) end() { a.of.came(a.left) }

// freeSpace is how many bytes this process may write where dir lies.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
