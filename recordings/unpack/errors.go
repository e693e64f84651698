package unpack

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrIncomplete says that a tarball ends too early: within a header or
	// the data of an entry, or without the two zero blocks that end every tar.
	// It may still be on its way.
	ErrIncomplete = errors.New("the tarball is incomplete")

	// ErrCorrupt says that a tarball cannot be read as one: it is something
	// else, or was damaged.
	ErrCorrupt = errors.New("the tarball is damaged or no tarball")

	// ErrChanged says that the file is no longer what Inspect saw.
	ErrChanged = errors.New("the tarball changed while it was read")

	// ErrNoSpace says that the extracted files do not fit. Every *TooLarge is
	// one, and so is what Extract returns when the disk or a quota runs full.
	ErrNoSpace = errors.New("no space for the extracted files")
)

// shownName is how many bytes of an entry's name an error shows.
const shownName = 200

// Refused says why a tarball as a whole is not taken. Trying again does not
// help.
type Refused struct {
	Entry  string // name of the entry as it stands in the tarball; "" if it is about none
	Reason string // what is wrong, to be read by an operator
}

// Error names the entry, quoted and cut to a readable length, and the reason.
func (r *Refused) Error() string {
	if r.Entry == "" {
		return "tarball refused: " + r.Reason
	}
	return "tarball refused: " + quoted(r.Entry) + ": " + r.Reason
}

// TooLarge says that a tarball needs more disk space than the limit given to
// Inspect. It matches ErrNoSpace.
type TooLarge struct {
	// Need is what the extracted files take on the disk, in bytes. For a
	// compressed tarball it is what had been seen when the limit was passed.
	Need  int64
	Limit int64 // Limits.MaxBytes
}

// Error tells both numbers.
func (t *TooLarge) Error() string {
	return fmt.Sprintf("extracted files need %d bytes, there is room for %d", t.Need, t.Limit)
}

// Is reports whether target is ErrNoSpace.
func (t *TooLarge) Is(target error) bool { return target == ErrNoSpace }

// quoted returns name in quotes, with everything unprintable escaped.
func quoted(name string) string {
	if len(name) > shownName {
		return fmt.Sprintf("%q...", name[:shownName])
	}
	return fmt.Sprintf("%q", name)
}

// written explains an error met while writing the file called name: a full
// disk becomes ErrNoSpace, a name that the file system does not take Refused.
// It returns nil for nil.
func written(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w: %w", quoted(name), ErrNoSpace, err)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return &Refused{Entry: name, Reason: "the file system takes no name of this length"}
	}
	return fmt.Errorf("%s: %w", quoted(name), err)
}
