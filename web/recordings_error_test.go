package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/store/kv"
)

// flakyEngine is a database that fails at a certain transaction, or a certain
// step of reading, from now.
type flakyEngine struct {
	kv.Engine
	views, updates, reads *atomic.Int64 // left until one fails; below 1: none does
}

func (e flakyEngine) View(ctx context.Context, fn func(kv.Tx) error) error {
	if e.views.Add(-1) == 0 {
		return errUnreadable
	}
	return e.Engine.View(ctx, func(tx kv.Tx) error { return fn(flakyTx{tx, e.reads}) })
}

var errUnreadable = errors.New("the disk cannot be read")

type flakyTx struct {
	kv.Tx
	left *atomic.Int64
}

func (tx flakyTx) Get(key []byte) ([]byte, error) {
	if tx.left.Add(-1) == 0 {
		return nil, errUnreadable
	}
	return tx.Tx.Get(key)
}

func (tx flakyTx) Scan(prefix, after []byte) iter.Seq2[kv.Item, error] {
	return func(yield func(kv.Item, error) bool) {
		for item, err := range tx.Tx.Scan(prefix, after) {
			if tx.left.Add(-1) == 0 {
				yield(kv.Item{}, errUnreadable)
				return
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

func (e flakyEngine) Update(ctx context.Context, fn func(kv.Tx) error) error {
	if e.updates.Add(-1) == 0 {
		return errors.New("no space left on device")
	}
	return e.Engine.Update(ctx, fn)
}

func manyRecordings(n int) (all []store.Recording) {
	for i := range n {
		all = append(all, store.Recording{
			ID: fmt.Sprintf("%05x-%d", i*7919%n, i), MeetingID: "room", State: store.Published, Start: int64(i / 3), Name: strings.Repeat("name ", 20),
			Imported: map[string]string{"k": "v"}, Formats: []store.Format{{Type: "presentation", URL: "/p"}},
		})
	}
	return all
}

// TestLongListIsStreamed: a list of several batches is whole, in order, and
// comes as it is read.
func TestLongListIsStreamed(t *testing.T) {
	t.Parallel()
	for _, n := range []int{listBatch - 1, listBatch, listBatch + 1, 3 * listBatch} {
		all := manyRecordings(n)
		s := withRecordings(t, settings{})
		s.lay(all...)
		for _, pairs := range [][]string{nil, {"meetingID", "room"}, {"recordID", "0"}, {"meta_k", "v"}, {"state", "any"}} {
			a := s.get("getRecordings", pairs...)
			if diff := cmp.Diff(wantListed(all, params(pairs...)), a.listing(t).ids()); diff != "" {
				t.Errorf("%d, %q (-want +got):\n%s", n, pairs, diff)
			}
			a.wantXMLHeader(t)
			if _, known := a.header["Content-Length"]; known && n > listBatch {
				t.Errorf("%d, %q: the list was not streamed", n, pairs)
			}
		}
	}
}

// TestListAcrossLookups: no recording is lost or listed twice where the looking
// up goes on.
func TestListAcrossLookups(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it lists many recordings")
	}
	s, all := withRecordings(t, settings{}), manyRecordings(listAhead+1)
	for have, n := range []int{listAhead, len(all)} {
		s.lay(all[have*listAhead : n]...)
		if diff := cmp.Diff(wantListed(all[:n], params()), s.get("getRecordings").listing(t).ids()); diff != "" {
			t.Errorf("%d recordings (-want +got):\n%s", n, diff)
		}
	}
}

// TestListByManyMeetings: the recordings of many meetings take as many steps as
// there are meetings and recordings, not that for each batch.
func TestListByManyMeetings(t *testing.T) {
	t.Parallel()
	var views, updates, reads atomic.Int64
	s := withRecordings(t, settings{engine: func(e kv.Engine) kv.Engine { return flakyEngine{e, &views, &updates, &reads} }})
	all := manyRecordings(10 * listBatch)
	var rooms []string
	for i := range all {
		all[i].MeetingID = fmt.Sprint("room-", i)
		rooms = append(rooms, all[i].MeetingID)
	}
	s.lay(all...)
	const enough = 1 << 40
	reads.Store(enough)
	body := bbb.Sign(bbb.SHA256, "getRecordings", params("meetingID", strings.Join(rooms, ",")).Encode(), testSecret)
	a := s.post("getRecordings", "", "application/x-www-form-urlencoded", body)
	if steps := enough - reads.Swap(0); steps > int64(4*len(all)) {
		t.Errorf("%d recordings took %d steps", len(all), steps)
	}
	if diff := cmp.Diff(wantListed(all, params()), a.listing(t).ids()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestErrorIsNeverAShortList (FIELD F): an error before the first batch is
// answered, one behind it cuts the connection.
func TestErrorIsNeverAShortList(t *testing.T) {
	t.Parallel()
	var views, updates, reads atomic.Int64
	log := &logBuffer{}
	s := withRecordings(t, settings{log: log, engine: func(e kv.Engine) kv.Engine { return flakyEngine{e, &views, &updates, &reads} }})
	all := manyRecordings(3 * listBatch)
	s.lay(all...)
	const internal = "An internal error occurred."
	for at, want := range []string{1: "answered", 2: "cut", 3: "cut", 4: "whole"} {
		if want == "" {
			continue
		}
		views.Store(int64(at))
		response, err := s.client.Get(s.link("getRecordings"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		whole := strings.HasSuffix(string(text), "</recordings></response>")
		switch {
		case want == "answered" && (err != nil || string(text) != failedXML("internalError", internal)),
			want == "cut" && (!errors.Is(err, io.ErrUnexpectedEOF) || whole),
			want == "whole" && (err != nil || !whole):
			t.Errorf("error in transaction %d: %v, %d bytes %.200s", at, err, len(text), text)
		}
	}
	if !strings.Contains(log.String(), "list of recordings was cut") {
		t.Error("nothing in the log")
	}
	views.Store(1)
	s.get("getRecordings", "meetingID", "none").wantFailed(t, "internalError", internal)
	views.Store(1)
	s.get("getRecordings", "limit", "5").wantFailed(t, "internalError", internal)
	// Links to protected recordings that cannot be stored would lead nowhere.
	all[0].Protected = true
	s.lay(all[0])
	updates.Store(1)
	s.get("getRecordings", "recordID", all[0].ID).wantFailed(t, "internalError", internal)
	for _, call := range []string{"publishRecordings", "deleteRecordings"} {
		views.Store(1)
		if a := s.get(call, "recordID", all[0].ID, "publish", "false"); a.OK || a.MessageKey != "internalError" {
			t.Errorf("%s: %s", call, a.body)
		}
	}
	updates.Store(1)
	s.get("updateRecordings", "recordID", all[0].ID, "meta_x", "y").wantFailed(t, "internalError", internal)
}

// TestErrorAtEveryStepOfReading: whichever it is, the answer is whole or FAILED.
func TestErrorAtEveryStepOfReading(t *testing.T) {
	t.Parallel()
	var views, updates, reads atomic.Int64
	s := withRecordings(t, settings{engine: func(e kv.Engine) kv.Engine { return flakyEngine{e, &views, &updates, &reads} }})
	s.lay(manyRecordings(4)...)
	for _, pairs := range [][]string{nil, {"limit", "3"}, {"meetingID", "room,other"}, {"recordID", "0"}, {"meta_k", "v,w"}, {"meta_k", "v", "limit", "9"}, {"recordID", "0", "limit", "2", "offset", "1"}} {
		whole := s.get("getRecordings", pairs...).body
		failed := 0
		for step := int64(1); ; step++ {
			reads.Store(step)
			a := s.get("getRecordings", pairs...)
			if reads.Swap(0) > 0 { // it was not reached
				break
			}
			if failed++; a.body != failedXML("internalError", "An internal error occurred.") {
				t.Errorf("%q, error at step %d: %s\nwithout: %s", pairs, step, a.body, whole)
			}
		}
		if failed < 4 {
			t.Errorf("%q: only %d steps", pairs, failed)
		}
	}
}

// TestRecordingsSwitchedOff: every call answers before the checksum.
func TestRecordingsSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	notFound := failedXML("notFound", recordingsNotFoundMessage)
	const noTracks = `{"response":{"returncode":"FAILED","messageKey":"noRecordings","message":"No recording found"}}`
	for call, want := range map[string]struct{ method, kind, body string }{
		"getRecordings": {"GET", xmlType, noRecordings}, "publishRecordings": {"GET", xmlType, notFound}, "deleteRecordings": {"GET", xmlType, notFound},
		"updateRecordings": {"POST", xmlType, notFound}, "getRecordingTextTracks": {"GET", "application/json", noTracks},
		"putRecordingTextTrack": {"POST", "application/json", noTracks},
	} {
		for _, query := range []string{"", "?checksum=0", "?recordID=x", "?" + bbb.Sign(bbb.SHA1, call, "recordID=x&publish=true", testSecret)} {
			a := s.fetch(want.method, s.base+"/"+call+query, nil, nil)
			if a.status != http.StatusOK || a.body != want.body || a.header.Get("Content-Type") != want.kind || a.header.Get("Cache-Control") != "no-cache" {
				t.Errorf("%s%s: %d %v %s", call, query, a.status, a.header, a.body)
			}
		}
	}
	on := withRecordings(t, settings{recordings: func(*recordings.Config) {}})
	for call, method := range map[string]string{
		"getRecordings": "GET", "publishRecordings": "GET", "deleteRecordings": "GET", "updateRecordings": "GET", "getRecordingTextTracks": "GET", "putRecordingTextTrack": "POST",
	} {
		on.fetch(method, on.base+"/"+call+"?recordID=x&publish=true", nil, nil).wantFailed(t, "checksumError", checksumMessage)
	}
}
