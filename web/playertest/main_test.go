package playertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

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
}

var shared house

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "playertest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared = house{dir: dir}
	shared.browser = sync.OnceValues(shared.startBrowser)
	shared.studio = sync.OnceValues(func() (*recordingtest.Studio, error) { return recordingtest.NewStudio(dir) })
	code := m.Run()
	for _, end := range shared.close {
		end()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// startBrowser starts Chromium. No name resolves in it but addresses of this
// machine, so that a page that asks another host cannot reach it.
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
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-gpu", true), chromedp.UserDataDir(h.dir+"/profile"),
		chromedp.Flag("mute-audio", true), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
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
