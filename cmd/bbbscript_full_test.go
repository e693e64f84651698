package cmd

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// What cannot be noted is not sent, or it would be sent again with every run:
// the sender says so and rests until there is room.
func TestSenderRestsWhileItsDiskIsFull(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "imported", files: 2}
	m, r := newSender(t, f)
	queue := bbbState + "/queue"
	m.must("mount", "-t", "tmpfs", "-o", "size=128k,mode=0750,uid="+strings.TrimSpace(m.must("id", "-u", bbbUser)), "tmpfs", queue)
	m.hook(r.id)
	m.must("sh", "-c", "cat /dev/zero > "+queue+"/.ballast || true")
	for range 3 {
		m.must("rm", "-f", bbbState+"/trouble") // as time would
		if out, err := m.run("scalelite-send", "run"); exitCode(err) != exitFailure || f.sent() != 0 {
			t.Errorf("%v, %d uploads: %s", err, f.sent(), out)
		}
	}
	const reason = "nothing can be noted in " + bbbState + "/queue: No space left on device"
	var status struct{ Trouble string }
	if err := json.Unmarshal([]byte(m.must("scalelite-send", "status", "--json")), &status); err != nil || status.Trouble != reason {
		t.Errorf("status: %v %+v, want %q", err, status, reason)
	}
	if got := m.waiting(); !slices.Equal(got, []string{r.id}) {
		t.Errorf("waiting: %q\n%s", got, m.log())
	}
	if out, err := m.run("scalelite-send", "existing"); exitCode(err) != exitFailure || !strings.Contains(out, reason) || f.sent() != 0 {
		t.Errorf("existing: %v, %d uploads: %s", err, f.sent(), out)
	}
	m.must("rm", queue+"/.ballast")
	m.sendNow()
	if got := m.waiting(); f.sent() != 1 || len(got) != 0 || strings.Contains(m.log(), "by halves") {
		t.Errorf("with room: %d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
}

// What BigBlueButton published while there was no room to note it is sent, though
// the former version of it was on its way, and whenever there is room again.
func TestSenderKeepsWhatAFullDiskLeftOfANote(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "waiting", files: 1}
	m, r := newSender(t, f)
	m.must("sed", "-i", "s/STAY = 60/STAY = 0/", "/usr/local/lib/scalelite-send/sender.rb")
	queue := bbbState + "/queue"
	m.must("mount", "-t", "tmpfs", "-o", "size=128k,mode=0750,uid="+strings.TrimSpace(m.must("id", "-u", bbbUser)), "tmpfs", queue)
	m.hook(r.id)
	noteWithoutRoom := func() {
		t.Helper()
		m.must("sh", "-c", "cat /dev/zero > "+queue+"/.ballast || true")
		if out := m.must("runuser", "-u", bbbUser, "--", "ruby", bbbHook, "-m", r.id); !strings.Contains(out, "No space left") {
			t.Errorf("the hook says %q", out)
		}
	}
	room := func() { m.must("rm", queue+"/.ballast") }
	m.sendNow()
	m.hurry()
	noteWithoutRoom()
	if out, err := m.run("scalelite-send", "run"); exitCode(err) != exitFailure || f.sent() != 1 {
		t.Errorf("without room: %v, %d uploads: %s", err, f.sent(), out)
	}
	if out := m.must("ls", "-A", queue); out != ".ballast\n."+r.id+".new\n"+r.id+"\n" {
		t.Errorf("left in the queue: %q", out)
	}
	room()
	f.mu.Lock()
	f.state, f.files = "imported", 2
	f.onUpload = func(n int) { // the third is what was noted during the second
		if n == 2 {
			noteWithoutRoom()
			room()
		}
	}
	f.mu.Unlock()
	m.sendNow()
	if got := m.waiting(); f.sent() != 3 || len(got) != 0 {
		t.Errorf("with room: %d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
	if out := m.must("ls", "-A", queue); out != "" {
		t.Errorf("left in the end: %q", out)
	}
}

// On a disk that takes nothing there is no room for the trouble either: status
// finds it out, and leaves nothing behind.
func TestStatusOnAFullDisk(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "imported", files: 2}
	m, r := newSender(t, f)
	m.must("mount", "-t", "tmpfs", "-o", "size=128k,mode=0750,uid="+strings.TrimSpace(m.must("id", "-u", bbbUser)), "tmpfs", bbbState)
	m.must("runuser", "-u", bbbUser, "--", "mkdir", bbbState+"/queue", bbbState+"/confirmed", bbbState+"/tmp")
	m.hook(r.id)
	says := func(when, trouble string) {
		t.Helper()
		var status struct{ Trouble string }
		if err := json.Unmarshal([]byte(m.must("scalelite-send", "status", "--json")), &status); err != nil || status.Trouble != trouble {
			t.Errorf("%s: status: %v %+v, want %q", when, err, status, trouble)
		}
		if out := m.must("scalelite-send", "status"); strings.Contains(out, "Nothing can be sent: "+trouble+".\n") != (trouble != "") || !strings.Contains(out, r.id+"  is next") {
			t.Errorf("%s: status: %s", when, out)
		}
		if out := m.must("ls", "-A", bbbState+"/queue"); out != r.id+"\n" {
			t.Errorf("%s: in the queue: %q", when, out)
		}
	}
	says("with room", "")
	m.must("sh", "-c", "cat /dev/zero > "+bbbState+"/ballast || true")
	const reason = "nothing can be noted in " + bbbState + "/queue: No space left on device"
	says("before a run", reason)
	if out, err := m.run("scalelite-send", "run"); exitCode(err) != exitFailure || f.sent() != 0 {
		t.Errorf("%v, %d uploads: %s", err, f.sent(), out)
	}
	says("after a run", reason)
	m.must("rm", bbbState+"/ballast")
	says("with room again", "")
	m.sent()
	m.must("mount", "-o", "remount,ro", bbbState)
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, "Nothing can be sent: ") || !strings.Contains(out, "Read-only file system") {
		t.Errorf("a disk that is read-only: %s", out)
	}
}
