package cmd

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"scalelite/balancer/bbbtest"
)

// BenchmarkMemory reports the resident memory of the real process in MiB: at
// rest, with 200 servers and 2,000 meetings, and after joins joins. Run it once:
//
//	go test -run '^$' -bench Memory -benchtime 1x ./cmd
func BenchmarkMemory(b *testing.B) {
	const servers, meetings, joins = 200, 2000, 1_000_000
	for b.Loop() {
		p := newProcess(b, "poll_interval = \"5s\"")
		p.start()
		b.ReportMetric(p.rss(), "MiB-rest")

		var specs strings.Builder
		specs.WriteString("servers:\n")
		var pool []*bbbtest.Server
		for i := range servers {
			server := bbbtest.Start(b, bbbtest.Options{})
			pool = append(pool, server)
			fmt.Fprintf(&specs, "  bbb%d:\n    url: %q\n    secret: %q\n    enabled: true\n", i, server.URL(), server.Secret())
		}
		file := p.dir + "/servers.yml"
		if err := os.WriteFile(file, []byte(specs.String()), 0o600); err != nil {
			b.Fatal(err)
		}
		if _, errOut, err := p.run("servers", "sync", file); err != nil {
			b.Fatalf("sync: %v: %s", err, errOut)
		}
		if _, errOut, err := p.run("poll"); err != nil {
			b.Fatalf("poll: %v: %s", err, errOut)
		}
		for i := range meetings {
			if reply, err := p.get("create", "meetingID", fmt.Sprint("meeting-", i), "name", "A class"); err != nil || !reply.OK {
				b.Fatalf("create: %v %+v", err, reply)
			}
		}
		if _, errOut, err := p.run("poll"); err != nil {
			b.Fatalf("poll: %v: %s", err, errOut)
		}
		before := p.rss()
		b.ReportMetric(before, "MiB-loaded")
		p.join(meetings, joins)
		after := p.rss()
		b.ReportMetric(after, "MiB-joined")
		b.ReportMetric(after/before, "ratio")
		if got := len(pool[0].Meetings()); got == 0 {
			b.Error("the meetings went to other servers than those of this benchmark")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// join opens join links, from 32 clients at once, without following them.
func (p *process) join(meetings, joins int) {
	links := make([]string, meetings)
	for i := range links {
		links[i] = p.link("join", "meetingID", fmt.Sprint("meeting-", i), "fullName", "Ada", "role", "VIEWER")
	}
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 32 {
		clients.Go(func() {
			for i := next.Add(1); i <= int64(joins); i = next.Add(1) {
				response, err := p.client.Get(links[i%int64(meetings)])
				if err != nil {
					p.t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode != http.StatusFound {
					p.t.Errorf("join: status %d", response.StatusCode)
					return
				}
			}
		})
	}
	clients.Wait()
}

// rss is the resident memory of the process in MiB.
func (p *process) rss() float64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return kib / 1024
		}
	}
	p.t.Fatal("no VmRSS")
	return 0
}
