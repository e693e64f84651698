package bbb

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxQuery is the length in bytes up to which parameters go into the query;
// proxies and servlet containers commonly refuse request lines above 8 KiB.
const maxQuery = 6000

// Endpoint is one server's API.
type Endpoint struct {
	// URL is the base of the API as ParseServerURL returns it.
	URL string
	// Secret and Algorithm sign the calls; without an Algorithm it is SHA256.
	Secret    Secret
	Algorithm Algorithm
}

// Body is the body of a POST, which can be read more than once.
type Body struct {
	// ContentType is sent as it is.
	ContentType string
	// Length is in bytes; negative if unknown.
	Length int64
	// Open returns the body from its first byte. It may be called again when
	// a kept connection turns out to be dead.
	Open func() (io.ReadCloser, error)
}

// Client calls BBB servers. It is safe for concurrent use and holds no state
// of a server.
type Client struct {
	transport http.RoundTripper
	config    ClientConfig
}

// NewClient returns a client on a transport, normally that of NewTransport.
func NewClient(rt http.RoundTripper, c ClientConfig) *Client {
	return &Client{transport: rt, config: c.withDefaults()}
}

// SignedURL returns the signed URL of a call, to redirect a browser to. It is
// a secret for as long as the meeting lasts.
func (c *Client) SignedURL(e Endpoint, call string, p Params) string {
	return signedURL(e, call, p.Encode())
}

func signedURL(e Endpoint, call, query string) string {
	return e.URL + "/" + call + "?" + Sign(e.Algorithm, call, query, e.Secret)
}

// Call makes a signed call: a GET, or a POST if there is a body, which then
// goes out byte for byte, with the parameters in the query. It returns the
// server's answer, also one that says FAILED; every error is a *CallError.
// Redirects are not followed, and only HTTP status 200 is an answer: BBB uses
// no other but for join.
//
// A query too long for a request line, as create has with many metadata or
// groups, becomes a POST with the longest parameters in a form body. Some
// always stay in the query, and alone are signed. BBB 2.4 to 2.6 verify a
// query that is not empty and BBB 3 verifies nothing else, and both then merge
// query and body, so both take it.
func (c *Client) Call(ctx context.Context, e Endpoint, call string, p Params, body *Body) (Reply, error) {
	query := p.Encode()
	// sendChatMessage is the one call that BBB takes as GET only.
	if body == nil && len(query) > maxQuery && call != "sendChatMessage" {
		query, body = spill(p, maxQuery)
	}
	return c.ask(ctx, e, call, signedURL(e, call, query), body)
}

// Version asks a server's index for its bbbVersion, which needs no secret;
// "" if the server hides it. Every error is a *CallError.
func (c *Client) Version(ctx context.Context, e Endpoint) (string, error) {
	reply, err := c.ask(ctx, e, "", e.URL, nil)
	if err != nil {
		return "", err
	}
	if !reply.OK || reply.Field("version") == "" {
		server := hostOf(e.URL)
		f := &failure{fault: FaultNotBBB, text: server + " answered XML that is not the index of a BBB API"}
		return "", &CallError{Server: server, Kind: Garbage, Err: f}
	}
	return reply.Field("bbbVersion"), nil
}

func (c *Client) ask(ctx context.Context, e Endpoint, call, target string, body *Body) (Reply, error) {
	server := hostOf(e.URL)
	answer, kind, fail := c.exchange(ctx, server, target, body)
	var reply Reply
	if fail == nil {
		var err error
		if reply, err = parseReply(answer); err == nil {
			return reply, nil
		}
		kind = Garbage
		fail = &failure{fault: FaultNotBBB, text: server + " answered " + describe(answer, err), is: ErrReply}
	}
	if e.Secret != "" {
		fail.text = strings.ReplaceAll(fail.text, e.Secret.Reveal(), "[...]")
	}
	return Reply{}, &CallError{Server: server, Call: call, Kind: kind, Status: fail.status, Err: fail}
}

// exchange sends one request and reads the answer within its time and size.
func (c *Client) exchange(parent context.Context, server, target string, body *Body) ([]byte, Kind, *failure) {
	if parent.Err() != nil {
		return nil, NotSent, explain(server, parent.Err(), parent, parent)
	}
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	w := newWatch(c.config, c.config.ResponseTimeout+sendingTime(body), cancel)
	defer w.stop()
	req, err := c.request(httptrace.WithClientTrace(ctx, w.trace()), target, body)
	if err != nil {
		return nil, NotSent, &failure{fault: FaultLocal, text: fmt.Sprintf("request to %s could not be made", server)}
	}
	resp, err := c.transport.RoundTrip(req)
	if err == nil {
		defer resp.Body.Close()
		if f := checkStatus(server, resp); f != nil {
			return nil, Garbage, f
		}
		var answer []byte
		if answer, err = c.read(server, resp); err == nil {
			return answer, 0, nil
		}
	}
	kind, f := w.judge(server, err, parent, ctx)
	return nil, kind, f
}

func (c *Client) request(ctx context.Context, target string, body *Body) (*http.Request, error) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.config.UserAgent)
	if body == nil {
		return req, nil
	}
	if body.ContentType != "" {
		req.Header.Set("Content-Type", body.ContentType)
	}
	if body.Length == 0 {
		req.Body = http.NoBody
		return req, nil
	}
	if req.Body, err = body.Open(); err != nil {
		return nil, err
	}
	req.GetBody, req.ContentLength = body.Open, body.Length
	return req, nil
}

// slowestSending is the rate in bytes per second below which a body counts as
// not getting through.
const slowestSending = 512 << 10

// sendingTime is how long a body may take on its way to a slow but honest
// server.
func sendingTime(body *Body) time.Duration {
	if body == nil || body.Length <= 0 {
		return 0
	}
	return time.Duration(body.Length) * time.Second / slowestSending
}

// checkStatus refuses every status but 200. Of a redirect's target only scheme
// and host are told, for the rest may repeat our query.
func checkStatus(server string, resp *http.Response) *failure {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	f := &failure{fault: FaultStatus, status: resp.StatusCode}
	f.text = fmt.Sprintf("%s answered HTTP status %d", server, resp.StatusCode)
	if text := http.StatusText(resp.StatusCode); text != "" {
		f.text += " (" + text + ")"
	}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		f.fault = FaultPath
	case resp.StatusCode/100 == 3:
		f.fault = FaultRedirect
		if u, err := url.Parse(resp.Header.Get("Location")); err == nil && u.Host != "" {
			f.target = excerpt(u.Scheme + "://" + u.Host)
			f.text += ", a redirect to " + f.target
		}
	}
	return f
}

// read reads an answer of up to MaxBody bytes.
func (c *Client) read(server string, resp *http.Response) ([]byte, error) {
	const trusted = 1 << 20 // a Content-Length up to which memory is set aside at once
	large := &failure{fault: FaultTooLarge, text: fmt.Sprintf("%s answered more than %d bytes", server, c.config.MaxBody)}
	if resp.ContentLength > c.config.MaxBody {
		return nil, large
	}
	var b bytes.Buffer
	b.Grow(int(min(max(resp.ContentLength, 0), trusted)) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, c.config.MaxBody+1)); err != nil {
		return nil, err
	}
	if int64(b.Len()) > c.config.MaxBody {
		return nil, large
	}
	return b.Bytes(), nil
}

// spill moves the longest parameters into a form body until the rest, of which
// at least one parameter is left, fits into limit bytes.
func spill(p Params, limit int) (string, *Body) {
	length := func(i int) int {
		return len(url.QueryEscape(p.list[i].name)) + len(url.QueryEscape(p.list[i].value)) + len("=&")
	}
	order := make([]int, len(p.list))
	total := -len("&")
	for i := range order {
		order[i] = i
		total += length(i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(length(b), length(a)) })
	moved := make([]bool, len(p.list))
	for _, i := range order[:max(len(order)-1, 0)] {
		if total <= limit {
			break
		}
		moved[i] = true
		total -= length(i)
	}
	var inQuery, inBody Params
	for i, e := range p.list {
		if moved[i] {
			inBody.set(e.name, e.value)
		} else {
			inQuery.set(e.name, e.value)
		}
	}
	if inBody.Len() == 0 {
		return inQuery.Encode(), nil
	}
	return inQuery.Encode(), formBody(inBody.Encode())
}

func formBody(form string) *Body {
	return &Body{
		ContentType: "application/x-www-form-urlencoded",
		Length:      int64(len(form)),
		Open:        func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(form)), nil },
	}
}
