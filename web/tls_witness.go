package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
)

const (
	// maxWitnessed bounds what is read of an answer of the authority, in bytes.
	maxWitnessed = 1 << 20
	// maxDetail and maxCauses bound what is kept of its words.
	maxDetail, maxCauses = 500, 10
	// unreachable is the kind of failure in which the authority had no part.
	unreachable = "unreachable"
)

// errStopped is what requests get after cut.
var errStopped = errors.New("the service no longer asks for this certificate")

// witness stands between one autocert manager and the authority. It tells why
// something fails, which autocert keeps to itself: what the authority says of a
// challenge that did not work, its problem documents (RFC 8555, section 6.7),
// and that it cannot be reached at all.
type witness struct {
	next http.RoundTripper
	tell func(failure)

	mu      sync.Mutex
	causes  []string          // since it began or the last certificate came, each once
	denied  bool              // the authority itself has refused something
	orders  map[string]string // by where they are finalized: where they are
	failed  map[string]bool   // challenges that failed, by authorization and type
	stopped chan struct{}
	ended   bool
}

func newWitness(next http.RoundTripper, tell func(failure)) *witness {
	return &witness{next: next, tell: tell, orders: map[string]string{}, failed: map[string]bool{}, stopped: make(chan struct{})}
}

// cut ends the requests under way and refuses those to come.
func (w *witness) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended = true
		close(w.stopped)
	}
}

// cause returns all that was seen to fail in one error, or nil.
func (w *witness) cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.causes) == 0 {
		return nil
	}
	return errors.New(strings.Join(w.causes, "; "))
}

// forget begins anew with the causes: what failed before a certificate came is
// no news any more.
func (w *witness) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.causes = nil
}

// refused reports whether the authority has refused something, which it counts.
func (w *witness) refused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.denied
}

// RoundTrip passes the request on and looks at the answer.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	select {
	case <-w.stopped:
		return nil, errStopped
	default:
	}
	go func() {
		select {
		case <-w.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	response, err := w.next.RoundTrip(r.WithContext(ctx))
	var body []byte
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(response.Body, maxWitnessed))
		err = errors.Join(err, response.Body.Close())
	}
	if err != nil {
		select {
		case <-w.stopped:
		default:
			w.saw(failure{kind: unreachable, detail: fmt.Sprintf("%s: %v", r.URL.Host, err)})
		}
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); strings.HasSuffix(kind, "json") {
		w.look(r.URL.String(), body)
		w.locate(r.URL.String(), response.Header, body)
	}
	return response, nil
}

// maxOrders bounds the orders whose addresses are remembered, and the challenges
// that failed.
const maxOrders = 20

// locate adds the address of an order to the answer to its finalization. RFC 8555
// (section 7.4) does not ask servers to name it there again; the client that we
// have looks for it there alone when the server takes its time.
func (w *witness) locate(url string, header http.Header, body []byte) {
	var order struct {
		Finalize string `json:"finalize"`
	}
	if json.Unmarshal(body, &order) != nil || order.Finalize == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := header.Get("Location")
	switch {
	case at == "" && url == order.Finalize && w.orders[url] != "":
		header.Set("Location", w.orders[url])
	case at != "":
		if len(w.orders) >= maxOrders {
			clear(w.orders)
		}
		w.orders[order.Finalize] = at
	}
}

// problem is one of RFC 7807.
type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// kind is the last part of the type's URN.
func (p *problem) kind() string { return p.Type[strings.LastIndex(p.Type, ":")+1:] }

// look finds what failed in the answer of a URL: a problem, or an authorization
// or order with one. autocert asks for its authorizations once more when the
// certificate is there: one that failed is news only the first time.
func (w *witness) look(url string, body []byte) {
	var answer struct {
		problem
		Status     any      `json:"status"` // of an object a word, of a problem a number
		Error      *problem `json:"error"`
		Challenges []struct {
			Type  string   `json:"type"`
			Error *problem `json:"error"`
		} `json:"challenges"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return
	}
	if strings.HasPrefix(answer.Type, "urn:") && answer.kind() != "badNonce" { // which is tried again
		w.saw(failure{kind: answer.kind(), detail: answer.Detail})
	}
	for _, c := range answer.Challenges {
		if c.Error != nil && w.firstFailure(url+" "+c.Type) {
			w.saw(failure{challenge: c.Type, kind: c.Error.kind(), detail: c.Error.Detail})
		}
	}
	if answer.Error != nil && answer.Status == "invalid" && len(answer.Challenges) == 0 {
		w.saw(failure{kind: answer.Error.kind(), detail: answer.Error.Detail})
	}
}

func (w *witness) firstFailure(challenge string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed[challenge] {
		return false
	}
	if len(w.failed) >= maxOrders {
		clear(w.failed)
	}
	w.failed[challenge] = true
	return true
}

func (w *witness) saw(f failure) {
	if len(f.detail) > maxDetail {
		f.detail = strings.ToValidUTF8(f.detail[:maxDetail], "") + "..."
	}
	text := f.String()
	w.mu.Lock()
	w.denied = w.denied || f.kind != unreachable
	known := len(w.causes) >= maxCauses
	for _, cause := range w.causes {
		known = known || cause == text
	}
	if !known {
		w.causes = append(w.causes, text)
	}
	w.mu.Unlock()
	w.tell(f)
}

// failure is one thing that went wrong with the authority.
type failure struct {
	challenge string // "http-01", "tls-alpn-01", or empty
	kind      string // "connection", "dns", "rateLimited" ... or "unreachable"
	detail    string // in the authority's words
}

func (f failure) String() string {
	if f.challenge != "" {
		return f.challenge + ": " + f.kind + ": " + f.detail
	}
	return f.kind + ": " + f.detail
}

// remedy is what helps, as far as the kind of the failure tells.
func (f failure) remedy() string {
	port := "web.http_listen (80)"
	if f.challenge == "tls-alpn-01" {
		port = "web.listen (443)"
	}
	switch f.kind {
	case unreachable:
		return "let this machine reach web.acme_directory; for a private one set web.acme_ca"
	case "connection":
		return "let the internet reach " + port + " of this machine under web.host"
	case "unauthorized", "incorrectResponse", "tls":
		if f.challenge != "" {
			return "the address of web.host in the DNS must lead to " + port + " of this machine, past no proxy that answers itself"
		}
	case "dns", "caa":
		return "correct the DNS entries of web.host: its A and AAAA, and CAA if there is one"
	case "rateLimited":
		return "wait as long as it says; to try things out use the staging directory"
	case "rejectedIdentifier":
		return "use a public name as web.host that the authority gives certificates for"
	case "invalidContact", "unsupportedContact":
		return "correct web.acme_email, or leave it empty"
	}
	return "see the authority's words"
}
