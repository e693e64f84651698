package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
)

const (
	someSRT = "1\r\n00:00:01,000 --> 00:00:02,500\r\nGrüß Gott\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\nBye\r\n"
	someVTT = "WEBVTT\n\n00:01.000 --> 00:02.500\nHello\n"
)

// form is a multipart body with these fields and a file.
func form(t testing.TB, file string, fields ...string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "captions.srt")
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

// putTrack sends a text track; pairs are the signed parameters.
func (s *system) putTrack(file string, pairs ...string) answer {
	s.t.Helper()
	contentType, body := form(s.t, file)
	return s.post("putRecordingTextTrack", s.trackQuery(pairs...), contentType, body)
}

func (s *system) trackQuery(pairs ...string) string {
	return bbb.Sign(bbb.SHA256, "putRecordingTextTrack", params(pairs...).Encode(), testSecret)
}

// wantJSON checks the whole of an answer in JSON.
func (a answer) wantJSON(t testing.TB, what, want string) {
	t.Helper()
	if a.status != http.StatusOK || a.body != `{"response":{`+want+`}}` || a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%s: %d %v %s, want %s", what, a.status, a.header, a.body, want)
	}
}

func refusedJSON(key, message string) string {
	return fmt.Sprintf(`"returncode":"FAILED","messageKey":%q,"message":%q`, key, message)
}

// TestTextTracks: what is put is listed, is WebVTT and can be played.
func TestTextTracks(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, tape{id: tapeA, meeting: "a", name: "A"})
	s.get("getRecordingTextTracks", "recordID", tapeA).wantJSON(t, "none", refusedJSON("noCaptionsFound", "No captions found for "+tapeA))
	done := `"returncode":"SUCCESS","messageKey":"upload_text_track_success","message":"Text track uploaded successfully","recordId":"` + tapeA + `"`
	s.putTrack(someSRT, "recordID", tapeA, "kind", "subtitles", "lang", "de-AT", "label", " Öster  reichisch ").wantJSON(t, "SRT", done)
	s.putTrack(someVTT, "recordID", " "+tapeA+" ", "kind", "captions", "lang", "en").wantJSON(t, "VTT", done)
	track := func(file, kind, label, lang string) string {
		return fmt.Sprintf(`{"href":"%s/presentation/%s/%s","kind":%q,"label":%q,"lang":%q,"source":"upload"}`, s.url, tapeA, file, kind, label, lang)
	}
	german, english := track("caption_de-AT.vtt", "subtitles", "Öster reichisch", "de-AT"), track("caption_en.vtt", "captions", "en", "en")
	list := func(what string, want ...string) {
		t.Helper()
		s.get("getRecordingTextTracks", "recordID", tapeA).wantJSON(t, what, `"returncode":"SUCCESS","tracks":[`+strings.Join(want, ",")+`]`)
	}
	list("both", german, english)
	for file, want := range map[string]string{"caption_de-AT.vtt": "Grüß Gott", "caption_en.vtt": "Hello"} {
		a := s.fetch(http.MethodGet, s.url+"/presentation/"+tapeA+"/"+file, http.Header{"Accept-Encoding": {"identity"}}, nil)
		if a.status != http.StatusOK || !strings.HasPrefix(a.body, "WEBVTT\n") || !strings.Contains(a.body, want) || !strings.HasPrefix(a.header.Get("Content-Type"), "text/vtt") {
			t.Errorf("%s: %d %v %q", file, a.status, a.header, a.body)
		}
	}
	s.putTrack(strings.ReplaceAll(someVTT, "Hello", "Hi"), "recordID", tapeA, "kind", "captions", "lang", "EN", "label", "English").wantJSON(t, "again", done)
	list("one replaced", german, track("caption_en.vtt", "captions", "English", "en"))
	if a := s.fetch(http.MethodGet, s.url+"/presentation/"+tapeA+"/caption_en.vtt", nil, nil); !strings.Contains(a.body, "Hi") {
		t.Errorf("replaced: %s", a.body)
	}
	// It moves with its recording, and can be put there too.
	s.get("publishRecordings", "recordID", tapeA, "publish", "false").wantBody(t, "unpublish", answered("published", "false"))
	s.putTrack(someSRT, "recordID", tapeA, "kind", "subtitles", "lang", "fr").wantJSON(t, "unpublished", done)
	list("unpublished", german, track("caption_en.vtt", "captions", "English", "en"), track("caption_fr.vtt", "subtitles", "fr", "fr"))
	if a := s.fetch(http.MethodGet, s.url+"/presentation/"+tapeA+"/caption_fr.vtt", nil, nil); a.status != http.StatusNotFound {
		t.Errorf("track of an unpublished recording: %d", a.status)
	}
	if problems, err := s.library.Check(t.Context(), recordings.RepairNothing); err != nil || len(problems) > 0 {
		t.Errorf("records and files do not agree: %+v, %v", problems, err)
	}
}

// TestTextTracksOfAProtectedRecording: each has a link of its own, which opens
// that track once and nothing else.
func TestTextTracksOfAProtectedRecording(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{recordings: func(c *recordings.Config) { c.TokenGrace = 0 }}, tape{id: tapeA, meeting: "a", name: "A"})
	s.putTrack(someVTT, "recordID", tapeA, "kind", "captions", "lang", "en")
	s.putTrack(someVTT, "recordID", tapeA, "kind", "captions", "lang", "fr")
	s.get("updateRecordings", "recordID", tapeA, "protect", "true")
	var answer struct {
		Response struct {
			Tracks []struct{ Href string } `json:"tracks"`
		} `json:"response"`
	}
	if err := json.Unmarshal([]byte(s.get("getRecordingTextTracks", "recordID", tapeA).body), &answer); err != nil || len(answer.Response.Tracks) != 2 {
		t.Fatalf("%+v, %v", answer, err)
	}
	href := answer.Response.Tracks[0].Href
	file, token, ok := strings.Cut(href, "?token=")
	if !ok || file != s.url+"/presentation/"+tapeA+"/caption_en.vtt" {
		t.Fatalf("link %s", href)
	}
	status := func(method, url string) int { return s.fetch(method, url, nil, nil).status }
	for _, other := range []string{file, strings.Replace(file, "_en", "_fr", 1) + "?token=" + token, s.url + "/recording/" + tapeA + "/presentation?token=" + token} {
		if got := status(http.MethodGet, other); got != http.StatusNotFound {
			t.Errorf("%s: %d", other, got)
		}
	}
	if got := status(http.MethodHead, href); got != http.StatusOK {
		t.Errorf("HEAD: %d", got)
	}
	if a := s.fetch(http.MethodGet, href, nil, nil); a.status != http.StatusOK || !strings.Contains(a.body, "Hello") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := status(http.MethodGet, href); got != http.StatusNotFound {
		t.Errorf("a second time: %d", got)
	}
}

// TestTextTrackOfCurl: the request that people write by hand.
func TestTextTrackOfCurl(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, tape{id: tapeA, meeting: "a", name: "A"})
	file := filepath.Join(t.TempDir(), "captions.srt")
	if err := os.WriteFile(file, []byte(someSRT), 0o644); err != nil {
		t.Fatal(err)
	}
	target := s.base + "/putRecordingTextTrack?" + s.trackQuery("recordID", tapeA, "kind", "subtitles", "lang", "en-US", "label", "English")
	out, err := exec.Command("curl", "--silent", "--show-error", "--form", "label=ignored", "--form", "file=@"+file, target).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "upload_text_track_success") {
		t.Fatalf("curl: %v %s", err, out)
	}
	if a := s.get("getRecordingTextTracks", "recordID", tapeA); !strings.Contains(a.body, `"label":"English","lang":"en-US"`) {
		t.Errorf("listed: %s", a.body)
	}
}

func TestRefusedTextTracks(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	s := withRecordings(t, settings{log: log}, tape{id: tapeA, meeting: "a", name: "A"}, tape{id: tapeB, meeting: "b", name: "B", formats: []string{"video"}}, tape{id: tapeC, meeting: "c", name: "C"})
	s.get("deleteRecordings", "recordID", tapeC)
	for _, test := range []struct {
		file         string
		pairs        []string
		key, message string
	}{
		{someSRT, nil, "paramError", "Missing param recordID."},
		{someSRT, []string{"recordID", " "}, "paramError", "Missing param recordID."},
		{someSRT, []string{"recordID", tapeA, "lang", "x y"}, "paramError", "Missing param kind."},
		{someSRT, []string{"recordID", tapeA, "kind", "Subtitles"}, "invalidKind", "Invalid kind parameter, expected='subtitles|captions' actual=Subtitles"},
		{someSRT, []string{"recordID", tapeA, "kind", "captions"}, "paramError", "Missing param lang."},
		{someSRT, []string{"recordID", tapeA, "kind", "captions", "lang", "../x"}, "invalidLang", "Malformed lang param, received=../x"},
		{someSRT, []string{"recordID", tapeA, "kind", "captions", "lang", "en_US"}, "invalidLang", "Malformed lang param, received=en_US"},
		{"", []string{"recordID", tapeA, "kind", "captions", "lang", "en"}, "empty_uploaded_text_track", "Empty uploaded text track."},
		{" \r\n", []string{"recordID", tapeA, "kind", "captions", "lang", "en"}, "empty_uploaded_text_track", "Empty uploaded text track."},
		{"\x89PNG no captions", []string{"recordID", tapeA, "kind", "captions", "lang", "en"}, "upload_text_track_failed", "Text track upload failed."},
		{someSRT, []string{"recordID", "unknown", "kind", "captions", "lang", "en"}, "noRecordings", "No recording was found for unknown"},
		{someSRT, []string{"recordID", tapeC, "kind", "captions", "lang", "en"}, "noRecordings", "No recording was found for " + tapeC},
		{someSRT, []string{"recordID", tapeB, "kind", "captions", "lang", "en"}, "upload_text_track_failed", "Text track upload failed."},
		{someVTT + strings.Repeat("\n", recordings.MaxTrack), []string{"recordID", tapeA, "kind", "captions", "lang", "en"}, "upload_text_track_failed", "A text track must not be larger than 4 MiB."},
		{someVTT + strings.Repeat("\n", recordings.MaxTrack-len(someVTT)+1), []string{"recordID", tapeA, "kind", "captions", "lang", "en"}, "upload_text_track_failed", "A text track must not be larger than 4 MiB."},
	} {
		s.putTrack(test.file, test.pairs...).wantJSON(t, fmt.Sprintf("%.20q %q", test.file, test.pairs), refusedJSON(test.key, test.message))
		if !strings.Contains(log.String(), "call=putRecordingTextTrack cause=\""+test.key) {
			t.Errorf("%s is not in the log", test.key)
		}
	}
	good := s.trackQuery("recordID", tapeA, "kind", "captions", "lang", "en")
	contentType, body := form(t, someSRT)
	empty := refusedJSON("empty_uploaded_text_track", "Empty uploaded text track.")
	s.post("putRecordingTextTrack", good, "", "").wantJSON(t, "no body", empty)
	s.post("putRecordingTextTrack", good, typeForm, "file=x").wantJSON(t, "a form", empty)
	s.post("putRecordingTextTrack", good, contentType, strings.ReplaceAll(body, `name="file"`, `name="other"`)).wantJSON(t, "another field", empty)
	s.post("putRecordingTextTrack", good, contentType, body[:strings.Index(body, "Bye")]).wantJSON(t, "cut", refusedJSON("upload_text_track_failed", "Text track upload failed."))
	s.post("putRecordingTextTrack", good, "multipart/form-data", body).wantJSON(t, "no boundary", refusedJSON("upload_text_track_failed", "Text track upload failed."))
	s.post("putRecordingTextTrack", good, "text/vtt", someVTT).wantFailed(t, "unsupportedContentType", typeMessage)
	s.fetch("GET", s.base+"/putRecordingTextTrack?"+good, nil, nil).wantFailed(t, "unsupportedRequest", unsupportedMessage)
	// Only what is signed counts.
	contentType, body = form(t, someSRT, "recordID", tapeA, "kind", "captions", "lang", "en")
	s.post("putRecordingTextTrack", s.trackQuery(), contentType, body).wantJSON(t, "in the body", refusedJSON("paramError", "Missing param recordID."))
	s.post("putRecordingTextTrack", "recordID="+tapeA+"&checksum=0", contentType, body).wantFailed(t, "checksumError", checksumMessage)

	s.get("getRecordingTextTracks").wantFailed(t, "missingParamRecordID", "You must specify a recordID.")
	s.fetch("GET", s.base+"/getRecordingTextTracks?recordID="+tapeA, nil, nil).wantFailed(t, "checksumError", checksumMessage)
	for _, id := range []string{"unknown", tapeC, tapeA[:41], tapeA + "," + tapeB} {
		s.get("getRecordingTextTracks", "recordID", id).wantJSON(t, id, refusedJSON("noRecordings", "No recording found for "+id))
	}
	s.get("getRecordingTextTracks", "recordID", tapeA).wantJSON(t, "nothing was put", refusedJSON("noCaptionsFound", "No captions found for "+tapeA))
}

// TestLargestTextTrack: the limit is that of the track.
func TestLargestTextTrack(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, tape{id: tapeA, meeting: "a", name: "A"})
	a := s.putTrack(someVTT+strings.Repeat("\n", recordings.MaxTrack-len(someVTT)), "recordID", tapeA, "kind", "captions", "lang", "en")
	if !strings.Contains(a.body, "upload_text_track_success") {
		t.Errorf("answer %s", a.body)
	}
}

// TestLateReaderOfATextTrack: a client that looks at the answer when all is sent
// finds it there.
func TestLateReaderOfATextTrack(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, tape{id: tapeA, meeting: "a", name: "A"})
	contentType, body := form(t, strings.Repeat("x", 12<<20))
	for want, query := range map[string]string{
		"Missing param kind":      s.trackQuery("recordID", tapeA),
		"must not be larger than": s.trackQuery("recordID", tapeA, "kind", "captions", "lang", "en"),
	} {
		got := s.raw(t, fmt.Sprintf("POST %s/putRecordingTextTrack?%s HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			apiPath, query, contentType, len(body), body))
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", want, got)
		}
	}
}

// TestTextTrackOfAnInterruptedMove: the move is finished, not forgotten.
func TestTextTrackOfAnInterruptedMove(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, tape{id: tapeA, meeting: "a", name: "A", formats: []string{"presentation", "video"}})
	r := s.record(tapeA)
	r.State, r.Moving = store.Unpublished, store.Unpublished // the files still lie where they lay
	s.lay(r)
	if a := s.putTrack(someSRT, "recordID", tapeA, "kind", "captions", "lang", "en"); !strings.Contains(a.body, "success") {
		t.Errorf("answer %s", a.body)
	}
	if problems, err := s.library.Check(t.Context(), recordings.RepairNothing); err != nil || len(problems) > 0 {
		t.Errorf("records and files do not agree: %+v, %v", problems, err)
	}
	if r := s.record(tapeA); r.Moving != "" || r.State != store.Unpublished {
		t.Errorf("it is %s, on its way to %q", r.State, r.Moving)
	}
}

// TestBrokenListOfTextTracks: what came with the recording is not trusted.
func TestBrokenListOfTextTracks(t *testing.T) {
	t.Parallel()
	s := withRecordings(t, settings{}, tape{id: tapeA, meeting: "a", name: "A"})
	list := filepath.Join(s.web.recordingsConfig().PublishedDir, "presentation", tapeA, "captions.json")
	for what, content := range map[string]string{"no JSON": "<xml/>", "too large": "[" + strings.Repeat(" ", 5<<20) + "]"} {
		if err := os.WriteFile(list, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		s.get("getRecordingTextTracks", "recordID", tapeA).wantFailed(t, "internalError", "An internal error occurred.")
		s.putTrack(someSRT, "recordID", tapeA, "kind", "captions", "lang", "en").wantJSON(t, what, refusedJSON("upload_text_track_failed", "Text track upload failed."))
	}
}
