package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"scalelite/recordings"
)

// benchmarkServer is set in the process that answers in BenchmarkServing.
const benchmarkServer = "SCALELITE_BENCHMARK_SERVER"

// Sizes of what is served, in bytes.
const (
	bigFile    = 1 << 30
	smallFile  = 20_000
	smallFiles = 100
)

// TestServeForBenchmark is the process that BenchmarkServing starts, so that the
// clients are nobody's part.
func TestServeForBenchmark(t *testing.T) {
	dir := os.Getenv(benchmarkServer)
	if dir == "" {
		t.Skip("is for BenchmarkServing")
	}
	s := newSystem(t, settings{recordings: func(c *recordings.Config) { *c = c.Below(dir) }})
	names := map[string]string{"presentation/big.webm": ""}
	for i := range smallFiles {
		names[fmt.Sprintf("presentation/small/%d.png", i)] = ""
	}
	r := s.keep(recordingID, names, nil)
	big, err := os.Create(filepath.Join(s.dir(r, "presentation"), "big.webm"))
	if err != nil {
		t.Fatal(err)
	}
	block := []byte(strings.Repeat("0123456789abcdef", 1<<16))
	for range bigFile / len(block) {
		if _, err := big.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(big.Sync(), big.Close()); err != nil {
		t.Fatal(err)
	}
	for i := range smallFiles {
		s.file(r, fmt.Sprintf("presentation/small/%d.png", i), string(block[:smallFile]))
	}
	fmt.Println("SERVES " + strings.TrimPrefix(s.url, "http://"))
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark closes it
}

// BenchmarkServing compares with nginx, which serves the same files at the same
// time of day: rounds of both in turn, the median of their ratios. Small files
// are asked for by four connections at once.
func BenchmarkServing(b *testing.B) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		b.Skip("nginx is not installed")
	}
	dir := b.TempDir()
	ours, stop := startBenchmarkServer(b, dir)
	defer stop()
	theirs, stop := startNginx(b, nginx, filepath.Join(dir, "published"))
	defer stop()
	base := "/presentation/" + recordingID
	big := func(addr string) time.Duration {
		return request(b, addr, 1, 1, bigFile, func(int) string { return base + "/big.webm" })
	}
	small := func(addr string) time.Duration {
		return request(b, addr, 4, 2500, smallFile, func(i int) string { return fmt.Sprintf("%s/small/%d.png", base, i%smallFiles) })
	}
	for name, run := range map[string]func(string) time.Duration{"1GiB": big, "10000x20KB": small} {
		b.Run(name, func(b *testing.B) {
			var ratios, times, others []float64
			for b.Loop() {
				their, our := run(theirs).Seconds(), run(ours).Seconds()
				ratios, times, others = append(ratios, their/our), append(times, our), append(others, their)
			}
			b.ReportMetric(median(ratios), "of-nginx")
			b.ReportMetric(median(times), "s-ours")
			b.ReportMetric(median(others), "s-nginx")
		})
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

func startBenchmarkServer(b *testing.B, dir string) (addr string, stop func()) {
	b.Helper()
	server := exec.Command(os.Args[0], "-test.run=^TestServeForBenchmark$", "-test.v")
	server.Env = append(os.Environ(), benchmarkServer+"="+dir)
	server.Stderr = os.Stderr
	in, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	for lines := bufio.NewScanner(out); addr == "" && lines.Scan(); {
		addr, _ = strings.CutPrefix(lines.Text(), "SERVES ")
		if addr == lines.Text() {
			addr = ""
		}
	}
	return addr, func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = server.Wait()
	}
}

// startNginx serves a directory with nginx as it is set up for static files:
// sendfile, no log, no limit of requests per connection.
func startNginx(b *testing.B, nginx, root string) (addr string, stop func()) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr = ln.Addr().String()
	_ = ln.Close()
	dir := b.TempDir()
	config := fmt.Sprintf(`daemon off; worker_processes auto; pid %[1]s/pid; error_log stderr crit;
user root;
events { worker_connections 512; }
http {
	sendfile on; tcp_nopush on; access_log off; keepalive_requests 10000000;
	types { video/webm webm; image/png png; }
	client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	server { listen %[2]s; root %[3]s; }
}`, dir, addr, root)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		b.Fatal(err)
	}
	server := exec.Command(nginx, "-c", file, "-e", "stderr")
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(end) {
			b.Fatal(err)
		}
	}
	return addr, func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	}
}

// request gets n files on each of so many connections, and returns how long it
// took.
func request(b *testing.B, addr string, connections, n int, size int64, path func(int) string) time.Duration {
	b.Helper()
	began := time.Now()
	var wg sync.WaitGroup
	for c := range connections {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			in := bufio.NewReaderSize(conn, 64<<10)
			for i := range n {
				if err := getOne(conn, in, path(c*n+i), size); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func getOne(conn net.Conn, in *bufio.Reader, path string, size int64) error {
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || response.ContentLength != size {
		return fmt.Errorf("%s: %s, %d bytes", path, response.Status, response.ContentLength)
	}
	if _, err := in.Discard(int(size)); err != nil {
		return err
	}
	return nil
}
