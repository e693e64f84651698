package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"scalelite/balancer/bbbtest"
)

const (
	recordingKillRounds  = 20
	recordingKillClients = 4
)

// oneOf are the values that one thing may have: several if the answer to its
// last change did not arrive.
type oneOf[T comparable] []T

func (o oneOf[T]) has(v T) bool { return slices.Contains(o, v) }

// kept is a recording with all that its client was told of it. Only one client
// changes it.
type kept struct {
	made
	state    oneOf[string] // of getRecordings; "": it is not there
	former   string        // the state it had when it was deleted
	versions oneOf[int]
	in       oneOf[int] // how many of its formats; the tarball with the others is in failed_dir
	note     oneOf[string]
	tracks   map[string]oneOf[int] // what was uploaded last, by language
	touched  bool                  // since it was last compared
	sent     []int                 // versions since then
	compared int                   // the version that was found then
	last     int                   // counts versions, notes and tracks
}

// bothFormats are those of a recording that is in as a whole.
var bothFormats = []string{"presentation", "video"}

func newKept(id string) *kept {
	return &kept{
		made:   made{id: id, meeting: "room-" + id, formats: bothFormats, size: 40_000},
		state:  oneOf[string]{""},
		in:     oneOf[int]{2},
		note:   oneOf[string]{""},
		tracks: map[string]oneOf[int]{},
	}
}

func (k *kept) next() made {
	k.last++
	k.version, k.touched = k.last, true
	k.sent = append(k.sent, k.version)
	return k.made
}

// brought notes that a version is on its way in for certain.
func (k *kept) brought(version int) {
	k.versions = oneOf[int]{version}
	if k.state.has("") {
		k.state = oneOf[string]{"published"}
	}
}

// acknowledge does a change of a thing that becomes v: whatever happens it has
// one of its former values or v, and after the answer v.
func acknowledge[T comparable](k *kept, thing *oneOf[T], v T, do func() error) error {
	k.touched = true
	if !thing.has(v) {
		*thing = append(slices.Clone(*thing), v)
	}
	if err := do(); err != nil {
		return err
	}
	*thing = oneOf[T]{v}
	return nil
}

// killWork is what the clients of a test do.
type killWork struct {
	ops []string
	// withdraw: some tarballs that were on their way are taken out of the spool
	// while the process is dead, so that what it had begun must be undone.
	withdraw bool
	// window is how long the clients work before the process is killed, at most.
	window time.Duration
}

// killTest is a process that is killed again and again.
type killTest struct {
	*process
	work   killWork
	server *bbbtest.Server
	kept   []*kept

	mu   sync.Mutex
	acks map[string]int // answers by operation
}

// TestKilledProcessKeepsRecordings (T3): SIGKILL at random moments while
// tarballs come in and recordings are published, hidden, deleted, brought back
// and get text tracks. Whatever was answered is there after the restart, no
// recording is without its files, none is lost, and nothing is left over.
func TestKilledProcessKeepsRecordings(t *testing.T) {
	works := map[string]killWork{
		"import":  {ops: []string{"place", "place", "place new"}, withdraw: true},
		"publish": {ops: []string{"publish", "unpublish"}},
		"delete":  {ops: []string{"delete", "undelete"}, window: 300 * time.Millisecond},
		"track":   {ops: []string{"track"}},
		"broken":  {ops: []string{"place broken", "retry"}, window: 300 * time.Millisecond},
		"upload":  {ops: []string{"upload", "upload", "upload new"}, withdraw: true},
		"mixed": {
			ops:    []string{"place", "place new", "upload", "upload new", "publish", "unpublish", "update", "track", "delete", "undelete", "place broken"},
			window: 300 * time.Millisecond,
		},
	}
	for name, work := range works {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killAgainAndAgain(t, work)
		})
	}
}

func killAgainAndAgain(t *testing.T, work killWork) {
	rounds := recordingKillRounds
	if testing.Short() {
		rounds = 3
	}
	if work.window == 0 {
		work.window = 150 * time.Millisecond
	}
	k := &killTest{process: newProcess(t, ""), work: work, acks: map[string]int{}}
	k.server = k.withServers(1)[0]
	owned := make([][]*kept, recordingKillClients)
	for client := range owned {
		r := k.add(fmt.Sprintf("first%d-%d", client, firstStart.UnixMilli()))
		k.place(r.next())
		r.brought(r.version)
		owned[client] = []*kept{r}
	}
	k.start()
	k.settled()
	k.compare(0)
	for round := range rounds {
		k.round(round, owned)
		if t.Failed() {
			return
		}
	}
	k.compareAll(rounds)
	for _, op := range work.ops {
		if k.acks[op] == 0 && !testing.Short() {
			t.Errorf("no %s was ever acknowledged", op)
		}
	}
	t.Logf("%d rounds: %d recordings, acknowledged: %v", rounds, len(k.kept), k.acks)
}

func (k *killTest) add(id string) *kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := newKept(id)
	k.kept = append(k.kept, r)
	return r
}

// round has the clients work, kills the process, looks at what it left, starts
// it again and compares.
func (k *killTest) round(round int, owned [][]*kept) {
	ctx, dead := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for client := range owned {
		clients.Go(func() {
			c := &killClient{killTest: k, ctx: ctx, name: fmt.Sprintf("r%d-%d", round, client), owned: owned[client]}
			for c.step() == nil {
			}
			owned[client] = c.owned
		})
	}
	time.Sleep(10*time.Millisecond + rand.N(k.work.window)) // the moment of the failure, not a wait for anything
	k.kill()
	dead()
	clients.Wait()
	k.inspectDead(round)
	if round%3 == 2 { // a start is killed as well
		k.launch()
		time.Sleep(rand.N(80 * time.Millisecond))
		k.kill()
		k.inspectDead(round)
	}
	if k.work.withdraw {
		k.withdraw()
	}
	k.start()
	k.settled()
	k.inOrder()
	k.compare(round)
}

// withdraw takes some tarballs out of the spool. What has been of them is in
// whole or not at all.
func (k *killTest) withdraw() {
	k.t.Helper()
	for _, r := range k.kept {
		if !r.touched || rand.N(2) == 0 || !slices.Contains(k.names("spool"), r.id+".tar") {
			continue
		}
		if err := os.Remove(k.path("spool", r.id+".tar")); err != nil {
			k.t.Fatal(err)
		}
		r.versions = append(slices.Clone(r.sent), r.compared)
		if r.compared == 0 {
			r.state = append(r.state, "")
		}
	}
}

// killClient changes its own recordings until the process is gone.
type killClient struct {
	*killTest
	ctx   context.Context
	name  string
	owned []*kept
	n     int
}

var errGone = errors.New("the process is gone")

// step does one operation that the recording allows.
func (c *killClient) step() error {
	op := c.work.ops[rand.N(len(c.work.ops))]
	r := c.owned[rand.N(len(c.owned))]
	if op == "place new" || op == "upload new" || op == "place broken" {
		c.n++
		r = c.add(fmt.Sprintf("%s-%d", c.name, c.n))
		c.owned = append(c.owned, r)
	}
	if !r.allows(op) {
		return c.ctx.Err()
	}
	if err := c.do(op, r); err != nil {
		return err
	}
	c.mu.Lock()
	c.acks[op]++
	c.mu.Unlock()
	return c.ctx.Err()
}

// allows: what is deleted can only be brought back, what is not there only come,
// and what has failed only be tried again.
func (k *kept) allows(op string) bool {
	if failed := k.in.has(1); failed || op == "retry" {
		return failed && op == "retry"
	}
	comes := strings.HasPrefix(op, "place") || strings.HasPrefix(op, "upload")
	return k.state.has("deleted") == (op == "undelete") && (comes || !k.state.has(""))
}

func (c *killClient) do(op string, r *kept) error {
	switch op {
	case "place", "place new":
		known := !r.state.has("")
		c.place(r.next())
		r.brought(r.version)
		if known && rand.N(2) == 0 {
			return nil // what follows finds it on its way
		}
		return c.gone(r)
	case "upload", "upload new":
		return c.upload(r)
	case "place broken":
		m := r.next()
		c.placeBytes(r.id+".tar", m.brokenTar(), m.version)
		r.brought(m.version)
		r.in = oneOf[int]{1}
		return c.gone(r)
	case "retry":
		return c.retry(r)
	case "publish":
		return acknowledge(r, &r.state, "published", func() error { return c.signed("publishRecordings", "recordID", r.id, "publish", "true") })
	case "unpublish":
		return acknowledge(r, &r.state, "unpublished", func() error { return c.signed("publishRecordings", "recordID", r.id, "publish", "false") })
	case "update":
		r.last++
		note := fmt.Sprint("note ", r.last)
		return acknowledge(r, &r.note, note, func() error { return c.signed("updateRecordings", "recordID", r.id, "meta_note", note) })
	case "track":
		r.last++
		lang := []string{"en", "de", "fr"}[rand.N(3)]
		track := append(oneOf[int]{}, r.tracks[lang]...)
		if len(track) == 0 {
			track = oneOf[int]{0}
		}
		err := acknowledge(r, &track, r.last, func() error { return c.putTrack(r.id, lang, r.last) })
		r.tracks[lang] = track
		return err
	}
	// The rest would meet a tarball that is on its way.
	if err := c.gone(r); err != nil {
		return err
	}
	if op == "delete" {
		r.former = r.state[0]
		return acknowledge(r, &r.state, "deleted", func() error { return c.signed("deleteRecordings", "recordID", r.id) })
	}
	return acknowledge(r, &r.state, r.former, func() error {
		if _, _, err := c.run("recordings", "undelete", r.id); err != nil {
			return errGone
		}
		return nil
	})
}

// gone waits until the tarball of a recording has left the spool.
func (c *killClient) gone(r *kept) error {
	for slices.Contains(c.spooled(), r.id+".tar") {
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// upload is in doubt until it is answered, like every change; then it comes in
// for certain.
func (c *killClient) upload(r *kept) error {
	m := r.next()
	known := !r.state.has("")
	r.versions = append(slices.Clone(r.versions), m.version)
	if !known && !r.state.has("published") {
		r.state = append(slices.Clone(r.state), "published")
	}
	status, err := c.process.upload(c.server, m)
	if err != nil {
		return err
	}
	if status != http.StatusAccepted {
		c.t.Errorf("upload of %s: status %d", r.id, status)
		return errGone
	}
	r.brought(m.version)
	if known && rand.N(2) == 0 {
		return nil
	}
	return c.gone(r)
}

// retry mends a tarball that has failed, and has it tried again.
func (c *killClient) retry(r *kept) error {
	if err := c.gone(r); err != nil {
		return err
	}
	mended, failed := c.path("failed", ".mended-"+r.id), c.path("failed", r.id+".tar")
	r.formats = bothFormats
	if err := errors.Join(os.WriteFile(mended, r.tar(), 0o644), os.Rename(mended, failed)); err != nil {
		c.t.Error(err)
		return errGone
	}
	return acknowledge(r, &r.in, 2, func() error {
		if _, err := c.admin().RetrySpool(c.ctx, []string{r.id + ".tar"}); err != nil {
			return errGone
		}
		return c.gone(r)
	})
}

// signed makes a call that is refused for no reason.
func (c *killClient) signed(call string, pairs ...string) error {
	reply, err := c.get(call, pairs...)
	if err == nil && !reply.OK {
		c.t.Errorf("%s %v: %s", call, pairs, reply.Body)
		return errGone
	}
	return err
}

func (c *killClient) putTrack(id, lang string, n int) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "track.srt")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(part, "1\n00:00:01,000 --> 00:00:02,000\ntrack %d\n", n)
	if err = errors.Join(err, form.Close()); err != nil {
		return err
	}
	response, err := c.client.Post(c.link("putRecordingTextTrack", "recordID", id, "kind", "subtitles", "lang", lang, "label", lang), form.FormDataContentType(), &body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && !bytes.Contains(answer, []byte(`"SUCCESS"`)) {
		c.t.Errorf("putRecordingTextTrack: %s", answer)
		return errGone
	}
	return err
}
