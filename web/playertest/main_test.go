package playertest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"scalelite/recordings/recordingtest"
)

// house is what all tests share: a browser, and a studio that makes each film
// once. Both are made when they are first needed.
type house struct {
	dir     string
	browser func() (context.Context, error)
	studio  func() (*recordingtest.Studio, error)
	close   []func()

	strangers atomic.Int64 // who asked the host that no page may ask
}

var shared house

// atOnce is how many tests run at a time, unless somebody says otherwise: most of
// what they do is to wait for pictures.
const atOnce = 4

func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set(strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0))))
	}
	dir, err := os.MkdirTemp("", "playertest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.dir = dir
	shared.browser = sync.OnceValues(shared.startBrowser)
	shared.studio = sync.OnceValues(func() (*recordingtest.Studio, error) { return recordingtest.NewStudio(dir) })
	code := m.Run()
	for _, end := range shared.close {
		end()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// listenAsStranger counts who asks the host that hostile recordings name, and
// returns its address. Who only connects does not count: browsers do that ahead,
// for a frame that a policy then forbids.
func (h *house) listenAsStranger() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.strangers.Add(1)
		w.WriteHeader(http.StatusNotFound)
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	h.close = append(h.close, func() {
		_ = server.Close()
		<-done
	})
	return ln.Addr().String(), nil
}

// startBrowser starts Chromium. No name resolves in it but that of the stranger,
// who counts.
func (h *house) startBrowser() (context.Context, error) {
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, errors.New("chromium is not installed")
	}
	stranger, err := h.listenAsStranger()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-gpu", true), chromedp.UserDataDir(h.dir+"/profile"),
		chromedp.Flag("mute-audio", true), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("host-resolver-rules", "MAP "+recordingtest.Stranger+" "+stranger+", MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("lang", "en-US"), chromedp.Flag("disable-features", "Translate,MediaRouter"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, end := chromedp.NewContext(allocator)
	h.close = append(h.close, end, stop)
	if err := chromedp.Do(browser); err != nil {
		return nil, fmt.Errorf("start chromium: %w", err)
	}
	return browser, nil
}

// browser returns the shared browser, and skips the test if there is none.
func browser(t testing.TB) context.Context {
	t.Helper()
	ctx, err := shared.browser()
	missing(t, err)
	return ctx
}

// studio returns the shared studio, and skips the test if there is none.
func studio(t testing.TB) *recordingtest.Studio {
	t.Helper()
	s, err := shared.studio()
	missing(t, err)
	return s
}

// missing skips the test because of something that is not installed; where
// everything must be tested that is a failure.
func missing(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}
