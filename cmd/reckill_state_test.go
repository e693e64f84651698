package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/store/kv/boltkv"
)

// inspectDead looks at the database and the files of the process as it left
// them: even now no record may be without its files, and no tarball gone that is
// not in.
func (k *killTest) inspectDead(round int) {
	k.t.Helper()
	ctx := context.Background()
	engine, err := boltkv.Open(ctx, k.database(), boltkv.Options{})
	if err != nil {
		k.t.Fatalf("round %d: %v", round, err)
	}
	s, err := store.New(ctx, engine, store.Options{})
	if err != nil {
		k.t.Fatalf("round %d: %v", round, err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			k.t.Errorf("round %d: %v", round, err)
		}
	}()
	if err := errors.Join(engine.Check(ctx), s.Check(ctx)); err != nil {
		k.t.Errorf("round %d: the database is damaged: %v", round, err)
	}
	spooled, failed := k.spooled(), k.names("failed")
	err = s.View(ctx, func(tx *store.Tx) error {
		for _, r := range k.kept {
			record, err := tx.Recording(r.id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			k.deadFiles(round, tx, record)
			waits := slices.Contains(spooled, r.id+".tar")
			if r.in.has(1) && !waits && !slices.Contains(failed, r.id+".tar") && len(record.Formats) != len(bothFormats) {
				k.t.Errorf("round %d: the tarball of %s is gone, and its record has %d formats", round, r.id, len(record.Formats))
			}
			if version := record.Imported["version"]; !waits && record.State != store.Deleted && !k.may(r, version) {
				k.t.Errorf("round %d: the tarball of %s is gone; the record has version %q, want one of %v", round, r.id, version, r.versions)
			}
		}
		return nil
	})
	if err != nil {
		k.t.Errorf("round %d: %v", round, err)
	}
}

// may reports whether a record may have a version, "" if there is no record.
func (k *killTest) may(r *kept, version string) bool {
	n, err := strconv.Atoi(version)
	return version == "" && r.state.has("") || err == nil && r.versions.has(n)
}

// deadFiles holds a record against the files: each format is in the tree of its
// state, or while it moves in one of the places between which it does.
func (k *killTest) deadFiles(round int, tx *store.Tx, r store.Recording) {
	k.t.Helper()
	if r.State == store.Deleted && r.Moving == "" {
		for _, tree := range []string{"published", "unpublished"} {
			if left, _ := filepath.Glob(k.path(tree, "*", r.ID)); len(left) > 0 {
				k.t.Errorf("round %d: %s is deleted, yet there are %v", round, r.ID, left)
			}
		}
		return
	}
	formats, dirs := r.Formats, []string{k.path(string(r.State))}
	trashed, err := tx.Trashed(r.ID)
	switch {
	case r.State == store.Deleted && err == nil:
		formats, dirs = trashed.Recording.Formats, []string{k.path("published"), k.path("unpublished")}
	case r.Moving != "":
		dirs = []string{k.path("published"), k.path("unpublished")}
	}
	for _, f := range formats {
		found := err == nil && isFile(k.path("work", "trash", trashed.Dir, f.Type, "metadata.xml"))
		for _, dir := range dirs {
			found = found || isFile(filepath.Join(dir, f.Type, r.ID, "metadata.xml"))
		}
		if !found {
			k.t.Errorf("round %d: the record of %s is %s (moving to %q) and has no files of format %s", round, r.ID, r.State, r.Moving, f.Type)
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// compare holds the running process against what was acknowledged, for the
// recordings that were touched. What was in doubt is not any more.
func (k *killTest) compare(round int) {
	k.t.Helper()
	all, _ := k.recordings("state", "any")
	for _, r := range k.kept {
		if !r.touched {
			continue
		}
		r.touched = false
		k.compareOne(round, r, all[r.id])
	}
}

func (k *killTest) compareAll(round int) {
	for _, r := range k.kept {
		r.touched = true
	}
	k.compare(round)
}

func (k *killTest) compareOne(round int, r *kept, got listed) {
	k.t.Helper()
	if !r.state.has(got.State) {
		k.t.Errorf("round %d: %s is %q, want one of %q", round, r.id, got.State, r.state)
	}
	r.state, r.sent = oneOf[string]{got.State}, nil
	k.compareServed(round, r, got.State)
	if got.State != "published" && got.State != "unpublished" {
		for _, tree := range []string{"published", "unpublished"} {
			if left, _ := filepath.Glob(k.path(tree, "*", r.id)); len(left) > 0 {
				k.t.Errorf("round %d: %s is %q, yet there are %v", round, r.id, got.State, left)
			}
		}
		return // its data come back when it does
	}
	if got.Published != (got.State == "published") {
		k.t.Errorf("round %d: %s is %s and published is %v", round, r.id, got.State, got.Published)
	}
	if !r.versions.has(got.Metadata.Version) {
		k.t.Errorf("round %d: %s has version %d, want one of %v", round, r.id, got.Metadata.Version, r.versions)
	}
	r.versions, r.version, r.compared = oneOf[int]{got.Metadata.Version}, got.Metadata.Version, got.Metadata.Version
	if !r.note.has(got.Metadata.Note) {
		k.t.Errorf("round %d: %s has note %q, want one of %q", round, r.id, got.Metadata.Note, r.note)
	}
	r.note = oneOf[string]{got.Metadata.Note}
	if !r.in.has(len(got.Formats)) {
		k.t.Fatalf("round %d: %s has formats %+v, want %v of %v", round, r.id, got.Formats, r.in, bothFormats)
	}
	r.in, r.formats = oneOf[int]{len(got.Formats)}, bothFormats[:len(got.Formats)]
	k.compareFailed(round, r)
	k.compareFiles(round, r)
}

// settled waits until nothing is on its way. Only what was sent broken may have
// failed.
func (k *killTest) settled() {
	k.t.Helper()
	eventually(k.t, "nothing on its way", func() bool {
		if len(k.spooled()) > 0 {
			return false
		}
		files, err := k.admin().SpoolFiles(k.t.Context())
		return err == nil && !slices.ContainsFunc(files, func(f recordings.SpoolFile) bool { return f.State != store.ImportFailed })
	})
	broken := map[string]bool{}
	for _, r := range k.kept {
		if r.in.has(1) {
			broken[r.id+".tar"] = true
		}
	}
	for _, name := range k.names("failed") {
		if !broken[strings.TrimSuffix(name, ".txt")] && !strings.HasPrefix(name, ".mended-") {
			k.t.Fatalf("failed: %s", name)
		}
	}
}

// compareFailed: a tarball with its reason is in failed_dir as long as a format
// of it is not in.
func (k *killTest) compareFailed(round int, r *kept) {
	k.t.Helper()
	failed := k.names("failed")
	for _, name := range []string{r.id + ".tar", r.id + ".tar.txt"} {
		if want := r.in.has(1); want != slices.Contains(failed, name) {
			k.t.Errorf("round %d: %s in failed_dir: %v, want %v", round, name, !want, want)
		}
	}
}

// compareServed asks for a file as a browser does.
func (k *killTest) compareServed(round int, r *kept, state string) {
	k.t.Helper()
	response, err := k.client.Get(k.base + "/presentation/" + r.id + "/shapes.svg")
	if err != nil {
		k.t.Fatal(err)
	}
	_ = response.Body.Close()
	want := http.StatusNotFound
	if state == "published" {
		want = http.StatusOK
	}
	if response.StatusCode != want {
		k.t.Errorf("round %d: a file of %s, which is %q, answers %d", round, r.id, state, response.StatusCode)
	}
}

// compareFiles: exactly the files of the one version, and the text tracks.
func (k *killTest) compareFiles(round int, r *kept) {
	k.t.Helper()
	tree := k.path(r.state[0])
	want := r.files()
	for _, format := range r.formats {
		dir := filepath.Join(tree, format, r.id)
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(tree, path)
			if err != nil || strings.HasPrefix(d.Name(), "caption") {
				return err
			}
			text, err := os.ReadFile(path)
			if string(text) != want[name] {
				return fmt.Errorf("%s has other contents than were imported", name)
			}
			delete(want, name)
			return err
		})
		if err != nil {
			k.t.Errorf("round %d: %s: %v", round, r.id, err)
		}
	}
	if len(want) > 0 {
		k.t.Errorf("round %d: %s lacks %d files", round, r.id, len(want))
	}
	k.compareTracks(round, r, filepath.Join(tree, "presentation", r.id))
}

var trackText = regexp.MustCompile(`track (\d+)`)

func (k *killTest) compareTracks(round int, r *kept, dir string) {
	k.t.Helper()
	list, err := os.ReadFile(filepath.Join(dir, "captions.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.t.Error(err)
	}
	for lang, versions := range r.tracks {
		text, err := os.ReadFile(filepath.Join(dir, "caption_"+lang+".vtt"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			k.t.Error(err)
		}
		found := 0
		if m := trackText.FindSubmatch(text); m != nil {
			found, _ = strconv.Atoi(string(m[1]))
		}
		if !versions.has(found) {
			k.t.Errorf("round %d: %s has text track %s of %d, want one of %v", round, r.id, lang, found, versions)
		}
		// What is listed must be there; what is there is listed once it was answered.
		is := strings.Contains(string(list), `"`+lang+`"`)
		if is && found == 0 || !is && len(versions) == 1 && found != 0 {
			k.t.Errorf("round %d: %s: text track %s is listed: %v, its file has %d", round, r.id, lang, is, found)
		}
		r.tracks[lang] = oneOf[int]{found}
		if found == 0 || !is {
			r.tracks[lang] = oneOf[int]{0, found}
		}
	}
}
