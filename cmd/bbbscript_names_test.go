package cmd

import (
	"encoding/json"
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
	const name = "café.txt"
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
	want := "podcast/" + hurt.id + "/café.txt cannot be read: Permission denied; it must be readable for the user bigbluebutton"
	if out := m.must("scalelite-send", "status"); !strings.Contains(out, hurt.id+"  /var/bigbluebutton/published/"+want+"; tried 2 times") {
		t.Errorf("status does not say %q:\n%s", want, out)
	}
	log := m.log()
	if strings.Count(log, want) != 1 || strings.Contains(log, "broke") || strings.Contains(log, "by halves") {
		t.Errorf("the log says:\n%s", log)
	}
	m.must("chown", "-R", bbbUser+":", "/var/bigbluebutton/published")
	m.sent()
	if all, text := p.recordings(); len(all) != 2 {
		t.Errorf("%s\n%s", text, m.log())
	}
}

// A recording with a file whose name the load balancer refuses is not uploaded to
// be refused, again and again: the sender names the file, and waits.
func TestSenderDoesNotUploadWhatIsMisnamed(t *testing.T) {
	t.Parallel()
	f := &fakeBalancer{state: "imported", files: 3}
	m, r := newSender(t, f)
	dir := filepath.Join(m.root, "var/bigbluebutton/published/podcast", r.id)
	for name, want := range map[string]string{
		"caf\xe9.txt": "caf\uFFFD.txt has a name that is not UTF-8; rename it",
		"a\nb":        "a?b has a backslash or a control character in its name; rename it",
		"a\\b":        "a\\b has a backslash or a control character in its name; rename it",
	} {
		writeFile(t, filepath.Join(dir, name), "x")
		if out := m.must("scalelite-send", "retry", r.id); !strings.Contains(out, "1 recording will be sent anew") {
			t.Errorf("retry: %s", out)
		}
		m.sendNow()
		m.must("scalelite-send", "run") // nothing is due
		var status struct {
			Waiting []struct {
				Error string
				Tries int
				Next  int64
			}
		}
		if err := json.Unmarshal([]byte(m.must("scalelite-send", "status", "--json")), &status); err != nil || len(status.Waiting) != 1 {
			t.Fatalf("status: %v %+v\n%s", err, status, m.log())
		}
		if got := status.Waiting[0]; !strings.HasSuffix(got.Error, "/podcast/"+r.id+"/"+want) || got.Tries != 1 || time.Until(time.Unix(got.Next, 0)) < 5*time.Hour {
			t.Errorf("status: %+v, want %q", got, want)
		}
		if f.sent() != 0 {
			t.Errorf("%d uploads\n%s", f.sent(), m.log())
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "café.txt"), "x")
	m.must("scalelite-send", "retry", r.id)
	m.must("scalelite-send", "run")
	if got := m.waiting(); f.sent() != 1 || len(got) != 0 {
		t.Errorf("renamed: %d uploads, waiting %q\n%s", f.sent(), got, m.log())
	}
}
