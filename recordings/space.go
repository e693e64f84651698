package recordings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"scalelite/recordings/unpack"
)

// Space is the room of the file system that the recordings are on, in bytes.
type Space struct {
	Free  int64 `json:"free"` // for this process
	Total int64 `json:"total"`
}

// Free tells how much room there is for recordings.
func (l *Library) Free() (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(l.trees.published, &st); err != nil {
		return Space{}, fmt.Errorf("ask for the free space of %s: %w", l.trees.published, err)
	}
	block := int64(st.Bsize)
	return Space{Free: int64(st.Bavail) * block, Total: int64(st.Blocks) * block}, nil
}

// MinFree is what must remain free, in bytes.
func (l *Library) MinFree() int64 { return l.settings.Load().minFree }

// reservations are the room that running imports count on and have not used
// yet, so that two of them do not count on the same.
type reservations struct {
	mu    sync.Mutex
	bytes int64
}

// room is what one import counts on.
type room struct {
	of          *reservations
	total, used int64
}

// use notes how much of the room is filled by now.
func (r *room) use(written int64) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	written = min(max(written, r.used), r.total)
	r.of.bytes -= written - r.used
	r.used = written
}

// release gives back what was not used.
func (r *room) release() { r.use(r.total) }

// plan looks at a tarball and makes sure that there is something to be had of it,
// and room for it beside what recordings.min_free keeps.
func (l *Library) plan(ctx context.Context, f *os.File) (*unpack.Plan, *room, error) {
	left, err := l.spaceLeft()
	if err != nil {
		return nil, nil, err
	}
	plan, err := unpack.Inspect(ctx, f, unpack.Limits{MaxBytes: max(0, left)})
	if err != nil {
		return nil, nil, l.explainSpace(unpackError(err), left)
	}
	if err := l.refuseDeleted(ctx, plan); err != nil {
		return nil, nil, err
	}
	l.space.mu.Lock()
	defer l.space.mu.Unlock()
	// Others may have reserved or written since.
	if left, err = l.spaceLeftLocked(); err != nil {
		return nil, nil, err
	}
	if plan.Disk > left {
		return nil, nil, l.explainSpace(fmt.Errorf("%w: it needs %d bytes", ErrNoSpace, plan.Disk), left)
	}
	l.space.bytes += plan.Disk
	return plan, &room{of: &l.space, total: plan.Disk}, nil
}

// spaceLeft is the room that an import may fill; negative if even less is free
// than must remain.
func (l *Library) spaceLeft() (int64, error) {
	l.space.mu.Lock()
	defer l.space.mu.Unlock()
	return l.spaceLeftLocked()
}

func (l *Library) spaceLeftLocked() (int64, error) {
	space, err := l.Free()
	return space.Free - l.settings.Load().minFree - l.space.bytes, err
}

func (l *Library) explainSpace(err error, left int64) error {
	if errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("%w; %d bytes may be used beside recordings.min_free (%s)", err, max(0, left), l.settings.Load().MinFree)
	}
	return err
}

// noSpace marks the error of a full disk or quota as one that passes by itself.
func noSpace(err error) error {
	if (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) && !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
