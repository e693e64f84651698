package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"scalelite/store"
	"scalelite/store/kv/boltkv"
	"scalelite/store/storetest"
)

const writerEnv = "STORE_TEST_WRITE_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		writeUntilKilled(path)
	}
	os.Exit(m.Run())
}

const writers = 4

// writeUntilKilled changes servers and meetings without end and prints, after
// each change that was acknowledged, who made it and its number.
func writeUntilKilled(path string) {
	ctx := context.Background()
	engine, err := boltkv.Open(ctx, path, boltkv.Options{})
	if err != nil {
		panic(err)
	}
	s, err := store.New(ctx, engine, store.Options{})
	if err != nil {
		panic(err)
	}
	for w := range writers {
		go func() {
			for n := 1; ; n++ {
				if err := s.Update(ctx, func(tx *store.Tx) error { return change(tx, w, n) }); err != nil {
					panic(err)
				}
				fmt.Printf("%d %d\n", w, n) // one write call: never half a line but at the end
			}
		}()
	}
	select {}
}

// change is the n-th change of writer w: its server's tag tells n, and one
// meeting more is there, every tenth time all are gone with their server.
func change(tx *store.Tx, w, n int) error {
	server := store.Server{ID: fmt.Sprint("server-", w), Tag: fmt.Sprint(n), LoadMultiplier: 1}
	if n%10 == 1 {
		if err := tx.RemoveServer(server.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := tx.AddServer(server); err != nil {
			return err
		}
	} else if err := tx.PutServer(server); err != nil {
		return err
	}
	return tx.PutMeeting(meeting("", fmt.Sprint(w, "-", n), server.ID, fmt.Sprint(w+1, n)))
}

// T57: SIGKILL, 200 times.
func TestKilledWriterLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	path := filepath.Join(t.TempDir(), "killed.db")
	for round := range rounds {
		acknowledged := runAndKill(t, path, 10+37*round%300)
		if len(acknowledged) == 0 {
			t.Fatal("the child did nothing")
		}
		s := storetest.OpenFile(t, path, nil)
		view(t, s.Store, func(tx *store.Tx) error {
			for w, n := range acknowledged {
				server, err := tx.Server(fmt.Sprint("server-", w))
				if err != nil {
					t.Errorf("round %d: writer %d: %v", round, w, err)
					continue
				}
				is, _ := strconv.Atoi(server.Tag)
				if is != n && is != n+1 { // the last one may be there unacknowledged
					t.Errorf("round %d: writer %d got as far as %d, there is %d", round, w, n, is)
				}
				meetings, err := store.Collect(tx.MeetingsOf(server.ID))
				if want := (is-1)%10 + 1; err != nil || len(meetings) != want {
					t.Errorf("round %d: %d meetings of writer %d after change %d, want %d, %v", round, len(meetings), w, is, want, err)
				}
			}
			return nil
		})
		if err := errors.Join(s.Check(t.Context()), s.Engine.Check(t.Context()), s.Close()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// runAndKill lets a child write, kills it after so many changes and returns the
// last acknowledged one of each writer.
func runAndKill(t *testing.T, path string, changes int) map[int]int {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), writerEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[int]int{}
	lines := bufio.NewReader(out)
	for read := 0; ; read++ {
		line, err := lines.ReadString('\n')
		if err != nil { // killed
			break
		}
		w, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		writer, e1 := strconv.Atoi(w)
		number, e2 := strconv.Atoi(n)
		if e1 != nil || e2 != nil {
			t.Fatalf("the child says %q", line)
		}
		acknowledged[writer] = max(acknowledged[writer], number)
		if read == changes {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait()
	return acknowledged
}
