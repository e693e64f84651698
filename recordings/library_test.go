package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"scalelite/store"
)

// T2: a full disk is found out before anything is unpacked, or while it is; the
// tarball stays, nothing half is there, and it comes in once there is room.
func TestT2FullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	s := newShelf(t, func(o *Options) { o.Config = shelfConfig(disk) })
	s.imports(presentation(idB))
	big := presentation(idA).with("big", strings.Repeat("x", 3<<20))
	path := tarball(t, big)

	check := func(when string) {
		t.Helper()
		if _, err := s.Import(t.Context(), path, nil); !errors.Is(err, ErrNoSpace) {
			t.Errorf("%s: %v, want ErrNoSpace", when, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: the tarball: %v", when, err)
		}
		if s.has(idA) {
			t.Errorf("%s: there is a record", when)
		}
		s.wantFiles(store.Published, presentation(idB))
		s.inOrder()
	}
	ballast := filepath.Join(disk, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o644))
	check("full before")
	must(t, os.Remove(ballast))

	// Somebody else fills the disk after the look at it.
	once := sync.OnceFunc(func() { _ = os.WriteFile(ballast, make([]byte, 3<<20), 0o644) })
	_, err := s.Import(t.Context(), path, func(int64, int64) { once() })
	if err != nil && !errors.Is(err, ErrNoSpace) {
		t.Errorf("full while unpacking: %v", err)
	}
	if err == nil {
		t.Log("the disk was filled too late")
		s.deletes(idA)
		_, err := s.Purge(t.Context(), []string{idA})
		must(t, err)
	}
	s.wantFiles(store.Published, presentation(idB))

	must(t, os.Remove(ballast), syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	if _, err := s.Import(t.Context(), path, nil); err != nil {
		t.Fatal(err)
	}
	s.wantFiles(store.Published, presentation(idB), big)
}

func TestOpenMakesTheDirectories(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for _, dir := range []string{s.trees.published, s.trees.unpublished, s.trees.work} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
		for _, name := range s.names(dir) {
			if strings.HasPrefix(name, probePrefix) {
				t.Errorf("%s is left in %s", name, dir)
			}
		}
	}
}

func TestOpenNamesTheKeyOfABadDirectory(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	if err := syscall.Mount("tmpfs", other, "tmpfs", 0, "size=1m"); err == nil {
		t.Cleanup(func() { must(t, syscall.Unmount(other, syscall.MNT_DETACH)) })
	} else {
		other = "/dev/shm"
	}
	for name, c := range map[string]struct {
		adjust func(*testing.T, *Config)
		want   []string
	}{
		"another file system": {
			func(_ *testing.T, c *Config) { c.UnpublishedDir = filepath.Join(other, "unpublished") },
			[]string{"recordings.unpublished_dir", "file system", "recordings.work_dir"},
		},
		"a file in the way": {
			func(t *testing.T, c *Config) {
				must(t, os.MkdirAll(filepath.Dir(c.PublishedDir), 0o755), os.WriteFile(c.PublishedDir, nil, 0o644))
			},
			[]string{"recordings.published_dir", "make the directory"},
		},
		"an age that is none": {
			func(_ *testing.T, c *Config) { c.Trash = "soon" },
			[]string{"recordings.trash", "soon"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			config := shelfConfig(t.TempDir())
			c.adjust(t, &config)
			_, err := Open(t.Context(), Options{Store: s.db.Store, Config: config, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, text := range c.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q says nothing of %q", err, text)
				}
			}
		})
	}
}

// What a unit forbids is no matter of owners.
func TestOpenOnAReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	s := newShelf(t)
	config := shelfConfig(disk)
	open := func(what string) {
		t.Helper()
		must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		_, err := Open(t.Context(), Options{Store: s.db.Store, Config: config, Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), "ReadWritePaths") || !strings.Contains(err.Error(), "scalelite doctor") || strings.Contains(err.Error(), "belong") {
			t.Errorf("%s: %v", what, err)
		}
		must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT, ""))
	}
	open("new directories")
	for _, dir := range []string{config.PublishedDir, config.UnpublishedDir, config.WorkDir + "/" + importDir, config.WorkDir + "/" + trashDir, config.WorkDir + "/" + asideDir} {
		must(t, os.MkdirAll(dir, 0o755))
	}
	open("directories that are there")
}

func TestCloseWaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	reached, goOn := make(chan struct{}), make(chan struct{})
	s := newShelf(t, func(o *Options) {
		o.Step = func(name string) {
			if name == "unpacked" {
				close(reached)
				<-goOn
			}
		}
	})
	done := make(chan error)
	path := tarball(t, presentation(idA))
	go func() {
		_, err := s.Import(context.Background(), path, nil)
		done <- err
	}()
	<-reached
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	select {
	case <-closed:
		t.Error("it was closed while an import ran")
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	must(t, <-done, <-closed)
	if _, err := s.Import(t.Context(), path, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after the close: %v", err)
	}
	if _, err := s.Delete(t.Context(), nil, []string{idA}); !errors.Is(err, ErrClosed) {
		t.Errorf("after the close: %v", err)
	}
	s.open()
	s.wantFiles(store.Published, presentation(idA))
}

func TestReconfigureKeepsADirectoryAndRefusesNonsense(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	c := s.options.Config
	c.PublishedDir, c.Protected = filepath.Join(s.dir, "elsewhere"), true
	s.Reconfigure(c)
	c.Trash, c.Protected = "soon", false
	s.Reconfigure(c)
	s.imports(presentation(idA))
	if !s.get(idA).Protected {
		t.Error("the first change did not come through, or the second did")
	}
	s.wantFiles(store.Published, presentation(idA))
}

func TestUsageAndFree(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.imports(presentation(idA), presentation(idB), presentation(idOld))
	size := bytesOf(s.get(idA))
	s.publish(idB, false)
	s.deletes(idOld)
	got, err := s.Usage(t.Context())
	if want := (Usage{Published: size, Unpublished: size, Trash: size}); got != want || err != nil {
		t.Errorf("usage %+v, %v, want %+v", got, err, want)
	}
	free, err := s.Free()
	if err != nil || free.Free <= 0 || free.Total < free.Free {
		t.Errorf("free %+v, %v", free, err)
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l locks
		release, err := l.lock(t.Context(), "b", "a", "b")
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.lock(ctx, "0", "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a held lock: %v", err)
		}
		other, err := l.lock(t.Context(), "0", "c")
		must(t, err)
		other()
		got := make(chan struct{})
		go func() {
			again, err := l.lock(t.Context(), "a")
			must(t, err)
			close(got)
			again()
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Error("it was held twice")
		default:
		}
		release()
		<-got
		synctest.Wait()
		if len(l.held) > 0 {
			t.Errorf("locks are left: %v", l.held)
		}
	})
}

// Everything at once, on few recordings: in the end records and files agree, and
// no work hangs.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	ids := []string{idA, idB, idOld}
	var tarballs []string
	for _, id := range ids {
		tarballs = append(tarballs, tarball(t, presentation(id)), tarball(t, newer(presentation(id)), video(id)))
	}
	tarballs = append(tarballs, tarball(t, presentation(idA), presentation(idB)))
	works := []func(*rand.Rand) error{
		func(r *rand.Rand) error {
			_, err := s.Import(t.Context(), tarballs[r.IntN(len(tarballs))], nil)
			return err
		},
		func(r *rand.Rand) error {
			_, err := s.SetPublished(t.Context(), nil, ids[r.IntN(3):], r.IntN(2) == 0)
			return err
		},
		func(r *rand.Rand) error {
			_, err := s.Update(t.Context(), nil, ids[r.IntN(3):], Change{Meta: map[string]string{"n": fmt.Sprint(r.IntN(9))}})
			return err
		},
		func(r *rand.Rand) error { _, err := s.Delete(t.Context(), nil, ids[r.IntN(3):]); return err },
		func(r *rand.Rand) error { _, err := s.Undelete(t.Context(), ids[r.IntN(3):]); return err },
		func(r *rand.Rand) error { _, err := s.Purge(t.Context(), ids[r.IntN(3):][:1]); return err },
		func(*rand.Rand) error { _, err := s.Prune(t.Context(), false); return err },
		func(*rand.Rand) error { _, err := s.Rescan(t.Context(), false); return err },
		func(*rand.Rand) error { _, err := s.Check(t.Context(), RepairSafe); return err },
		func(*rand.Rand) error { _, err := s.Usage(t.Context()); return err },
	}
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			for range 40 {
				err := works[r.IntN(len(works))](r)
				if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDeleted) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
