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
