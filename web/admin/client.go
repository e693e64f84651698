package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	dialTimeout = 3 * time.Second
	// continueTimeout is how long a tarball is held back for the daemon to say
	// whether it wants it.
	continueTimeout = 10 * time.Second
	// maxAnswer bounds an answer in bytes that is not a backup.
	maxAnswer = 256 << 20
)

// ErrNoDaemon is what a Client returns when nobody listens on its socket.
var ErrNoDaemon = errors.New("no daemon runs")

// Client is the Service of the running daemon, over its socket. How long a call
// may take is up to its context.
type Client struct {
	// Version is that of this program, for Skew; set it before the first call.
	Version string

	path   string
	http   http.Client
	theirs atomic.Pointer[string]
}

var _ Service = (*Client)(nil)

// NewClient returns the Service of the daemon that listens on socketPath. It
// connects with the first call, and keeps no connection between calls.
func NewClient(socketPath string) *Client {
	c := &Client{path: socketPath}
	c.http.Transport = &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			d := net.Dialer{Timeout: dialTimeout}
			return d.DialContext(ctx, "unix", socketPath)
		},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 1 << 20,
		ExpectContinueTimeout:  continueTimeout,
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Skew says, for people, that the daemon that answered last is of another
// version than this program; "" if it is not, or none answered yet.
func (c *Client) Skew() string {
	theirs := c.theirs.Load()
	if theirs == nil || *theirs == c.Version || c.Version == "" {
		return ""
	}
	return fmt.Sprintf("the daemon runs version %s, this command is version %s: restart the daemon (systemctl restart scalelite)", *theirs, c.Version)
}

// ask makes a call and decodes its result into out, also that beside an error.
func (c *Client) ask(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	return c.answer(ctx, resp, out)
}

// answer reads the answer of a call into out.
func (c *Client) answer(ctx context.Context, resp *http.Response, out any) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return c.broken(ctx, err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the daemon answered more than %d bytes", maxAnswer)
	}
	if resp.StatusCode != http.StatusOK {
		return c.refusal(resp, body, out)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("answer of the daemon: %w", err)
	}
	return nil
}

// send sends a request; in nil: without a body.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil { // a number that JSON does not have
			return nil, &Error{Invalid, "the request makes no sense: " + err.Error()}
		}
		if len(text) > maxBody {
			return nil, &Error{Invalid, fmt.Sprintf("the request has %d bytes, the daemon takes %d", len(text), maxBody)}
		}
		body = bytes.NewReader(text)
	}
	return c.do(ctx, method, path, body, "application/json", nil)
}

// do sends a request; prepare, if not nil, completes it.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader, kind string, prepare func(*http.Request)) (*http.Response, error) {
	// The host is no name that a proxy or a resolver would know.
	req, err := http.NewRequestWithContext(ctx, method, "http://scalelite.invalid"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(versionHeader, c.Version)
	req.Header.Set("Content-Type", kind)
	if prepare != nil {
		prepare(req)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if version := resp.Header.Get(versionHeader); version != "" {
		c.theirs.Store(&version)
		return resp, nil
	}
	_ = resp.Body.Close()
	return nil, fmt.Errorf("what answers on %s is not scalelite: look at web.admin_socket", c.path)
}

// refusal decodes the answer of a call that failed.
func (c *Client) refusal(resp *http.Response, body []byte, out any) error {
	var f struct {
		Error
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(body, &f); err != nil || f.Code == "" {
		return fmt.Errorf("the daemon answered with status %d", resp.StatusCode)
	}
	if len(f.Result) > 0 {
		if err := json.Unmarshal(f.Result, out); err != nil {
			return fmt.Errorf("answer of the daemon: %w", err)
		}
	}
	return &f.Error
}

// broken says what a call that got no answer means for an operator.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, isURL := errors.AsType[*url.Error](err); isURL {
		err = e.Err
	}
	var dial *net.OpError
	dialing := errors.As(err, &dial) && dial.Op == "dial"
	switch {
	case dialing && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return fmt.Errorf("%w: nobody listens on %s", ErrNoDaemon, c.path)
	case dialing && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w on %s: use sudo, or join the group scalelite ('sudo usermod -aG scalelite USER', then log in anew)", fs.ErrPermission, c.path)
	case dialing:
		return fmt.Errorf("connect to the daemon: %w", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("the daemon stopped during the call; whether the call took effect is not known: %w", err)
	}
	return fmt.Errorf("call of the daemon: %w", err)
}
