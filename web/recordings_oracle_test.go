package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/store/kv"
)

// parts splits a list as the contract says.
func parts(list string) (all []string) {
	for _, part := range strings.Split(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// goodKey tells whether metadata can have a key.
func goodKey(key string) bool {
	const first = "abcdefghijklmnopqrstuvwxyz_"
	return key != "" && strings.Contains(first, key[:1]) && strings.Trim(key, first+"0123456789.-") == ""
}

// wantListed says what getRecordings must list, by looking at every recording.
func wantListed(all []store.Recording, p bbb.Params) (ids []string) {
	kept := []store.Recording{}
	for _, r := range all {
		if wanted(r, p) {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b store.Recording) int {
		if a.Start != b.Start {
			return int(b.Start - a.Start)
		}
		return strings.Compare(a.ID, b.ID)
	})
	if limit, err := strconv.Atoi(strings.TrimSpace(p.ID("limit"))); err == nil {
		offset, err := strconv.Atoi(p.ID("offset"))
		if err != nil {
			offset = 0
		}
		kept = kept[min(max(offset, 0), len(kept)):]
		kept = kept[:min(max(limit, 1), 100, len(kept))]
	}
	for _, r := range kept {
		ids = append(ids, r.ID)
	}
	return ids
}

func wanted(r store.Recording, p bbb.Params) bool {
	states := "published,unpublished"
	if given, ok := p.Lookup("state"); ok {
		states = given
	}
	byState := false
	for _, state := range parts(states) {
		switch state {
		case "any", string(r.State):
			byState = true
		case "published", "unpublished", "deleted", "processing", "processed":
		default:
			return false
		}
	}
	if _, ok := p.Lookup("recordID"); ok {
		if !slices.ContainsFunc(parts(p.ID("recordID")), func(prefix string) bool { return strings.HasPrefix(r.ID, prefix) }) {
			return false
		}
	} else if _, ok := p.Lookup("meetingID"); ok && !slices.Contains(parts(p.ID("meetingID")), r.MeetingID) {
		return false
	}
	last := map[string][]string{} // of keys that differ only in case, the last counts
	for name, value := range p.All() {
		if key, ok := strings.CutPrefix(name, "meta_"); ok {
			if last[strings.ToLower(key)] = parts(value); !goodKey(strings.ToLower(key)) || len(parts(value)) == 0 {
				return false
			}
		}
	}
	for key, values := range last {
		if value, ok := r.Metadata()[key]; !ok || !slices.Contains(values, value) {
			return false
		}
	}
	return byState
}

// crowd makes recordings that are easily taken for each other.
func crowd(rnd *rand.Rand, n int) (all []store.Recording) {
	any := func(from ...string) string { return from[rnd.IntN(len(from))] }
	for i := range n {
		r := store.Recording{
			ID:        fmt.Sprintf("%x%x-%d", rnd.IntN(20), rnd.IntN(3), i),
			MeetingID: any("m", "m1", "m,", "ä b", "M"), Name: any("x", "<"),
			State: store.RecordingStates()[rnd.IntN(3)], Start: int64(rnd.IntN(n / 2)),
			Imported: map[string]string{"a": any("1", "2", "1,2", ""), "b.c": any("x", "y y")},
		}
		if rnd.IntN(2) == 0 {
			two := "2"
			r.Decided = map[string]*string{"a": &two, "b.c": nil, "_d-e": &two}
		}
		all = append(all, r)
	}
	return all
}

// TestFiltersAgreeWithAnOracle (S10).
func TestFiltersAgreeWithAnOracle(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	all := crowd(rnd, 90)
	s := withRecordings(t, settings{})
	s.lay(all...)
	values := map[string][]string{
		"recordID":  {"", "1", "10", "1,10", "10-", " 2 ,", ",", all[0].ID, all[0].ID + "," + all[1].ID + ",", "zz", all[2].ID + "0", "1\x01"},
		"meetingID": {"", "m", "m1,M", "ä b", "m,m,", " , ", "m\x00", "none", "*", "%"},
		"state":     {"", "any", "published", "unpublished,deleted", "published,", "bogus", "any,bogus", "processing", "processed,deleted", "ANY", "Published"},
		"meta_a":    {"", "1", "2", "1,2", "2,", " 2", "none", ","},
		"meta_A":    {"1", "2", ""},
		"meta_b.c":  {"x", "y y", "x,y y"},
		"meta__d-e": {"2", "1,2"},
		"meta_a b":  {"1"}, "meta_": {"1"}, "meta_é": {"1"},
		"limit": {"3", "100", "0", "-1", "1000", "x", ""}, "offset": {"2", "-2", "x", "500"},
	}
	names := []string{"recordID", "meetingID", "state", "meta_a", "meta_A", "meta_b.c", "meta__d-e", "limit", "offset", "recordID", "meetingID", "state", "meta_a b", "meta_", "meta_é"}
	some := 0
	for range 1500 {
		var p bbb.Params
		for range rnd.IntN(5) {
			name := names[rnd.IntN(len(names)-rnd.IntN(4))]
			p.Set(name, values[name][rnd.IntN(len(values[name]))])
		}
		want := wantListed(all, p)
		if len(want) > 0 && p.Len() > 0 {
			some++
		}
		a := s.fetch(http.MethodGet, s.base+"/getRecordings?"+bbb.Sign(bbb.SHA256, "getRecordings", p.Encode(), testSecret), nil, nil)
		if diff := cmp.Diff(want, a.listing(t).ids()); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", p.Encode(), diff)
		}
	}
	if some < 300 {
		t.Errorf("only %d filters chose anything", some)
	}
}

// FuzzRecordingFilters (S10): whatever is asked for, what is answered is what
// looking at every recording would choose.
func FuzzRecordingFilters(f *testing.F) {
	all := crowd(rand.New(rand.NewPCG(3, 4)), 40)
	s := withRecordings(f, settings{})
	s.lay(all...)
	for _, seed := range []string{
		"", "recordID=1", "recordID=1,10&state=any", "meetingID=m,m1,&meta_a=1,2", "meta_b.c=x&meta_A=2&limit=3&offset=1", "state=deleted&recordID=", "meta_%00=1",
		"meetingID=%C3%A4+b&state=any,", "recordID=%01", "meta_a=%FF", "limit=1e3", "state=any&state=published", "recordID=1&meetingID=", "meta__d-e=2&limit=-5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if len(query) > 2000 {
			t.Skip()
		}
		p := bbb.ParseQuery(query)
		p.Del("checksum")
		s.t = t
		a := s.fetch(http.MethodGet, s.base+"/getRecordings?"+bbb.Sign(bbb.SHA256, "getRecordings", p.Encode(), testSecret), nil, nil)
		if diff := cmp.Diff(wantListed(all, p), a.listing(t).ids()); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", p.Encode(), diff)
		}
	})
}

// flakyEngine is a database that fails at a certain transaction from now.
type flakyEngine struct {
	kv.Engine
	views, updates *atomic.Int64 // left until one fails; below 1: none does
}

func (e flakyEngine) View(ctx context.Context, fn func(kv.Tx) error) error {
	if e.views.Add(-1) == 0 {
		return errors.New("the disk cannot be read")
	}
	return e.Engine.View(ctx, fn)
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

// TestErrorIsNeverAShortList (FIELD F): an error before the first batch is
// answered, one behind it cuts the connection.
func TestErrorIsNeverAShortList(t *testing.T) {
	t.Parallel()
	var views, updates atomic.Int64
	log := &logBuffer{}
	s := withRecordings(t, settings{log: log, engine: func(e kv.Engine) kv.Engine { return flakyEngine{e, &views, &updates} }})
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
