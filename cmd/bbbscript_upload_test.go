package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A BBB server is set up by the printed script, sends what it publishes, and is
// left as it was found.
func TestUploadFromABBBServer(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	out := m.mustSetup(nil)
	for _, want := range []string{"BigBlueButton 2.7.14", "made: " + bbbHook, "answers, and knows this server as 127.0.0.1"} {
		if !strings.Contains(out, want) {
			t.Errorf("setup does not say %q:\n%s", want, out)
		}
	}
	installed := m.state()
	if out := m.mustSetup(nil); !strings.Contains(out, "nothing was changed") {
		t.Errorf("second run:\n%s", out)
	}
	if diff := cmp.Diff(installed, m.state()); diff != "" {
		t.Errorf("the second run changed something:\n%s", diff)
	}

	shown := made{id: id("shown"), meeting: "room", version: 1, formats: []string{"presentation", "video"}, size: 3000}
	hidden := made{id: id("hidden"), meeting: "room", version: 1, formats: []string{"presentation"}, unpublished: true}
	m.publish(shown)
	m.publish(hidden)
	m.hook(shown.id)
	m.hook(hidden.id)
	m.sent()
	all, text := p.recordings()
	if len(all) != 2 || len(all[shown.id].Formats) != 2 || all[shown.id].Metadata.Version != 1 || all[hidden.id].ID == "" {
		t.Fatalf("%s\n%s", text, m.log())
	}
	shown.version = 2
	m.publish(shown)
	m.hook(shown.id)
	m.sent()
	if all, text := p.recordings(); all[shown.id].Metadata.Version != 2 {
		t.Errorf("made anew: %s", text)
	}
	p.imported()
	p.inOrder()

	if out := m.mustSetup(nil, "--uninstall"); !strings.Contains(out, "removed: "+bbbHook) {
		t.Errorf("uninstall:\n%s", out)
	}
	m.asBefore()
	if out := m.mustSetup(nil, "--uninstall"); !strings.Contains(out, "nothing was there") {
		t.Errorf("second uninstall:\n%s", out)
	}
}

// Where BBB lets its user read the secret, the hook's own process sends.
func TestUploadByTheHookItself(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.must("chmod", "0644", "/etc/bigbluebutton/bbb-web.properties")
	m.mustSetup(nil)
	r := made{id: id("hook"), meeting: "room", version: 1, formats: []string{"presentation"}}
	part := made{id: r.id + "-1760000000999", meeting: "room", version: 1, formats: []string{"presentation"}}
	m.publish(r)
	m.publish(part)
	m.hook(r.id)
	eventually(t, "both to be sent", func() bool { return len(m.waiting()) == 0 })
	if all, text := p.recordings(); len(all) != 2 {
		t.Errorf("%s\n%s", text, m.log())
	}
	for _, args := range [][]string{{}, {"-m"}, {"-m", "../../etc"}, {"-m", ""}, {"--format", "video"}} {
		out := m.must(append([]string{"runuser", "-u", bbbUser, "--", "ruby", bbbHook}, args...)...)
		if out != "" || len(m.waiting()) != 0 {
			t.Errorf("the hook with %q: %q, waiting %q", args, out, m.waiting())
		}
	}
	m.must("rm", bbbConfig)
	if out := m.must("runuser", "-u", bbbUser, "--", "ruby", bbbHook, "-m", r.id); !strings.Contains(out, "run the setup script") {
		t.Errorf("the hook without its settings: %q", out)
	}
}

// The hook never keeps BBB from going on, and what it notes is sent when the
// load balancer is back.
func TestUploadAfterTheLoadBalancerWasAway(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	r := made{id: id("away"), meeting: "room", version: 1, formats: []string{"presentation"}}
	m.publish(r)
	m.hook(r.id)
	for range 3 {
		m.sendNow()
	}
	if got := m.waiting(); !slices.Equal(got, []string{r.id}) {
		t.Errorf("waiting: %q", got)
	}
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, "cannot be reached") || !strings.Contains(out, r.id) {
		t.Errorf("status: %s", out)
	}
	p.start()
	m.sent()
	if all, text := p.recordings(); len(all) != 1 || all[r.id].Metadata.Version != 1 {
		t.Errorf("%s\n%s", text, m.log())
	}
}

// Transfers that break, whichever side is to blame, leave nothing behind and are
// made again.
func TestUploadThatBreaks(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	l := newLine(t, strings.TrimPrefix(p.base, "http://"))
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup([]string{"--url", "http://" + l.address})
	r := made{id: id("large"), meeting: "room", version: 1, formats: []string{"presentation", "video"}, size: 2 << 20}
	m.publish(r)

	l.after.Store(5 << 20)
	m.hook(r.id)
	m.sendNow()
	l.wait(t)
	if log := m.log(); !strings.Contains(log, "the connection broke after") {
		t.Errorf("the log does not tell:\n%s", log)
	}

	l.stall.Store(true)
	m.hurry()
	run := m.command("scalelite-send", "run")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	l.wait(t)
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait()
	if got := m.waiting(); !slices.Equal(got, []string{r.id}) {
		t.Errorf("waiting: %q", got)
	}
	if all, text := p.recordings("state", "any"); len(all) != 0 {
		t.Errorf("half of it was taken: %s", text)
	}
	eventually(t, "nothing in the spool", func() bool { return len(p.spooled()) == 0 })

	l.after.Store(0)
	m.sent()
	if all, text := p.recordings(); len(all) != 1 || len(all[r.id].Formats) != 2 {
		t.Errorf("%s\n%s", text, m.log())
	}
	p.inOrder()
}

// A spool without room is told as such, and used when it has some.
func TestUploadIntoAFullSpool(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	spool := p.path("spool")
	if err := os.Mkdir(spool, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", spool, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		p.kill()
		if err := syscall.Unmount(spool, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	large := made{id: id("large"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 1 << 20}
	small := made{id: id("small"), meeting: "room", version: 1, formats: []string{"video"}, size: 1000}
	m.publish(large)
	m.publish(small)
	m.hook(large.id)
	m.hook(small.id)
	eventually(t, "only the large one to wait", func() bool {
		m.must("scalelite-send", "run")
		return slices.Equal(m.waiting(), []string{large.id})
	})
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, "not enough free space") {
		t.Errorf("status: %s", out)
	}
	if err := syscall.Mount("tmpfs", spool, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	m.sent()
	if all, text := p.recordings(); len(all) != 2 {
		t.Errorf("%s\n%s", text, m.log())
	}
}

// All recordings of a server are sent, those that are on the load balancer
// already are not, and an interruption loses nothing.
func TestUploadOfExistingRecordings(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	l := newLine(t, strings.TrimPrefix(p.base, "http://"))
	m := newMachine(t, p)
	m.joinPool()
	const all = 50
	for i := range all {
		r := made{id: fmt.Sprintf("many%02d-%d", i, firstStart.UnixMilli()+int64(i)), meeting: "room", version: 1, formats: []string{"presentation", "podcast"}, unpublished: i%10 == 0}
		r.tree(t, filepath.Join(m.root, "var/bigbluebutton", map[bool]string{false: "published", true: "unpublished"}[r.unpublished]))
	}
	m.must("chown", "-R", bbbUser+":", "/var/bigbluebutton/published", "/var/bigbluebutton/unpublished")
	m.mustSetup([]string{"--url", "http://" + l.address})
	run := m.command("scalelite-send", "existing")
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	for seen := ""; !strings.Contains(seen, "[15/50]"); {
		buf := make([]byte, 4096)
		n, err := out.Read(buf)
		if seen += string(buf[:n]); err != nil {
			t.Fatalf("%v: %s", err, seen)
		}
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait()
	if left := len(m.waiting()); left == 0 || left > all-14 {
		t.Errorf("%d wait after the interruption", left)
	}
	text := m.mustSetup([]string{"--url", "http://" + l.address}, "--existing")
	if !strings.Contains(text, "0 wait.") || !strings.Contains(text, "[50/50]") || strings.Contains(text, " 0 were there already") {
		t.Errorf("resumed:\n%s", text)
	}
	if there, _ := p.recordings(); len(there) != all {
		t.Errorf("%d of %d recordings are there", len(there), all)
	}
	if out := m.must("scalelite-send", "existing"); !strings.Contains(out, "0 sent, 50 were there already, 0 were deleted there, 0 wait.") {
		t.Errorf("once more:\n%s", out)
	}
	if out := m.must("scalelite-send", "existing", "--background"); !strings.Contains(out, "50 recordings noted") || len(m.waiting()) != all {
		t.Errorf("in the background: %s", out)
	}
	m.sent()
	p.imported()
	p.inOrder()
}

// Who looks on while recordings are sent sees them go on when the load balancer
// is back.
func TestUploadOfExistingRecordingsWaitsForTheLoadBalancer(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	for _, name := range []string{"first", "second"} {
		m.publish(made{id: id(name), meeting: "room", version: 1, formats: []string{"podcast"}})
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := m.run("scalelite-send", "existing", "--patience", "0"); exitCode(err) != exitFailure || !strings.Contains(out, "Giving up for now") || !strings.Contains(out, "2 wait.") {
		t.Errorf("without patience: %v\n%s", err, out)
	}
	run := m.command("scalelite-send", "existing")
	var out lockedBuffer
	run.Stdout, run.Stderr = &out, &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to wait", func() bool { return strings.Contains(out.tail(), "trying again in") })
	p.start()
	if err := run.Wait(); err != nil || !strings.Contains(out.tail(), "2 sent, 0 were there already, 0 were deleted there, 0 wait.") {
		t.Errorf("%v\n%s", err, out.tail())
	}
}
