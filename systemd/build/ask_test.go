//go:build e2e && linux

package main

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// get asks the machine for a URL, by the curl of the machine around. Whatever
// the name in it, it is asked of the machine.
func (m *machine) get(url string) (string, error) {
	out, err := exec.CommandContext(m.t.Context(), "nsenter", "-t", strconv.Itoa(m.pid), "-n", "curl", "-sS", "--max-time", "10", "--connect-to", "::127.0.0.1:", url).CombinedOutput()
	return string(out), err
}

// answers asks the API until the version answers.
func (m *machine) answers(version string) {
	m.t.Helper()
	m.answersAs("http://127.0.0.1:3000/bigbluebutton/api", version)
}

func (m *machine) answersAs(url, version string) {
	m.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		body, err := m.get(url)
		if err == nil && strings.Contains(body, "<returncode>SUCCESS</returncode>") && strings.Contains(body, "<build>"+version+"</build>") {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("version %s does not answer: %v %s", version, err, body)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// watched is what came of asking the API again and again.
type watched struct {
	asked, failed int
	gap           time.Duration // the longest from one answer to the next
}

// watch asks the API again and again until what it returns is called.
func (m *machine) watch() func() watched {
	ctx, cancel := context.WithCancel(m.t.Context())
	result := make(chan watched)
	go func() {
		var w watched
		for last := time.Now(); ctx.Err() == nil; w.asked++ {
			body, err := m.get("http://127.0.0.1:3000/bigbluebutton/api")
			if w.gap = max(w.gap, time.Since(last)); err != nil || !strings.Contains(body, "SUCCESS") {
				w.failed++
				continue
			}
			last = time.Now()
		}
		result <- w
	}()
	return func() watched {
		cancel()
		return <-result
	}
}
