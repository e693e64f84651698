package cmd

import (
	"slices"
	"strings"
	"testing"
)

// What is published while old recordings are being sent goes before them, and
// what the load balancer holds back keeps nobody waiting.
func TestExistingRecordingsGoAfterNewOnes(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "waiting", error: "no space", files: 1}
	m, held := newSender(t, f)
	m.sendNow() // it is held, and not first in line
	late := made{id: "late-1759999999999", meeting: "room", version: 1, formats: []string{"podcast"}}
	old := []made{{id: "old-1750000000002"}, {id: "old-1750000000001"}}
	for i := range old {
		old[i].meeting, old[i].version, old[i].formats = "room", 1, []string{"podcast"}
		m.publish(old[i])
	}
	f.mu.Lock()
	f.onUpload = func(n int) {
		if n == 2 {
			m.publish(late)
			m.hook(late.id)
		}
	}
	f.mu.Unlock()
	out, err := m.run("scalelite-send", "existing")
	if exitCode(err) != exitFailure || !strings.Contains(out, "3 wait.") || !strings.Contains(out, "What is left was sent, and waits for the load balancer alone") {
		t.Errorf("%v: %s", err, out)
	}
	var order []string
	for line := range strings.Lines(m.log()) {
		if id, _, ok := strings.Cut(line, ": waits at the load balancer: no space"); ok {
			order = append(order, id[strings.LastIndex(id, " ")+1:])
		}
	}
	if want := []string{held.id, old[0].id, late.id, old[1].id}; !slices.Equal(order, want) {
		t.Errorf("sent %q, want %q\n%s", order, want, m.log())
	}
	if got := m.waiting(); len(got) != 4 {
		t.Errorf("waiting: %q", got)
	}
}
