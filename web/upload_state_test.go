package web

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scalelite/recordings"
)

// TestStateOfAnImport: whoever puts tarballs into the spool asks for the
// recording, and reads how its import goes: that is all there is to ask for.
func TestStateOfAnImport(t *testing.T) {
	t.Parallel()
	s := uploading(t, 2, func(o *settings) { o.recordings = func(c *recordings.Config) { c.Tries = 1 } })
	s.work()
	token := s.bearer(0, recordingID, nil)
	// waitFor waits until the newest import is in a state.
	waitFor := func(token, id, state string) (fields, newest map[string]any) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, fields = s.ask(token, "/"+id); fields["import"] != nil {
				if newest = fields["import"].(map[string]any); newest["state"] == state {
					return fields, newest
				}
			}
		}
		t.Fatalf("%s: %v, want its import to be %s", id, fields, state)
		return nil, nil
	}
	put := func(content []byte) { // as rsync does
		t.Helper()
		hidden := filepath.Join(s.spool.Dir(), "."+recordingID+".tar.aBcDeF")
		if err := os.WriteFile(hidden, content, 0o644); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(hidden, long, long); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(hidden, filepath.Join(s.spool.Dir(), recordingID+".tar")); err != nil {
			t.Fatal(err)
		}
		s.spool.Look()
	}
	if a, _ := s.ask(token, "/"+recordingID); a.status != http.StatusNotFound {
		t.Errorf("before: %d %s", a.status, a.body)
	}
	broken := tarball(t, "presentation/"+recordingID+"/metadata.xml", "<recording>")
	put(broken)
	fields, first := waitFor(token, recordingID, "failed")
	if fields["here"] != false || fields["state"] != nil || fields["recording"] != recordingID || !strings.Contains(first["error"].(string), "metadata.xml") {
		t.Errorf("an import that failed: %v", fields)
	}
	put(recordingTar(t, recordingID))
	fields, second := waitFor(token, recordingID, "imported")
	if fields["here"] != true || fields["state"] != "published" || second["import"] == first["import"] {
		t.Errorf("one that did not: %v", fields)
	}
	put(broken)
	if fields, _ := waitFor(token, recordingID, "failed"); fields["here"] != true || fields["state"] != "published" {
		t.Errorf("a newer one that failed: %v", fields)
	}

	// What a server uploaded is told to it alone, as by imports/ID.
	s.send(s.bearer(0, otherID, nil), bytes.NewReader(tarball(t, "presentation/"+otherID+"/metadata.xml", "<recording>")))
	waitFor(s.bearer(0, otherID, nil), otherID, "failed")
	if a, _ := s.ask(s.bearer(1, otherID, nil), "/"+otherID); a.status != http.StatusNotFound {
		t.Errorf("the upload of another server: %d %s", a.status, a.body)
	}
}
