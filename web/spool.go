package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// spoolInMemory is how much of a body is kept in memory; what is larger goes to
// a temporary file, so that many uploads of slides at once do not fill it.
const spoolInMemory = 256 << 10

// spooled is a body that can be read several times.
type spooled struct {
	size  int64
	bytes []byte
	file  *os.File
}

// spool reads r to its end. The file has no name any more when it returns:
// nothing can be left behind.
func spool(r io.Reader) (*spooled, error) {
	head, err := io.ReadAll(io.LimitReader(r, spoolInMemory))
	if err != nil {
		return nil, err
	}
	if len(head) < spoolInMemory {
		return &spooled{size: int64(len(head)), bytes: head}, nil
	}
	file, err := os.CreateTemp("", "scalelite-body-*")
	if err != nil {
		return nil, fmt.Errorf("keep a body: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("keep a body: %w", err), file.Close())
	}
	size, err := io.Copy(file, io.MultiReader(bytes.NewReader(head), r))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &spooled{size: size, file: file}, nil
}

// open returns the body from its beginning.
func (s *spooled) open() (io.ReadCloser, error) {
	if s.file == nil {
		return io.NopCloser(bytes.NewReader(s.bytes)), nil
	}
	return io.NopCloser(io.NewSectionReader(s.file, 0, s.size)), nil
}

func (s *spooled) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}
