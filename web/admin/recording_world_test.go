package admin_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

// The recordings of tests; the first two are of the same meeting, so that their
// IDs begin alike. The last part is the start.
const (
	recA  = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000"
	recA2 = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000050000"
	recB  = "ffbfc4cc24428694e8b53a4e144f414052431693-1700000100000"
)

// shelf is a world with recordings.
type shelf struct {
	*world
	config  recordings.Config
	library *recordings.Library
	spool   *recordings.Spool
	outbox  *balancer.Outbox
}

// newShelf opens recordings below a directory of the test's own. The spool works
// as long as the test, unless running is false: then it is as in a command where
// no daemon runs.
func newShelf(t *testing.T, running bool, adjust ...func(*recordings.Config)) *shelf {
	t.Helper()
	s := &shelf{world: newWorld(t), config: recordings.DefaultConfig().Below(t.TempDir())}
	s.config.MinFree, s.config.Tries = "0", 1
	for _, f := range adjust {
		f(&s.config)
	}
	log := slog.New(slog.DiscardHandler)
	var err error
	if s.library, err = recordings.Open(t.Context(), recordings.Options{Store: s.store, Config: s.config, Log: log}); err != nil {
		t.Fatal(err)
	}
	if s.spool, err = recordings.NewSpool(recordings.SpoolOptions{Config: s.config, Importer: s.library, Place: s.library.Place, Store: s.store, Log: log}); err != nil {
		t.Fatal(err)
	}
	s.outbox = balancer.NewOutbox(balancer.OutboxOptions{Store: s.store, Secrets: func() []bbb.Secret { return nil }, Log: log})
	s.local = admin.NewLocal(admin.LocalOptions{
		Pool: s.pool, Store: s.store, Info: admin.Info{Daemon: running}, Library: s.library, Spool: s.spool, Outbox: s.outbox,
	})
	if running {
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { s.spool.Run(ctx); close(done) }()
		t.Cleanup(func() { stop(); <-done })
	}
	t.Cleanup(func() { _ = s.library.Close() })
	return s
}

// bothShelves runs a test on both sides of the socket.
func bothShelves(t *testing.T, test func(t *testing.T, w *shelf, s admin.Service), adjust ...func(*recordings.Config)) {
	t.Helper()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		w := newShelf(t, true, adjust...)
		test(t, w, w.local)
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		w := newShelf(t, true, adjust...)
		test(t, w, w.overSocket(w.local))
	})
}

// tarball is one with a presentation of each of the recordings; meta is what
// each has more as metadata.
func tarball(t *testing.T, meta map[string]string, ids ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name, text string) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		add("presentation/"+id+"/shapes.svg", "<svg/>")
		add("presentation/"+id+"/metadata.xml", metadataOf(id, meta))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func metadataOf(id string, meta map[string]string) string {
	var more strings.Builder
	for key, value := range meta {
		fmt.Fprintf(&more, "<%s>%s</%s>", key, value, key)
	}
	start := id[41:]
	return fmt.Sprintf(`<recording><id>%[1]s</id><state>published</state><published>true</published>
<start_time>%[2]s</start_time><end_time>%[2]s</end_time><participants>3</participants>
<meeting id="%[1]s" externalId="room-%[2]s" name="Fred's Room" breakout="false"/>
<meta><meetingId>room-%[2]s</meetingId><meetingName>Fred's Room</meetingName>%[3]s</meta>
<playback><format>presentation</format><link>https://bbb.example.com/playback/presentation/2.3/%[1]s</link>
<duration>89332</duration></playback></recording>`, id, start, more.String())
}

// imported puts recordings in, and fails the test unless all are.
func (w *shelf) imported(meta map[string]string, ids ...string) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "some.tar")
	if err := os.WriteFile(path, tarball(w.t, meta, ids...), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.library.Import(w.t.Context(), path, nil); err != nil {
		w.t.Fatal(err)
	}
}

// send puts a tarball in through s and returns how its import ended.
func (w *shelf) send(s admin.Service, name string, content []byte) store.Import {
	w.t.Helper()
	id, err := s.ImportRecording(w.t.Context(), name, int64(len(content)), bytes.NewReader(content))
	if err != nil {
		w.t.Fatalf("import %s: %v", name, err)
	}
	return w.ended(s, id)
}

// ended waits for the end of an import.
func (w *shelf) ended(s admin.Service, id string) (i store.Import) {
	w.t.Helper()
	w.until("the import has ended", func() bool {
		var err error
		if i, err = s.Import(w.t.Context(), id); err != nil {
			w.t.Fatal(err)
		}
		return !i.Ended.IsZero()
	})
	return i
}

// until waits for a condition, and fails the test if it does not come true.
func (w *shelf) until(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

// spoolHas waits until the spool lists so many tarballs in a state.
func (w *shelf) spoolHas(s admin.Service, n int, state store.ImportState) (files []recordings.SpoolFile) {
	w.t.Helper()
	w.until(fmt.Sprintf("%d tarballs are %s", n, state), func() bool {
		var err error
		if files, err = s.SpoolFiles(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		files = slices.DeleteFunc(files, func(f recordings.SpoolFile) bool { return f.State != state })
		return len(files) == n
	})
	return files
}

// spooled are the names of files in the spool, hidden ones too.
func (w *shelf) spooled() []string {
	w.t.Helper()
	found, err := os.ReadDir(w.config.SpoolDir)
	if err != nil {
		w.t.Fatal(err)
	}
	names := []string{}
	for _, f := range found {
		if !f.IsDir() {
			names = append(names, f.Name())
		}
	}
	return names
}

func idsOfPage(page admin.RecordingPage) []string {
	ids := []string{}
	for _, r := range page.Items {
		ids = append(ids, r.ID)
	}
	return ids
}
