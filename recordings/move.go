package recordings

import (
	"context"
	"fmt"
	"path/filepath"

	"scalelite/store"
)

// move brings the files of all formats of a recording into the tree of a state
// and makes that durable. What is there already stays, so that it may go on with
// what was begun; after an error some are here and some there.
func (l *Library) move(r store.Recording, to store.RecordingState) error {
	var dirs []string
	for _, f := range r.Formats {
		moved, err := l.moveFormat(r.ID, f, to)
		if err != nil {
			return fmt.Errorf("move format %s: %w", f.Type, err)
		}
		if moved {
			dirs = append(dirs, filepath.Join(l.trees.tree(to), f.Type), filepath.Join(l.trees.tree(opposite(to)), f.Type))
			l.step("moved a format")
		}
	}
	return syncDirs(dirs...)
}

// moveFormat brings the files of one format into the tree of a state. Of two
// copies, the one that is what was imported stays.
func (l *Library) moveFormat(id string, f store.Format, to store.RecordingState) (did bool, err error) {
	from, dest := l.trees.path(opposite(to), f.Type, id), l.trees.path(to, f.Type, id)
	here, err := exists(from)
	if err != nil || !here {
		return false, err
	}
	there, err := exists(dest)
	if err != nil {
		return false, err
	}
	if there && whole(dest, f) && !whole(from, f) {
		return false, l.discard(from)
	}
	return true, l.supplant(from, dest)
}

// whole reports whether a directory holds as many files and bytes as were
// imported.
func whole(dir string, f store.Format) bool {
	files, bytes, err := count(dir)
	return err == nil && files == f.Files && bytes == f.Bytes
}

// filesLie tells how many formats of a recording have files at all, and whether
// all that have some have them in the tree of its state and nowhere else.
func (l *Library) filesLie(r store.Recording) (formats int, right bool, err error) {
	right = true
	for _, f := range r.Formats {
		here, err := exists(l.trees.path(r.State, f.Type, r.ID))
		if err != nil {
			return 0, false, err
		}
		there, err := exists(l.trees.path(opposite(r.State), f.Type, r.ID))
		if err != nil {
			return 0, false, err
		}
		if here || there {
			formats++
		}
		right = right && !there
	}
	return formats, right, nil
}

// resume finishes what was begun with a recording and not finished, by a crash
// or because files could not be moved. The caller holds its lock.
func (l *Library) resume(ctx context.Context, r store.Recording) error {
	switch {
	case r.Moving == "":
		return nil
	case r.Moving == store.Deleted:
		return l.finishDelete(ctx, r)
	case r.State == store.Deleted:
		return l.finishUndelete(ctx, r)
	default:
		return l.finishMove(ctx, r)
	}
}

func (l *Library) finishMove(ctx context.Context, r store.Recording) error {
	if err := l.move(r, r.Moving); err != nil {
		return err
	}
	l.step("moved")
	r.State = r.Moving
	return l.finishTrack(ctx, r) // it may have been a text track that was cut off
}
