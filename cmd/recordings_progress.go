package cmd

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	barWidth     = 24
	eraseLine    = "\r\x1b[K"
	liveProgress = 100 * time.Millisecond // between two pictures of a bar
	lineProgress = 10 * time.Second       // between two lines where there is no terminal
)

// progress shows how far the work on a file is: as a bar on a terminal, else as
// a line now and then. It is safe for concurrent use.
type progress struct {
	a    *app
	name string

	mu    sync.Mutex
	what  string // "sent"
	began time.Time
	shown time.Time
	drawn bool // there is a bar to erase
}

func (a *app) newProgress(path string) *progress {
	return &progress{a: a, name: printable(filepath.Base(path))}
}

// phase begins a part of the work; what is done to the bytes in it.
func (p *progress) phase(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.began, p.shown = what, p.a.now(), p.a.now()
}

// at tells how far the part is, in bytes.
func (p *progress) at(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.a.now()
	if !p.a.liveOutput {
		if now.Sub(p.shown) >= lineProgress {
			p.shown = now
			fmt.Fprintf(p.a.stdout, "%s: %s of %s %s\n", p.name, byteSize(done), byteSize(total), p.what)
		}
		return
	}
	if now.Sub(p.shown) < liveProgress && done < total && p.drawn {
		return
	}
	p.shown, p.drawn = now, true
	fmt.Fprintf(p.a.stdout, "%s%s  %s", eraseLine, p.name, p.bar(done, total, now.Sub(p.began)))
}

// bar is a picture of the progress: share, bytes, rate and time left.
func (p *progress) bar(done, total int64, took time.Duration) string {
	share := 1.0
	if total > 0 {
		share = min(1, float64(done)/float64(total))
	}
	full := int(share * barWidth)
	text := fmt.Sprintf("[%s%s] %3d%%  %s of %s %s", strings.Repeat("#", full), strings.Repeat("-", barWidth-full),
		int(share*100), byteSize(done), byteSize(total), p.what)
	if took < time.Second || done == 0 {
		return text
	}
	rate := float64(done) / took.Seconds()
	text += fmt.Sprintf("  %s/s", byteSize(int64(rate)))
	if done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		text += "  " + clock(left) + " left"
	}
	return text
}

// end takes the bar away.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.a.stdout, eraseLine)
		p.drawn = false
	}
}
