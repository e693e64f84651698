package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"scalelite/recordings/caption"
	"scalelite/store"
)

// trackFormat is the format whose directory holds the text tracks, captionIndex
// their list in it.
const (
	trackFormat  = "presentation"
	captionIndex = "captions.json"
)

// uploaded is the source of a track that came through the API.
const uploaded = "upload"

// maxCaptionIndex bounds the list of text tracks in bytes: it came from outside.
const maxCaptionIndex = 4 << 20

// MaxTrack is the largest text track in bytes that is taken.
const MaxTrack = 4 << 20

// Tracks lists the text tracks of a recording, or returns ErrNotFound.
func (l *Library) Tracks(ctx context.Context, scope Scope, id string) ([]caption.Track, error) {
	r, err := l.withFiles(ctx, scope, id)
	if err != nil {
		return nil, err
	}
	index, err := l.captions(r)
	if err != nil {
		return nil, err
	}
	return index.Tracks(), nil
}

// withFiles returns a recording that is not deleted, or ErrNotFound.
func (l *Library) withFiles(ctx context.Context, scope Scope, id string) (store.Recording, error) {
	r, err := l.recording(ctx, scope, id)
	if err == nil && r.State == store.Deleted {
		err = ErrNotFound
	}
	return r, err
}

// settled is withFiles once the files are where they are to be: what was begun
// with the recording and not finished is finished first. The caller holds its
// lock.
func (l *Library) settled(ctx context.Context, scope Scope, id string) (store.Recording, error) {
	r, err := l.withFiles(ctx, scope, id)
	if err != nil || r.Moving == "" {
		return r, err
	}
	if err := l.resume(ctx, r); err != nil {
		return r, err
	}
	return l.withFiles(ctx, scope, id)
}

func (l *Library) captions(r store.Recording) (*caption.Index, error) {
	index, err := readCaptions(l.trees.path(r.State, trackFormat, r.ID))
	if err != nil {
		return nil, fmt.Errorf("read the text tracks of %s: %w", r.ID, err)
	}
	return index, nil
}

// readCaptions reads the list of text tracks in a directory, empty if there is
// none.
func readCaptions(dir string) (*caption.Index, error) {
	f, err := os.Open(filepath.Join(dir, captionIndex))
	if errors.Is(err, fs.ErrNotExist) {
		return &caption.Index{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCaptionIndex+1))
	if err == nil && len(data) > maxCaptionIndex {
		err = fmt.Errorf("%s has more than %d bytes", captionIndex, maxCaptionIndex)
	}
	if err != nil {
		return nil, err
	}
	return caption.ReadIndex(data)
}

// PutTrack adds a text track to the presentation of a recording or replaces one.
// data is SRT or WebVTT of at most MaxTrack bytes. The errors are ErrNotFound,
// ErrNoFiles where the recording has no presentation, those of package caption,
// and ErrInvalid. The file is there before the list names it.
func (l *Library) PutTrack(ctx context.Context, scope Scope, id string, track caption.Track, data []byte) error {
	vtt, err := caption.ToVTT(data)
	if err != nil {
		return err
	}
	end, err := l.beginFiles(ctx)
	if err != nil {
		return err
	}
	defer end()
	release, err := l.locks.lock(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	r, err := l.settled(ctx, scope, id)
	if err != nil {
		return err
	}
	dir := l.trees.path(r.State, trackFormat, id)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%w: recording %s has no %s", ErrNoFiles, id, trackFormat)
	}
	index, err := l.captions(r)
	if err != nil {
		return err
	}
	name, err := index.Put(track)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	list, err := index.Encode()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	// A move into the state that it has: if this is cut off, a start counts again.
	if r, err = l.change(ctx, id, func(r *store.Recording) { r.Moving = r.State }); err != nil {
		return err
	}
	l.step("announced a track")
	if err := l.replaceFile(filepath.Join(dir, name), vtt); err != nil {
		return fmt.Errorf("write a text track of %s: %w", id, err)
	}
	l.step("wrote a track")
	if err := l.replaceFile(filepath.Join(dir, captionIndex), list); err != nil {
		return fmt.Errorf("write the text tracks of %s: %w", id, err)
	}
	l.step("listed a track")
	return l.finishTrack(ctx, r)
}

// finishTrack ends a move into r.State, and with it notes how many files and
// bytes the presentation has now, if there is one: after a crash between the two
// nobody would count again.
func (l *Library) finishTrack(ctx context.Context, r store.Recording) error {
	files, bytes, err := count(l.trees.path(r.State, trackFormat, r.ID))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	counted := err == nil
	_, err = l.change(ctx, r.ID, func(now *store.Recording) {
		now.State, now.Moving = r.State, ""
		if f, ok := now.Format(trackFormat); ok && counted {
			f.Files, f.Bytes = files, bytes
			now.SetFormat(f)
		}
	})
	return err
}

// replaceFile writes a file where a start sweeps, makes it durable and gives it
// its name.
func (l *Library) replaceFile(path string, data []byte) (err error) {
	temp := l.trees.aside()
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// carryTracks takes the text tracks that were uploaded here over into a
// presentation that is about to replace the one they are in: what somebody did
// through the API outlives an import. It changes the counts in formats.
func (l *Library) carryTracks(s stage, former store.Recording, state store.RecordingState, formats []incomingFormat) error {
	at := slices.IndexFunc(formats, func(f incomingFormat) bool { return f.Type == trackFormat })
	if _, had := former.Format(trackFormat); at < 0 || !had {
		return nil
	}
	from, to := l.trees.path(state, trackFormat, former.ID), s.unpacked(trackFormat, former.ID)
	carried, err := l.carry(from, to)
	if err != nil {
		return fmt.Errorf("keep the uploaded text tracks of %s: %w", former.ID, err)
	}
	if carried {
		formats[at].Files, formats[at].Bytes, err = count(to)
	}
	return err
}

// carry copies uploaded tracks from one directory to another and lists them
// there.
func (l *Library) carry(from, to string) (carried bool, err error) {
	before, err := readCaptions(from)
	if err != nil {
		return false, nil // a list that cannot be read has nothing to keep
	}
	after, err := readCaptions(to)
	if err != nil {
		after = &caption.Index{}
	}
	for _, track := range before.Tracks() {
		if track.Source != uploaded {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, track.File))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return carried, err
		}
		name, err := after.Put(track)
		if err != nil {
			return carried, err
		}
		if err := l.replaceFile(filepath.Join(to, name), data); err != nil {
			return carried, err
		}
		carried = true
	}
	if !carried {
		return false, nil
	}
	list, err := after.Encode()
	if err != nil {
		return carried, err
	}
	return carried, l.replaceFile(filepath.Join(to, captionIndex), list)
}
