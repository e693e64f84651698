package web

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

// manage makes a signed management call.
func (s *system) manage(method, call, query string, body string) answer {
	s.t.Helper()
	target := s.url + managementPath + "/" + call + "?" + bbb.Sign(bbb.SHA256, call, query, testSecret)
	return s.fetch(method, target, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(body))
}

func (s *system) wantManaged(status int, want, method, call, query string) {
	s.t.Helper()
	if a := s.manage(method, call, query, ""); a.status != status || a.body != want {
		s.t.Errorf("%s %s:\ngot  %d %s\nwant %d %s", call, query, a.status, a.body, status, want)
	}
}

func TestManagementOfRecordings(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	s.keep(recordingID, map[string]string{"video/metadata.xml": "<recording/>", "video/video-0.m4v": "film"}, nil)
	path := "/video/" + recordingID + "/video-0.m4v"
	const unknown = `{"error":"Couldn't find recording with id=nope"}`
	for _, step := range []struct {
		call, done string
		plays      int
	}{
		{"unpublishRecording", "unpublished", 404},
		{"publishRecording", "published", 200},
		{"protectRecording", "protected", 404},
		{"protectRecording", "protected", 404}, // it was already
		{"unprotectRecording", "unprotected", 200},
		{"deleteRecording", "deleted", 404},
		{"undeleteRecording", "brought back", 200},
	} {
		s.wantManaged(404, unknown, "POST", step.call, "id=nope")
		s.wantManaged(400, `{"error":"The request needs an id"}`, "POST", step.call, "")
		s.wantManaged(200, `{"success":"Recording id=`+recordingID+` was `+step.done+`"}`, "POST", step.call, "id="+recordingID)
		if a := s.play("GET", path); a.status != step.plays {
			t.Errorf("%s: it plays with %d, want %d", step.call, a.status, step.plays)
		}
	}
	s.wantManaged(404, unknown, "GET", "getRecordingInfo", "id=nope")
	if a := s.manage("GET", "getRecordingInfo", "id="+recordingID, ""); a.status != 200 ||
		!strings.Contains(a.body, `"state":"published","protected":false`) || !strings.Contains(a.body, `{"type":"video","url":"/playback/video/`+recordingID+`/","files":2,"bytes":16}`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A body is not signed, so none may say what is deleted.
func TestManagementOfRecordingsTakesNoBody(t *testing.T) {
	t.Parallel()
	s := newLibrary(t, nil)
	r := s.keep(recordingID, map[string]string{"video/metadata.xml": "x"}, nil)
	for _, query := range []string{"", "id=" + otherID} {
		if a := s.manage("POST", "deleteRecording", query, `{"id":"`+r.ID+`"}`); a.status != 400 || !strings.Contains(a.body, "signed query") {
			t.Errorf("%q: %d %s", query, a.status, a.body)
		}
	}
	if a := s.play("GET", "/video/"+r.ID+"/metadata.xml"); a.status != 200 {
		t.Errorf("it is gone: %d", a.status)
	}
	target := s.url + managementPath + "/deleteRecording?id=" + r.ID + "&checksum=" + strings.Repeat("0", 64)
	if a := s.fetch("POST", target, nil, nil); !strings.Contains(a.body, "checksumError") {
		t.Errorf("unsigned: %d %s", a.status, a.body)
	}
}

// T1: the state of each tarball, and why it failed, is in the management API.
func TestManagementOfTheSpool(t *testing.T) {
	t.Parallel()
	var config recordings.Config
	s := newLibrary(t, func(o *settings) { o.recordings = func(c *recordings.Config) { config = *c } })
	s.wantManaged(200, `[]`, "GET", "getSpool", "")
	if err := os.WriteFile(filepath.Join(config.FailedDir, "a.tar"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config.FailedDir, "a.tar.txt"), []byte("tries: 5\nreason: it is broken\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if a := s.manage("GET", "getSpool", "", ""); a.status != 200 ||
		!strings.Contains(a.body, `"name":"a.tar","size":1,"state":"`+string(store.ImportFailed)+`"`) || !strings.Contains(a.body, `"tries":5,"reason":"it is broken"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.wantManaged(404, `{"error":"Couldn't find failed tarball with id=b.tar"}`, "POST", "retrySpool", "id=b.tar")
	s.wantManaged(200, `{"retried":["a.tar"]}`, "POST", "retrySpool", "id=a.tar")
	if _, err := os.Stat(filepath.Join(config.SpoolDir, "a.tar")); err != nil {
		t.Error(err)
	}
	s.wantManaged(200, `{"retried":[]}`, "POST", "retrySpool", "")
}

func TestManagementOfRecordingsOff(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{})
	for call, method := range map[string]string{"getSpool": "GET", "getRecordingInfo": "GET", "retrySpool": "POST", "deleteRecording": "POST"} {
		s.wantManaged(412, `{"message":"Recordings are disabled"}`, method, call, "id=x")
	}
}
