package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"scalelite/recordings"
	"scalelite/store/kv"
)

// countingEngine counts the records and entries of indexes that are read.
type countingEngine struct {
	kv.Engine
	reads *atomic.Int64
}

func (e countingEngine) View(ctx context.Context, fn func(kv.Tx) error) error {
	return e.Engine.View(ctx, func(tx kv.Tx) error { return fn(countingTx{tx, e.reads}) })
}

type countingTx struct {
	kv.Tx
	reads *atomic.Int64
}

func (tx countingTx) Get(key []byte) ([]byte, error) {
	tx.reads.Add(1)
	return tx.Tx.Get(key)
}

func (tx countingTx) Scan(prefix, after []byte) iter.Seq2[kv.Item, error] {
	return func(yield func(kv.Item, error) bool) {
		for item, err := range tx.Tx.Scan(prefix, after) {
			tx.reads.Add(1)
			if !yield(item, err) {
				return
			}
		}
	}
}

// T31: of 50,000 recordings a question is answered by reading what it is about,
// and the list of all is sent without being held in memory.
func TestT31ManyRecordings(t *testing.T) {
	if testing.Short() {
		t.Skip("50,000 recordings take their time")
	}
	const many = 50_000
	var reads atomic.Int64
	s := newSystem(t, settings{noSync: true, recordings: func(*recordings.Config) {},
		engine: func(e kv.Engine) kv.Engine { return countingEngine{e, &reads} }})
	fillRecordings(t, s.store, 0, many)
	id := benchRecording(many / 2).ID
	for name, q := range map[string]struct {
		pairs       []string
		found, most int
	}{
		"meetingID":       {[]string{"meetingID", fmt.Sprintf("room-%d", many/20)}, 10, 60},
		"recordID prefix": {[]string{"recordID", id[:40]}, 10, 60},
		"recordID":        {[]string{"recordID", id}, 1, 20},
		"meta":            {[]string{"meta_bbb-context-id", fmt.Sprint(many / 20)}, 10, 60},
		"first page":      {[]string{"offset", "0", "limit", "25"}, 25, 100},
		"nothing":         {[]string{"meetingID", "nobody's"}, 0, 10},
	} {
		reads.Store(0)
		body := s.read(t, s.link("getRecordings", q.pairs...))
		if n := strings.Count(body, "<recordID>"); n != q.found {
			t.Errorf("%s: %d recordings, want %d", name, n, q.found)
		}
		if n := reads.Load(); n > int64(q.most) {
			t.Errorf("%s: %d reads of the store for %d recordings, want at most %d", name, n, q.found, q.most)
		}
		t.Logf("%s: %d reads", name, reads.Load())
	}
	s.listInBoundedMemory(t, many)
}

func (s *system) read(t *testing.T, link string) string {
	t.Helper()
	response, err := s.client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", response.StatusCode, err)
	}
	return string(body)
}

// listInBoundedMemory reads the list of all recordings, and looks at the memory
// in use after each part of it.
func (s *system) listInBoundedMemory(t *testing.T, want int) {
	t.Helper()
	const bound = 12 << 20
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools held goes with the second
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	response, err := s.client.Get(s.link("getRecordings"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	tag, kept := []byte("</recording>"), 0 // kept of the part before: the tag may lie across
	part, size, found, highest := make([]byte, 2<<20), 0, 0, int64(0)
	for end := false; !end; {
		n, err := io.ReadFull(response.Body, part[kept:])
		end = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			t.Fatal(err)
		}
		size += n
		found += bytes.Count(part[:kept+n], tag)
		highest = max(highest, inUse()-before)
		kept = copy(part, part[max(kept+n-len(tag)+1, 0):kept+n])
	}
	if found != want {
		t.Errorf("%d recordings are listed, want %d", found, want)
	}
	if highest > bound || size < 4*bound {
		t.Errorf("the list of %d MiB took %d KiB of memory, want at most %d", size>>20, highest>>10, bound>>10)
	}
	t.Logf("%d MiB, %d recordings, %d KiB", size>>20, found, highest>>10)
}
