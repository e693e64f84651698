package recordings

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"scalelite/store"
)

// trees are the directories that the files of recordings are in: FORMAT/ID
// below published or unpublished; below work what is on its way.
type trees struct{ published, unpublished, work string }

// The directories below work.
const (
	importDir = "import" // one directory for each running import; see journal
	trashDir  = "trash"  // see store.Trashed
	asideDir  = "old"    // what is to be removed
)

const probePrefix = ".scalelite-probe-"

func treesOf(c Config) trees {
	return trees{filepath.Clean(c.PublishedDir), filepath.Clean(c.UnpublishedDir), filepath.Clean(c.WorkDir)}
}

// treeStates are the states whose files are in a tree.
func treeStates() []store.RecordingState {
	return []store.RecordingState{store.Published, store.Unpublished}
}

func (t trees) tree(state store.RecordingState) string {
	if state == store.Published {
		return t.published
	}
	return t.unpublished
}

// path is where the files of one format of a recording are in a state.
func (t trees) path(state store.RecordingState, kind, id string) string {
	return filepath.Join(t.tree(state), kind, id)
}

func (t trees) trash(dir string) string { return filepath.Join(t.work, trashDir, dir) }

// aside returns a new name for a directory that is to be removed.
func (t trees) aside() string { return filepath.Join(t.work, asideDir, randomName()) }

func randomName() string { return rand.Text()[:16] }

// opposite is the state of the other tree.
func opposite(state store.RecordingState) store.RecordingState {
	if state == store.Published {
		return store.Unpublished
	}
	return store.Published
}

// prepare makes the directories and proves that a directory can be moved from
// work to each tree by renaming it.
func (t trees) prepare() error {
	dirs := []struct{ key, path string }{
		{"work_dir", t.work},
		{"work_dir", filepath.Join(t.work, importDir)},
		{"work_dir", filepath.Join(t.work, trashDir)},
		{"work_dir", filepath.Join(t.work, asideDir)},
		{"published_dir", t.published},
		{"unpublished_dir", t.unpublished},
	}
	for _, d := range dirs {
		if err := makeDir(d.path); err != nil {
			return fmt.Errorf("recordings.%s: %w; %s", d.key, err, writeRemedy(err, "make the directory, and let it belong to"))
		}
	}
	probe := filepath.Join(t.work, probePrefix+randomName())
	if err := os.Mkdir(probe, 0o700); err != nil {
		return fmt.Errorf("recordings.work_dir: %s is not writable: %w; %s", t.work, err, writeRemedy(err, "let it belong to"))
	}
	defer os.Remove(probe)
	for _, d := range dirs[4:] {
		moved := filepath.Join(d.path, filepath.Base(probe))
		err := os.Rename(probe, moved)
		switch {
		case errors.Is(err, syscall.EXDEV):
			return fmt.Errorf("recordings.%s: %w", d.key, boundary(d.path, t.work))
		case err != nil:
			return fmt.Errorf("recordings.%s: %s is not writable: %w; %s", d.key, d.path, err, writeRemedy(err, "let it belong to"))
		}
		if err := os.Rename(moved, probe); err != nil {
			_ = os.Remove(moved)
			return fmt.Errorf("recordings.%s: %w", d.key, err)
		}
	}
	return nil
}

// writeRemedy says what to do about a directory that cannot be written to: give it
// to us, but for a file system on which that would change nothing.
func writeRemedy(err error, give string) string {
	if errors.Is(err, syscall.EROFS) {
		return "the file system is mounted read-only, or the unit of the service does not allow writing there: " +
			"ReadWritePaths= in a drop-in does (systemctl edit scalelite); 'scalelite doctor' prints the lines"
	}
	return fmt.Sprintf("%s user id %d", give, os.Geteuid())
}

// makeDir makes a directory and what leads to it, readable for all whatever the
// umask, and durable.
func makeDir(path string) error {
	if isDir(path) {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	err := os.Mkdir(path, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist) && isDir(path):
		return nil // somebody else was faster
	case err != nil:
		return err
	}
	return errors.Join(os.Chmod(path, 0o755), syncDir(parent))
}

// isDir follows links, as a tree may be one.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// exists reports whether the directory of a format is there. Unlike isDir it
// does not take an error of the file system for an absence.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if absent(err) {
		return false, nil
	}
	return err == nil, err
}

// absent reports whether an error says that a path leads to nothing.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// kinds are the formats that have a directory in the tree of a state.
func (t trees) kinds(state store.RecordingState) ([]string, error) {
	entries, err := os.ReadDir(t.tree(state))
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, e := range entries {
		if PlainWord(e.Name()) && isDir(filepath.Join(t.tree(state), e.Name())) {
			kinds = append(kinds, e.Name())
		}
	}
	return kinds, nil
}

// copyOf is the directory of one format of a recording in one tree.
type copyOf struct {
	state store.RecordingState
	kind  string
}

// copies are all directories that a recording has in the trees, those of state
// first.
func (t trees) copies(id string, first store.RecordingState) ([]copyOf, error) {
	states := treeStates()
	if states[0] != first {
		slices.Reverse(states)
	}
	var found []copyOf
	for _, state := range states {
		kinds, err := t.kinds(state)
		if err != nil {
			return nil, err
		}
		for _, kind := range kinds {
			there, err := exists(t.path(state, kind, id))
			if err != nil {
				return nil, err
			}
			if there {
				found = append(found, copyOf{state, kind})
			}
		}
	}
	return found, nil
}

// count returns how many regular files a directory holds at any depth, and
// their bytes.
func count(dir string) (files int, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		bytes += info.Size()
		return nil
	})
	return files, bytes, err
}
