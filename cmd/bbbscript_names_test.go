package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A name that is no UTF-8 is no recording's, and keeps none from being looked
// for, sent and pruned.
func TestSenderPassesOverANameThatIsNoText(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	good := made{id: id("good"), meeting: "room", version: 1, formats: []string{"podcast"}}
	m.publish(good)
	m.aged(good, 48*time.Hour)
	published := m.root + "/var/bigbluebutton/published/"
	for _, dir := range []string{"podcast/Pr\xfcfung", "podcast/" + good.id + "-\xfc", "n\xf6tig/" + good.id} {
		writeFile(t, published+dir+"/metadata.xml", "<recording/>")
		at := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(published+dir+"/metadata.xml", at, at); err != nil {
			t.Fatal(err)
		}
	}
	m.must("chown", "-R", bbbUser+":", "/var/bigbluebutton/published")
	m.looked(30*24*time.Hour, 25*time.Hour)
	m.sendNow()
	if all, text := p.recordings(); len(all) != 1 || !strings.Contains(m.log(), "1 recording of the last days looked for") {
		t.Errorf("looked for: %s\n%s", text, m.log())
	}
	m.hook(good.id)
	m.sent()
	if out := m.must("scalelite-send", "existing"); !strings.Contains(out, "0 sent, 1 were there already") {
		t.Errorf("existing: %s", out)
	}
	if out := m.must("scalelite-send", "prune", "--keep-days", "0"); !strings.Contains(out, good.id+"  deleted") {
		t.Errorf("prune: %s", out)
	}
}

// A file that cannot be read is named, whatever its name is, and is told to be
// no fault of the connection; the other recordings are sent.
func TestSenderNamesAFileThatItMayNotRead(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := newMachine(t, p)
	m.joinPool()
	m.mustSetup(nil)
	hurt := made{id: id("hurt"), meeting: "room", version: 1, formats: []string{"podcast"}}
	good := made{id: id("good"), meeting: "room", version: 1, formats: []string{"podcast"}}
	m.publish(hurt)
	m.publish(good)
	const name = "caf\xe9.txt"
	path := filepath.Join(m.root, "var/bigbluebutton/published/podcast", hurt.id, name)
	writeFile(t, path, "x")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	m.must("scalelite-send", "existing", "--background")
	for range 2 {
		m.sendNow()
	}
	if got := m.waiting(); !slices.Equal(got, []string{hurt.id}) {
		t.Errorf("waiting: %q\n%s", got, m.log())
	}
	want := "podcast/" + hurt.id + "/caf\uFFFD.txt cannot be read: Permission denied; it must be readable for the user bigbluebutton"
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, hurt.id+"  /var/bigbluebutton/published/"+want+"; tried 2 times") {
		t.Errorf("status does not say %q:\n%s", want, out)
	}
	log := m.log()
	if strings.Count(log, want) != 1 || strings.Contains(log, "broke") || strings.Contains(log, "by halves") {
		t.Errorf("the log says:\n%s", log)
	}
	m.must("chown", "-R", bbbUser+":", "/var/bigbluebutton/published")
	m.sendNow() // the load balancer takes no such name
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, "has a name that is not UTF-8") {
		t.Errorf("status: %s", out)
	}
	if err := os.Rename(path, filepath.Dir(path)+"/cafe.txt"); err != nil {
		t.Fatal(err)
	}
	m.sent()
	if all, text := p.recordings(); len(all) != 2 {
		t.Errorf("%s\n%s", text, m.log())
	}
}
