package playertest

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"scalelite/recordings"
	"scalelite/recordings/recordingtest"
	"scalelite/store"
)

// protect makes a recording open only to who has a link.
func (h *theatre) protect(r *recordingtest.Recording) {
	h.t.Helper()
	yes := true
	if ok, err := h.library.Update(h.t.Context(), nil, []string{r.ID}, recordings.Change{Protect: &yes}); !ok || err != nil {
		h.t.Fatalf("not protected: %v", err)
	}
}

// link is what getRecordings gives out for a protected recording.
func (h *theatre) link(r *recordingtest.Recording, format string) string {
	h.t.Helper()
	token := strings.Repeat("0123456789abcdef", 4)
	err := h.store.Update(h.t.Context(), func(tx *store.Tx) error {
		return tx.PutPlayToken(store.PlayToken{Token: token, RecordID: r.ID, Format: format, Expires: time.Now().Add(time.Hour)})
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return "/recording/" + r.ID + "/" + format + "?token=" + token
}

const expiredText = "This link has expired Open the recording again from your course."

// TestProtectedRecordings: with a link they play; without one, or when it is too
// late, the page says what to do, and tells nothing of the recording.
func TestProtectedRecordings(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	r := h.show(recordingtest.Options{Title: "Secret circle"})
	h.protect(r)
	reader := h.play(t, laptop, h.link(r, "presentation"))
	reader.key("k")
	reader.wait(`document.querySelector("#camera").currentTime > 0.3`)
	reader.key("k")
	reader.seek(26)
	if got := reader.state(); got.Slide != "image5" || len(got.Shapes) != r.Gallery {
		t.Errorf("with a link: %+v", got)
	}
	reader.wantQuiet()

	stranger := newTab(t, laptop)
	stranger.open(h.url + r.Path())
	stranger.wantFailure("expired", expiredText)
	// The reader's cookie goes after hours.
	call(reader, clearCookies, none{})
	reader.do(`document.querySelector("#camera").currentTime = 13`)
	reader.wait(`document.documentElement.dataset.state === "failed"`)
	reader.wantFailure("expired", expiredText)
	reader.open(h.url + r.Path())
	reader.wantFailure("expired", expiredText)
	for _, p := range []*tab{stranger, reader} {
		if text := evaluate[string](p, "document.title + document.body.innerText"); strings.Contains(text, "Secret") {
			t.Errorf("the page tells %q", text)
		}
	}
	german := newTab(t, phone)
	german.open(h.url + r.Path() + "?locale=de")
	german.wantFailure("expired", "abgelaufen")
}

// wantFailure checks that the page says in words what is wrong.
func (p *tab) wantFailure(kind, text string) {
	p.t.Helper()
	got := evaluate[struct{ State, Failure, Text string }](p, `(() => {
		const {state, failure} = document.documentElement.dataset;
		return {state, failure, text: document.body.innerText};
	})()`)
	if got.State != "failed" || got.Failure != kind || !strings.Contains(strings.Join(strings.Fields(got.Text), " "), text) {
		p.t.Errorf("the page is %s because of %q and says %q", got.State, got.Failure, got.Text)
	}
}

// TestNothingToPlay: what is not there, or cannot be reached, has a page that
// says so.
func TestNothingToPlay(t *testing.T) {
	t.Parallel()
	h := newTheatre(t, nil)
	var left atomic.Int32 // how often the film is there
	left.Store(1)
	silent := h.make(recordingtest.Options{Title: "Silent"})
	silent.Remove("video/webcams.webm")
	h.bring(silent)
	p := newTab(t, laptop)
	p.open(h.url + silent.Path())
	p.wantFailure("media", "")

	// A film that is there and that the browser knows nothing of: to try again is
	// no use.
	foreign := h.make(recordingtest.Options{Title: "Foreign"})
	foreign.Put("video/webcams.webm", strings.Repeat("no film ", 1000))
	h.bring(foreign)
	p.open(h.url + foreign.Path() + "?locale=en")
	p.wait(`document.documentElement.dataset.state === "failed"`)
	p.wantFailure("media", "Try another browser")
	if evaluate[bool](p, `document.querySelector("#retry").offsetWidth > 0`) {
		t.Error("a film that the browser cannot play can be tried again")
	}
	// One that was there a moment ago and does not come.
	h.disturb(func(_ http.ResponseWriter, request *http.Request) bool {
		if strings.HasSuffix(request.URL.Path, "/video/webcams.webm") && (request.Method == http.MethodGet || left.Add(-1) < 0) {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	p.open(h.url + foreign.Path())
	p.wait(`document.documentElement.dataset.state === "failed"`)
	p.wantFailure("network", "")
	h.disturb(nil)

	r := h.show(recordingtest.Options{Title: "Unreachable"})
	h.disturb(func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.HasPrefix(request.URL.Path, "/presentation/"+r.ID) {
			return false
		}
		panic(http.ErrAbortHandler)
	})
	p.open(h.url + r.Path())
	p.wantFailure("network", "")
	h.disturb(nil)
	p.click("#retry")
	p.wait(`document.documentElement?.dataset.state === "ready"`)

	hidden := h.show(recordingtest.Options{Title: "Hidden"})
	if _, err := h.library.SetPublished(t.Context(), nil, []string{hidden.ID}, false); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{hidden.Path(), "/playback/presentation/2.3/" + strings.Repeat("0", 40) + "-1767258000000", "/playback/presentation/2.3/x"} {
		response, err := http.Get(h.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
}
