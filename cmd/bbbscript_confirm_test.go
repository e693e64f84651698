package cmd

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeBalancer answers a sender as it is told to, and counts the uploads.
type fakeBalancer struct {
	mu       sync.Mutex
	uploads  int
	state    string // of the import
	error    string
	done     int64  // bytes that are unpacked
	files    int    // of the only format
	older    bool   // what is there is from before all uploads
	stamp    string // of the metadata.xml of the only format
	deleted  bool
	unknown  bool // the import
	newest   any  // import of the recording, while there is nothing else of it
	onUpload func(n int)
}

func (f *fakeBalancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := func(status int, fields any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(fields)
	}
	type fields = map[string]any
	switch {
	case strings.HasSuffix(r.URL.Path, "/upload"):
		_, _ = io.Copy(io.Discard, r.Body)
		f.uploads++
		if f.onUpload != nil {
			f.onUpload(f.uploads)
		}
		answer(202, fields{"import": "import-1"})
	case strings.Contains(r.URL.Path, "/imports/") && f.unknown:
		answer(404, fields{"error": "There is no such import."})
	case strings.Contains(r.URL.Path, "/imports/"):
		answer(200, fields{"state": f.state, "error": f.error, "done": f.done, "size": 9_000_000})
	case f.newest != nil && !strings.HasSuffix(r.URL.Path, "/scalelite-connection-test"):
		answer(200, fields{"here": false, "formats": []fields{}, "import": f.newest})
	case f.uploads == 0 && !f.older || strings.HasSuffix(r.URL.Path, "/scalelite-connection-test"):
		answer(404, fields{"error": "There is no such recording."})
	default:
		imported := firstStart
		if !f.older {
			imported = firstStart.Add(time.Duration(f.uploads))
		}
		format := fields{"type": "podcast", "files": f.files, "bytes": 1 << 30}
		if f.stamp != "" {
			format["metadata"] = f.stamp
		}
		state := "published"
		if f.deleted {
			state = "deleted"
		}
		answer(200, fields{"here": !f.deleted, "state": state, "imported": imported, "formats": []fields{format}})
	}
}

func (f *fakeBalancer) sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.uploads
}

// newSender is a machine that sends to a made-up load balancer, with one
// recording of two files.
func newSender(t *testing.T, f *fakeBalancer) (*machine, made) {
	t.Helper()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	if out, err := m.setup([]string{"--url", server.URL}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := made{id: id("checked"), meeting: "room", version: 1, formats: []string{"podcast"}}
	m.publish(r)
	m.hook(r.id)
	return m, r
}

// A recording is done when its files were counted on the other side, whatever
// the import is said to have come to.
func TestSenderBelievesTheCountAlone(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "imported", files: 1}
	m, r := newSender(t, f)
	m.sendNow()
	if out := m.must("scalelite-send", "status"); f.sent() != 1 || !strings.Contains(out, "not all of it is there: podcast has 1 of 2 files") {
		t.Errorf("%d uploads, %s", f.sent(), out)
	}
	f.mu.Lock()
	f.state, f.error = "failed", "the disk is broken"
	f.mu.Unlock()
	m.sendNow()
	if out := m.must("scalelite-send", "status"); f.sent() != 2 || !strings.Contains(out, "its import failed: the disk is broken") {
		t.Errorf("%d uploads, %s", f.sent(), out)
	}
	m.sendNow()
	if got := m.waiting(); f.sent() != 2 || !slices.Equal(got, []string{r.id}) {
		t.Errorf("a failed import: %d uploads, waiting %q", f.sent(), got)
	}
	f.mu.Lock()
	f.files = 2
	f.mu.Unlock()
	m.sendNow()
	if got := m.waiting(); f.sent() != 2 || len(got) != 0 {
		t.Errorf("when it is there: %d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
}

// What was taken out of the spool there is sent again.
func TestSenderSendsAgainWhatWasTakenAway(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "waiting", files: 1}
	m, _ := newSender(t, f)
	m.must("sed", "-i", "s/STAY = 60/STAY = 0/", "/usr/local/lib/scalelite-send/sender.rb")
	for _, step := range []struct {
		unknown bool
		uploads int
		want    string
	}{
		{false, 1, "waits to be imported"},
		{true, 1, "its import is not known any more, and not all of it is there: podcast has 1 of 2 files"},
		{false, 2, "waits to be imported"},
	} {
		f.mu.Lock()
		f.unknown = step.unknown
		f.mu.Unlock()
		m.sendNow()
		if out := m.must("scalelite-send", "status"); f.sent() != step.uploads || !strings.Contains(out, step.want) {
			t.Errorf("unknown %t: %d uploads, want %d and %q in\n%s", step.unknown, f.sent(), step.uploads, step.want, out)
		}
	}
}

// What is deleted there while it is on its way is not waited for.
func TestSenderIsDoneWithWhatWasDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "failed", error: "the recording was deleted", files: 1}
	m, r := newSender(t, f)
	m.sendNow()
	if got := m.waiting(); !slices.Equal(got, []string{r.id}) {
		t.Fatalf("waiting: %q\n%s", got, m.log())
	}
	f.mu.Lock()
	f.deleted = true
	f.mu.Unlock()
	m.sendNow()
	if got := m.waiting(); f.sent() != 1 || len(got) != 0 || !strings.Contains(m.log(), r.id+": was deleted on the load balancer") {
		t.Errorf("%d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
}

// What is there from before is not what was sent, be it as large.
func TestSenderDoesNotTakeAnOlderVersionForWhatItSent(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "failed", error: "the disk is broken", files: 2, older: true}
	m, r := newSender(t, f)
	m.sendNow()
	if out := m.must("scalelite-send", "status"); f.sent() != 1 || !strings.Contains(out, "its import failed: the disk is broken") {
		t.Errorf("a failed import: %d uploads, %s", f.sent(), out)
	}
	if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, r.id+"  kept: waits to be sent") {
		t.Errorf("prune: %s", out)
	}
	f.mu.Lock()
	f.state, f.error = "", ""
	f.mu.Unlock()
	m.sendNow()
	if out := m.must("scalelite-send", "status"); f.sent() != 1 || !strings.Contains(out, "what is there is another version") {
		t.Errorf("an import that nobody knows of: %d uploads, %s", f.sent(), out)
	}
	f.mu.Lock()
	f.state = "imported"
	f.onUpload = func(int) { f.older = false }
	f.mu.Unlock()
	m.sendNow()
	if got := m.waiting(); f.sent() != 2 || len(got) != 0 {
		t.Errorf("sent anew: %d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
}

// The other formats of a recording may have come, and this one is still the
// former.
func TestSenderTellsTheVersionsOfAFormat(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "failed", error: "podcast: metadata.xml: cut off", files: 2, stamp: strings.Repeat("0", 64)}
	m, r := newSender(t, f)
	m.sendNow()
	if out := m.must("scalelite-send", "status"); f.sent() != 1 || !strings.Contains(out, "its import failed: podcast") {
		t.Errorf("a format that failed: %d uploads, %s", f.sent(), out)
	}
	f.mu.Lock()
	f.state, f.error = "imported", ""
	f.mu.Unlock()
	m.sendNow()
	if out := m.must("scalelite-send", "status"); f.sent() != 1 || !strings.Contains(out, "what is there is another version") {
		t.Errorf("another version: %d uploads, %s", f.sent(), out)
	}
	metadata, err := os.ReadFile(filepath.Join(m.root, "var/bigbluebutton/published/podcast", r.id, "metadata.xml"))
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.stamp = fmt.Sprintf("%x", sha256.Sum256(metadata))
	f.mu.Unlock()
	m.sendNow()
	if got := m.waiting(); f.sent() != 2 || len(got) != 0 {
		t.Errorf("this version: %d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
}

// What BBB makes anew while it is being sent is sent once more.
func TestSenderSendsWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "imported", files: 2}
	m, r := newSender(t, f)
	f.mu.Lock()
	f.onUpload = func(n int) {
		if n == 1 {
			m.hook(r.id)
		}
	}
	f.mu.Unlock()
	m.sendNow()
	if got := m.waiting(); f.sent() != 2 || len(got) != 0 {
		t.Errorf("%d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
}

// What waits there can be sent anew by hand.
func TestSenderTriesAnewWhenAsked(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "waiting", files: 1, error: "no space"}
	m, r := newSender(t, f)
	m.sendNow()
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, "waits at the load balancer: no space;") {
		t.Errorf("%s", out)
	}
	f.mu.Lock()
	f.done = 1_200_000
	f.mu.Unlock()
	m.sendNow()
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, "no space, 1.2 of 9.0 MB are unpacked;") {
		t.Errorf("%s", out)
	}
	if out := m.must("scalelite-send", "retry", r.id); !strings.Contains(out, "1 recording will be sent anew") {
		t.Errorf("%s", out)
	}
	f.mu.Lock()
	f.state, f.error, f.files = "imported", "", 2
	f.mu.Unlock()
	m.sendNow()
	if got := m.waiting(); f.sent() != 2 || len(got) != 0 {
		t.Errorf("%d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
	if out, err := m.run("scalelite-send", "retry", "unknown"); exitCode(err) != exitFailure || !strings.Contains(out, "no recording unknown here") {
		t.Errorf("%v %s", err, out)
	}
}
