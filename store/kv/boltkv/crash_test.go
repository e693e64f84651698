package boltkv

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"scalelite/store/kv"
)

// childEnv tells this test binary to be one of the children below; pathEnv
// is the database it works on.
const childEnv, pathEnv = "BOLTKV_TEST_CHILD", "BOLTKV_TEST_PATH"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "writer":
		err = writerChild(os.Getenv(pathEnv))
	case "full":
		err = fullDiskChild(os.Getenv(pathEnv))
	case "cut":
		err = cutFileChild(os.Getenv(pathEnv))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, role, path string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), childEnv+"="+role, pathEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

const writers = 8

// writerChild writes numbers, each under its writer and with an entry in an
// index, and prints those that were acknowledged.
func writerChild(path string) error {
	e, err := Open(context.Background(), path, Options{})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for w := range uint64(writers) {
		wg.Go(func() {
			for {
				n, err := writeNext(e, w)
				if err != nil {
					failed <- err
					return
				}
				mu.Lock()
				fmt.Printf("%d %d\n", w, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return <-failed
}

// writeNext writes the number after the last of writer w, and returns it.
func writeNext(e *Engine, w uint64) (n uint64, err error) {
	err = e.Update(context.Background(), func(tx kv.Tx) error {
		last := kv.NewKey("last").Uint64(w)
		v, err := tx.Get(last)
		switch {
		case errors.Is(err, kv.ErrNotFound):
			n, err = 1, nil
		case err != nil:
			return err
		default:
			n = binary.BigEndian.Uint64(v) + 1
		}
		// Old ones go, so that pages are freed and used again.
		if n > 200 {
			err = tx.Delete(kv.NewKey("item").Uint64(w).Uint64(n - 200))
		}
		value := bytes.Repeat([]byte{byte(n)}, int(n*37%900))
		return errors.Join(err,
			tx.Put(last, binary.BigEndian.AppendUint64(nil, n)),
			tx.Put(kv.NewKey("item").Uint64(w).Uint64(n), value))
	})
	return n, err
}

// TestKill is the engine's part of T57: what was acknowledged is there after
// the process was killed at any moment, and the file is sound.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	path := filepath.Join(t.TempDir(), "db")
	var acknowledged [writers]uint64
	for round := range rounds {
		killOnce(t, path, &acknowledged)
		e, err := Open(context.Background(), path, Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := e.Check(context.Background()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := checkAcknowledged(e, &acknowledged); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var sum uint64
	for _, n := range acknowledged {
		sum += n
	}
	if sum < uint64(rounds) {
		t.Errorf("only %d updates were acknowledged in %d rounds", sum, rounds)
	}
	t.Logf("%d acknowledged updates in %d rounds", sum, rounds)
}

// killOnce runs a writer, kills it, and notes what it said was done. The
// moment is up to 40 ms after its first word, or before it.
func killOnce(t *testing.T, path string, acknowledged *[writers]uint64) {
	t.Helper()
	cmd := child(t, "writer", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = cmd.Process.Kill() }
	var timer *time.Timer
	if rand.IntN(8) == 0 {
		timer = time.AfterFunc(rand.N(30*time.Millisecond), kill)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if timer == nil {
			timer = time.AfterFunc(rand.N(40*time.Millisecond), kill)
		}
		var w, n uint64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &n); err != nil {
			continue // the last line may have been cut
		}
		acknowledged[w] = n
	}
	_ = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the writer ended by itself: %v", cmd.ProcessState)
	}
}

// checkAcknowledged compares the database with what was acknowledged: it may
// have one update a writer more, and none halves.
func checkAcknowledged(e *Engine, acknowledged *[writers]uint64) error {
	return e.View(context.Background(), func(tx kv.Tx) error {
		for w := range uint64(writers) {
			last := uint64(0)
			v, err := tx.Get(kv.NewKey("last").Uint64(w))
			if err == nil {
				last = binary.BigEndian.Uint64(v)
			} else if !errors.Is(err, kv.ErrNotFound) {
				return err
			}
			if done := acknowledged[w]; last < done || last > done+1 {
				return fmt.Errorf("writer %d got %d acknowledged, %d is there", w, done, last)
			}
			acknowledged[w] = last
			want := max(last, 200) - 199
			if last == 0 {
				continue
			}
			for item, err := range tx.Scan(kv.NewKey("item").Uint64(w), nil) {
				if err != nil {
					return err
				}
				value := bytes.Repeat([]byte{byte(want)}, int(want*37%900))
				if !bytes.Equal(item.Key, kv.NewKey("item").Uint64(w).Uint64(want)) || !bytes.Equal(item.Value, value) {
					return fmt.Errorf("writer %d: item %d is %x with %d bytes", w, want, item.Key, len(item.Value))
				}
				want++
			}
			if want != last+1 {
				return fmt.Errorf("writer %d: items end before %d, want up to %d", w, want, last)
			}
		}
		return nil
	})
}

func runChild(t *testing.T, role string) {
	t.Helper()
	cmd := child(t, role, filepath.Join(t.TempDir(), "db"))
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		t.Errorf("%v: %.4000s", err, said.String())
	}
}
