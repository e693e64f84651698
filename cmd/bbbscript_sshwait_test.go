package cmd

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// setupSSH sets a machine up to send by SSH to a server of its own, and lets its
// key in. flags are for bbb-script.
func (m *machine) setupSSH(t *testing.T, flags ...string) {
	t.Helper()
	server := newSSHServer(t, m)
	_, port, _ := net.SplitHostPort(server.address)
	flags = append(flags, "--transfer", "ssh", "--ssh-host", "127.0.0.1", "--ssh-port", port)
	out, _ := m.setup(flags)
	key := authorizeLine.FindStringSubmatch(out)
	if key == nil {
		t.Fatalf("setup:\n%s", out)
	}
	writeFile(t, server.keys, "restrict "+key[1]+"\n")
	m.mustSetup(flags)
}

// job is what the queue of a machine has of a recording.
func (m *machine) job(id string) (job struct {
	Sent, Lost, Next int64
	Former, Error    string
}) {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root+bbbState, "queue", id))
	if err == nil {
		err = json.Unmarshal(text, &job)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return job
}

// Who puts tarballs into the spool learns that the import of one failed, and
// does not send it for ever.
func TestSSHLearnsOfAFailedImport(t *testing.T) {
	t.Parallel()
	p := newProcessWith(t, sections{recordings: "tries = 1"})
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.setupSSH(t)
	r := made{id: id("broken"), meeting: "room", version: 1, formats: []string{"presentation"}}
	m.publish(r)
	metadata := filepath.Join(m.root, "var/bigbluebutton/published/presentation", r.id, "metadata.xml")
	writeFile(t, metadata, "<recording>")
	m.hook(r.id)
	for range 3 {
		m.sendNow()
		if out := m.must("scalelite-send", "status"); !strings.Contains(out, "its import failed: ") || !strings.Contains(out, "metadata.xml") {
			t.Fatalf("%s\n%s", out, m.log())
		}
	}
	if failed, _ := filepath.Glob(p.path("failed", "*.tar")); len(failed) != 1 {
		t.Errorf("failed are %q, want one", failed)
	}
	if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, r.id+"  kept: waits to be sent") {
		t.Errorf("prune: %s", out)
	}
	m.must("rm", bbbState+"/queue/"+r.id)
	if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, r.id+"  kept: the load balancer does not have it") {
		t.Errorf("prune of what failed there: %s", out)
	}
	m.publish(r) // mended
	m.hook(r.id)
	m.sent()
	if all, text := p.recordings(); all[r.id].Metadata.Version != 1 {
		t.Errorf("%s\n%s", text, m.log())
	}
}

// A load balancer that tells nothing of the spool is sent a recording again, but
// more and more seldom, and the reason can be seen all the time.
func TestSSHSendsWhatIsLostMoreAndMoreSeldom(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	f := &fakeBalancer{}
	balancer := httptest.NewServer(f)
	t.Cleanup(balancer.Close)
	m.setupSSH(t, "--url", balancer.URL)
	m.must("sed", "-i", "s/STAY = 60/STAY = 0/", "/usr/local/lib/scalelite-send/sender.rb") // one look is enough
	r := made{id: id("lost"), meeting: "room", version: 1, formats: []string{"podcast"}}
	m.publish(r)
	m.hook(r.id)
	status := func(what, want string) {
		t.Helper()
		if out := m.must("scalelite-send", "status"); !strings.Contains(out, want) {
			t.Errorf("%s: want %q in\n%s\n%s", what, want, out, m.log())
		}
	}
	// later has the sender look again after so many hours.
	later := func(hours int64) {
		t.Helper()
		sent := m.job(r.id).Sent
		m.must("sed", "-i", fmt.Sprintf(`s/"sent":%d/"sent":%d/`, sent, sent-hours*3600), bbbState+"/queue/"+r.id)
		m.sendNow()
	}
	m.sendNow()
	status("sent", "  waits to be imported;")
	for i, within := range []string{"a day", "2 days", "4 days", "8 days", "16 days", "30 days", "30 days"} {
		days := int64(min(1<<i, 30))
		later(days*24 - 1)
		job := m.job(r.id)
		if job.Sent == 0 {
			t.Fatalf("%s: it is lost already: %+v", within, job)
		}
		if pause := time.Until(time.Unix(job.Next, 0)); i > 0 && pause < 2*time.Hour {
			t.Errorf("%s: it is looked at again in %s", within, pause)
		}
		later(2)
		if job := m.job(r.id); job.Sent != 0 || job.Lost != int64(i+1) {
			t.Fatalf("%s: it is not lost yet: %+v", within, job)
		}
		status("lost", "  it was not imported within "+within+"; look on the load balancer")
		m.sendNow()
		status("sent again", fmt.Sprintf("  waits to be imported, sent %d times: it was not imported within %s; look", i+2, within))
	}
}

// An import that was over before is not that of what was sent; a new one is.
func TestSSHTellsAnOldFailureFromANewOne(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	f := &fakeBalancer{newest: map[string]any{"import": "old", "state": "failed", "ended": firstStart, "error": "cut off"}}
	balancer := httptest.NewServer(f)
	t.Cleanup(balancer.Close)
	m.setupSSH(t, "--url", balancer.URL)
	m.must("sed", "-i", "s/STAY = 60/STAY = 0/", "/usr/local/lib/scalelite-send/sender.rb")
	r := made{id: id("twice"), meeting: "room", version: 1, formats: []string{"podcast"}}
	m.publish(r)
	m.hook(r.id)
	for _, step := range []struct {
		newest map[string]any
		want   string
	}{
		{nil, "  waits to be imported;"}, // as it was
		{map[string]any{"import": "new", "state": "waiting", "error": "no space"}, "  waits at the load balancer: no space;"},
		{map[string]any{"import": "new", "state": "importing", "done": 1_200_000, "size": 9_000_000}, "  waits to be imported, 1.2 of 9.0 MB are unpacked;"},
		{map[string]any{"import": "new", "state": "failed", "ended": firstStart, "error": "no audio"}, "  its import failed: no audio;"},
		{map[string]any{"import": "newer", "state": "imported", "ended": firstStart}, "  it was imported, but not all of it is there: podcast is missing;"},
	} {
		f.mu.Lock()
		if step.newest != nil {
			f.newest = step.newest
		}
		f.mu.Unlock()
		m.sendNow()
		if out := m.must("scalelite-send", "status"); !strings.Contains(out, step.want) {
			t.Errorf("%v: want %q in\n%s\n%s", step.newest, step.want, out, m.log())
		}
	}
}
