package backup

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// The names in an archive, in their order.
const (
	configName   = "config.toml"
	databaseName = "scalelite.db"
)

const (
	// maxConfig bounds the configuration in an archive, in bytes.
	maxConfig  = 1 << 20
	bufferSize = 256 << 10
)

// ErrNoArchive is what Read returns for what is none of ours.
var ErrNoArchive = errors.New("is no backup")

// IsArchive reports whether what r has begins as an archive does; r stays where
// it is.
func IsArchive(r *bufio.Reader) bool {
	head, err := r.Peek(2)
	return err == nil && head[0] == 0x1f && head[1] == 0x8b
}

// Write writes an archive of a database file and a configuration, nil if there
// is none.
func Write(ctx context.Context, w io.Writer, database string, config []byte, made time.Time) error {
	f, err := os.Open(database)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	header := func(name string, size int64) error {
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: made.Truncate(time.Second)})
	}
	if config != nil {
		if len(config) > maxConfig {
			return fmt.Errorf("the configuration has %d bytes, at most %d fit", len(config), maxConfig)
		}
		if err := header(configName, int64(len(config))); err != nil {
			return err
		}
		if _, err := t.Write(config); err != nil {
			return err
		}
	}
	if err := header(databaseName, info.Size()); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(t, contextReader{ctx, f}, make([]byte, bufferSize)); err != nil {
		return err
	}
	return errors.Join(t.Close(), z.Close())
}

// Read reads an archive to its end, writes its database to w and returns its
// configuration, nil if it has none. Everything that is damaged is an error.
func Read(ctx context.Context, r io.Reader, w io.Writer) (config []byte, err error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoArchive, err)
	}
	t := tar.NewReader(z)
	there := false
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, broken(err)
		}
		switch {
		case h.Name == configName && config == nil && !there && h.Size <= maxConfig:
			config, err = io.ReadAll(t)
		case h.Name == databaseName && !there:
			there = true
			_, err = io.CopyBuffer(w, contextReader{ctx, t}, make([]byte, bufferSize))
		default:
			return nil, fmt.Errorf("%w: it holds %.60q", ErrNoArchive, h.Name)
		}
		if err != nil {
			return nil, broken(err)
		}
	}
	if !there {
		return nil, fmt.Errorf("%w: it holds no database", ErrNoArchive)
	}
	// What follows the tar has the sum of all in it.
	if _, err := io.Copy(io.Discard, contextReader{ctx, z}); err != nil {
		return nil, broken(err)
	}
	return config, nil
}

// ReadConfig returns the configuration of an archive without the rest, nil if it
// has none.
func ReadConfig(r io.Reader) ([]byte, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoArchive, err)
	}
	t := tar.NewReader(z)
	h, err := t.Next()
	switch {
	case err != nil:
		return nil, broken(err)
	case h.Name == databaseName:
		return nil, nil
	case h.Name != configName || h.Size > maxConfig:
		return nil, fmt.Errorf("%w: it holds %.60q", ErrNoArchive, h.Name)
	}
	config, err := io.ReadAll(t)
	if err != nil {
		return nil, broken(err)
	}
	return config, nil
}

func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("is damaged: it ends before its end")
	}
	return fmt.Errorf("is damaged: %w", err)
}

// contextReader is r until ctx ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
