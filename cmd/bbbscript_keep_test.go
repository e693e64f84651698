package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// T28: only what the load balancer has whole is deleted, whatever was sent.
func TestPruneOnABBBServer(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	recording := func(name string) made {
		return made{id: id(name), meeting: "room", version: 1, formats: []string{"presentation", "video"}}
	}
	good, hurt, deleted, unsent, queued := recording("good"), recording("hurt"), recording("deleted"), recording("unsent"), recording("queued")
	for _, r := range []made{good, hurt, deleted, queued} {
		m.publish(r)
	}
	m.must("scalelite-send", "existing")
	m.publish(unsent)
	p.mustRun("recordings", "delete", deleted.id, "--yes")
	if err := os.Remove(p.path("published", "video", hurt.id, "video.webm")); err != nil {
		t.Fatal(err)
	}
	m.hook(queued.id)

	if out := m.must("scalelite-send", "prune", "--dry-run"); !strings.Contains(out, "0 would be deleted") {
		t.Errorf("what is younger than a day: %s", out)
	}
	if out := m.must("scalelite-send", "prune", "--dry-run", "--keep-days", "0"); !strings.Contains(out, good.id+"  would be deleted") {
		t.Errorf("dry run: %s", out)
	}
	out := m.must("scalelite-send", "prune", "--keep-days", "0")
	for _, want := range []string{
		good.id + "  deleted", hurt.id + "  kept: the load balancer lacks files: video has", deleted.id + "  kept: it was deleted on the load balancer",
		unsent.id + "  kept: the load balancer does not have it", queued.id + "  kept: waits to be sent", "1 deleted,", "4 kept.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("prune does not say %q:\n%s", want, out)
		}
	}
	for _, r := range []made{good, hurt, deleted, unsent, queued} {
		_, err := os.Stat(filepath.Join(m.root, "var/bigbluebutton/published/video", r.id))
		if gone := os.IsNotExist(err); gone != (r.id == good.id) {
			t.Errorf("%s: gone %v", r.id, gone)
		}
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := m.run("scalelite-send", "prune", "--keep-days", "0"); exitCode(err) != exitFailure || !strings.Contains(out, "Nothing more is deleted") {
		t.Errorf("without the load balancer: %v %s", err, out)
	}
}

// T28: a version that is as large as the one on the load balancer, and another,
// is no copy of it: it is kept, sent, and deleted once it is there.
func TestPruneKeepsAnotherVersion(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	r := made{id: id("changed"), meeting: "room", version: 1, formats: []string{"presentation", "video"}}
	m.publish(r)
	m.must("scalelite-send", "existing")
	r.version = 2
	m.publish(r) // BBB runs no hook when somebody changes a recording
	const reason = "  kept: the load balancer has another version of presentation, video; this one "
	if out := m.must("scalelite-send", "prune", "--keep-days", "0", "--dry-run"); !strings.Contains(out, r.id+reason+"would be sent again") || len(m.waiting()) != 0 {
		t.Errorf("dry run: waiting %q, %s", m.waiting(), out)
	}
	if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, r.id+reason+"is sent again") || !slices.Equal(m.waiting(), []string{r.id}) {
		t.Errorf("another version: waiting %q, %s", m.waiting(), out)
	}
	m.sent()
	if all, text := p.recordings(); all[r.id].Metadata.Version != 2 {
		t.Errorf("sent again: %s\n%s", text, m.log())
	}
	r.version = 3
	m.publish(r)
	if out := m.must("scalelite-send", "existing"); !strings.Contains(out, "1 sent, 0 were there already") {
		t.Errorf("existing: %s", out)
	}
	if all, text := p.recordings(); all[r.id].Metadata.Version != 3 {
		t.Errorf("after existing: %s\n%s", text, m.log())
	}
	if out := m.must("scalelite-send", "existing"); !strings.Contains(out, "0 sent, 1 were there already") {
		t.Errorf("existing, once more: %s", out)
	}
	if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, r.id+"  deleted") {
		t.Errorf("the same version: %s", out)
	}
}

// T28: captions that were uploaded to the load balancer take the place of BBB's,
// and may be shorter: what was sent is there all the same.
func TestShorterCaptionsOnTheLoadBalancer(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	r := made{id: id("captions"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 3000}
	dir := filepath.Join(m.root, "var/bigbluebutton/published/presentation", r.id)
	writeFile(t, filepath.Join(dir, "captions.json"), "[\n    {\n        \"localeName\": \"English\",\n        \"locale\": \"en\"\n    }\n]\n")
	writeFile(t, filepath.Join(dir, "caption_en.vtt"), "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n"+strings.Repeat("words ", 1000)+"\n")
	m.publish(r)
	m.hook(r.id)
	m.sent()
	if err := (&killClient{killTest: &killTest{process: p}}).putTrack(r.id, "en", 1); err != nil {
		t.Fatal(err)
	}
	r.version = 2
	m.publish(r)
	m.hook(r.id)
	m.sendNow()
	if got := m.waiting(); len(got) != 0 || strings.Count(m.log(), r.id+": was sent and imported") != 2 {
		t.Errorf("sent again: waiting %q\n%s", got, m.log())
	}
	slide := p.path("published", "presentation", r.id, "slides", "slide-1.png")
	for _, spoil := range []func() error{func() error { return os.Truncate(slide, 1) }, func() error { return os.Remove(slide) }} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, r.id+"  kept: the load balancer lacks files: presentation has") {
			t.Errorf("prune with less of a slide: %s", out)
		}
	}
	content, err := os.ReadFile(filepath.Join(dir, "slides", "slide-1.png"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, slide, string(content))
	if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, r.id+"  deleted") {
		t.Errorf("prune: %s", out)
	}
}

// A secret that differs is told in words, once, and nothing is lost by it.
func TestUploadWithAnotherSecret(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	p.mustRun("servers", "add", m.server.URL(), "another-secret", "--id", "bbb1", "--no-check")
	out, err := m.setup(nil)
	if exitCode(err) != exitFailure || !strings.Contains(out, "with another secret than 'bbb-conf --secret' prints here") || !strings.Contains(out, "everything is in place") {
		t.Errorf("setup: %v\n%s", err, out)
	}
	r := made{id: id("refused"), meeting: "room", version: 1, formats: []string{"presentation"}}
	m.publish(r)
	m.hook(r.id)
	for range 3 {
		m.must("scalelite-send", "run")
	}
	if n := strings.Count(m.log(), "refuses our token"); n != 1 {
		t.Errorf("told %d times:\n%s", n, m.log())
	}
	var status struct {
		Trouble string
		Waiting []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(m.must("scalelite-send", "status", "--json")), &status); err != nil || !strings.Contains(status.Trouble, "refuses our token") || len(status.Waiting) != 1 || status.Waiting[0].ID != r.id {
		t.Errorf("status: %v %+v", err, status)
	}
	p.mustRun("servers", "update", "bbb1", "--secret", m.server.Secret())
	m.must("scalelite-send", "test")
	m.sent()
	if all, text := p.recordings(); len(all) != 1 {
		t.Errorf("%s\n%s", text, m.log())
	}
}

// The hook of the Ruby system stays until it is asked away, and comes back.
func TestSetupBesideTheRubySystem(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	const text = "# the hook of the Ruby system\n"
	writeFile(t, m.root+rubyHook, text)
	m.before = m.state()
	line := strings.TrimSpace(p.mustRun("bbb-script", "--url", p.base, "--link")) // run as it is printed, but for sudo
	if out := m.must("bash", "-o", "pipefail", "-c", strings.Replace(line, "sudo bash", "bash", 1)); !strings.Contains(out, "left as it is: "+rubyHook) {
		t.Errorf("setup:\n%s", out)
	}
	if _, err := os.Stat(m.root + rubyHook); err != nil {
		t.Error(err)
	}
	if out := m.mustSetup(nil, "--replace"); !strings.Contains(out, "put aside: "+rubyHook) {
		t.Errorf("--replace:\n%s", out)
	}
	if hooks, _ := filepath.Glob(filepath.Dir(m.root+rubyHook) + "/*.rb"); len(hooks) != 2 {
		t.Errorf("hooks: %q", hooks)
	}
	m.mustSetup(nil, "--uninstall")
	m.asBefore()
}
