package cmd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A BBB server is set up by the printed script, sends what it publishes, and is
// left as it was found (T28).
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
	m.sendNow()
	eventually(t, "an empty queue", func() bool { return len(m.waiting()) == 0 })
	all, text := p.recordings()
	if len(all) != 2 || len(all[shown.id].Formats) != 2 || all[shown.id].Metadata.Version != 1 || all[hidden.id].ID == "" {
		t.Fatalf("%s\n%s", text, m.log())
	}

	if out := m.mustSetup(nil, "--uninstall"); !strings.Contains(out, "removed: "+bbbHook) {
		t.Errorf("uninstall:\n%s", out)
	}
	after := m.state()
	for path := range after {
		if strings.HasPrefix(path, "/var/bigbluebutton/published/") || strings.HasPrefix(path, "/var/bigbluebutton/unpublished/") {
			delete(after, path)
		}
	}
	if diff := cmp.Diff(m.before, after); diff != "" {
		t.Errorf("left by the uninstallation:\n%s", diff)
	}
}
