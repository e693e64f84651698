package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A recording that was removed for good does not come back by itself from the
// server that made it, but when somebody there changes it, or sends it again.
func TestPurgedRecordingStaysAway(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	r := made{id: id("purged"), meeting: "room", version: 1, formats: []string{"podcast"}}
	note := filepath.Join(m.root+bbbState, "confirmed", r.id)
	remove := func(args ...string) {
		t.Helper()
		p.mustRun(append([]string{"recordings", "delete", r.id, "--yes"}, args...)...)
	}
	lookAgain := func(when string, want bool) {
		t.Helper()
		m.aged(r, 2*day)
		m.looked(30*day, 25*time.Hour)
		m.sendNow()
		if all, text := p.recordings(); (all[r.id].Metadata.Version == r.version) != want {
			t.Errorf("%s: there, want %v: %s\n%s", when, want, text, m.log())
		}
	}
	m.publish(r)
	m.hook(r.id)
	m.sent()
	remove("--purge")
	lookAgain("purged", false)
	if log := m.log(); strings.Contains(log, "looked for") {
		t.Errorf("it was asked for:\n%s", log)
	}
	r.version = 2
	m.publish(r)
	lookAgain("purged and changed", true)
	remove("--purge")
	lookAgain("purged again", false)
	m.must("scalelite-send", "existing")
	if all, text := p.recordings(); len(all) != 1 {
		t.Errorf("existing: %s", text)
	}
	forget := func() {
		t.Helper()
		if err := os.Remove(note); err != nil {
			t.Error(err)
		}
	}
	forget() // as if a sender before this one had sent it
	lookAgain("asked for", true)
	remove("--purge")
	lookAgain("asked for and purged", false)
	m.must("scalelite-send", "retry", r.id)
	m.sent()
	forget()
	remove()
	lookAgain("deleted", false)
	remove("--purge")
	lookAgain("deleted and purged", false)
}

// What was confirmed is remembered for no longer than the daily look needs it.
func TestSenderForgetsWhatItNeedNotKnow(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	noted := func(want ...string) {
		t.Helper()
		if got := m.must("ls", "-A", bbbState+"/confirmed"); got != strings.Join(append(want, ""), "\n") {
			t.Errorf("noted: %q, want %q", got, want)
		}
	}
	first, second, old := id("first"), id("second"), id("old")
	for _, name := range []string{first, second, old} {
		m.publish(made{id: name, meeting: "room", version: 1, formats: []string{"podcast"}})
	}
	m.aged(made{id: old, formats: []string{"podcast"}}, 9*day)
	m.must("scalelite-send", "existing")
	noted(first, second)
	m.must("touch", "-d", "9 days ago", bbbState+"/confirmed/"+first)
	m.looked(30*day, 25*time.Hour)
	m.sendNow()
	noted(second)
}
