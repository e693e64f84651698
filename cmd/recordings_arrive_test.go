package cmd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"scalelite/store"
)

// needTools skips a test where a tool is missing.
func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

func id(name string) string { return fmt.Sprintf("%s-%d", name, firstStart.UnixMilli()) }

// TestRsyncBringsTarballsOfEveryFormat (T11): GNU tar in all its formats, with
// modes and owners of its own, over rsync with its temporary names, fast and
// slowly.
func TestRsyncBringsTarballsOfEveryFormat(t *testing.T) {
	t.Parallel()
	needTools(t, "rsync", "tar", "gzip")
	p := newProcess(t, "")
	p.start()
	source, sent := t.TempDir(), t.TempDir()
	want := map[string]made{}
	for _, format := range []string{"gnu", "oldgnu", "pax", "posix", "ustar", "v7", "zipped"} {
		m := made{id: id(format), meeting: "room", version: 1, formats: []string{"presentation", "video"}, size: 100_000}
		m.tree(t, source)
		want[m.id] = m
		args := []string{"-C", source, "--format=" + format, "--mode=a=", "--owner=998", "--group=2000", "-cf", filepath.Join(sent, m.id+".tar")}
		if format == "zipped" {
			args = []string{"-C", source, "-czf", filepath.Join(sent, m.id+".tar.gz")}
		}
		runTool(t, source, "tar", append(args, "./presentation/"+m.id, "video/"+m.id)...)
	}
	found, err := filepath.Glob(filepath.Join(sent, "*"))
	if err != nil || len(found) != len(want) {
		t.Fatalf("%v: %v", found, err)
	}
	runTool(t, sent, "rsync", append(append([]string{"-a"}, found[1:]...), p.path("spool")+"/")...)
	runTool(t, sent, "rsync", "-a", "--bwlimit=2M", found[0], p.path("spool")+"/")
	p.imported()
	all, _ := p.recordings()
	for _, m := range want {
		if r := all[m.id]; r.State != "published" || len(r.Formats) != 2 {
			t.Errorf("%s: %+v", m.id, r)
		}
		for name, text := range m.files() {
			path := p.path("published", name)
			if got, err := os.ReadFile(path); err != nil || string(got) != text {
				t.Errorf("%s: %v, or other contents", name, err)
			}
			if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o644 {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
		}
	}
	p.inOrder()
}

// TestSlowWriterIsWaitedFor (T8): a tarball that is written piece by piece under
// its own name is imported once, and whole.
func TestSlowWriterIsWaitedFor(t *testing.T) {
	t.Parallel()
	needTools(t, "sh", "dd", "sleep")
	p := newProcess(t, "")
	p.start()
	m := made{id: id("slow"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 20_000}
	file := filepath.Join(t.TempDir(), m.id+".tar")
	if err := os.WriteFile(file, m.tar(), 0o644); err != nil {
		t.Fatal(err)
	}
	writer := exec.Command("sh", "-c", `i=0; while dd if="$0" bs=12k skip=$i count=1 status=none | grep -c . >/dev/null; do
		dd if="$0" bs=12k skip=$i count=1 status=none >> "$1"; i=$((i+1)); sleep 0.2; done`, file, p.path("spool", m.id+".tar"))
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- writer.Wait() }()
	seen := map[store.ImportState]bool{}
	for writing := true; writing; {
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			writing = false
		case <-time.After(20 * time.Millisecond):
			if f, ok := p.spoolFile(m.id + ".tar"); ok {
				seen[f.State] = true
			}
			if all, _ := p.recordings("state", "any"); len(all) > 0 || len(p.names("failed")) > 0 {
				t.Fatalf("taken while it was written: %+v, failed: %v", all, p.names("failed"))
			}
		}
	}
	if !seen[store.ImportSettling] || len(seen) > 1 {
		t.Errorf("states while it was written: %v, want settling alone", seen)
	}
	p.imported()
	for name, text := range m.files() {
		if got, err := os.ReadFile(p.path("published", name)); err != nil || string(got) != text {
			t.Errorf("%s: %v, or other contents", name, err)
		}
	}
	if n := strings.Count(p.out.tail(), "tarball imported"); n != 1 {
		t.Errorf("imported %d times", n)
	}
	p.inOrder()
}

// frontend takes callbacks.
type frontend struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []string // signed_parameters
}

func newFrontend(t *testing.T) *frontend {
	f := &frontend{status: http.StatusOK}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.got = append(f.got, r.FormValue("signed_parameters"))
		w.WriteHeader(f.status)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *frontend) answer(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

func (f *frontend) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// TestFormatsComeOneAfterTheOther (T6, T24, T25, T26): tarballs of the same name
// add formats to one recording; each is told to the front-end, signed with the
// secret that it has, also when it could not be reached over a restart.
func TestFormatsComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	front := newFrontend(t)
	p := newProcessWith(t, sections{web: fmt.Sprintf("secrets = [\"another-first-secret\", %q]\ncallback_allow_private = true", processSecret.Reveal())})
	p.withServers(1)
	p.start()
	eventually(t, "a create", func() bool {
		reply, err := p.get("create", "meetingID", "room", "name", "A class", "record", "true", "meta_bn-recording-ready-url", front.URL+"/ready")
		return err == nil && reply.OK
	})
	m := made{id: id("twice"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 1000}
	p.place(m)
	p.imported()
	eventually(t, "the first callback", func() bool { return len(front.calls()) == 1 })

	front.answer(http.StatusServiceUnavailable)
	m.version, m.formats = 2, []string{"presentation", "video"}
	p.place(m)
	p.imported()
	eventually(t, "the second callback", func() bool { return len(front.calls()) == 2 })
	eventually(t, "the callback to be tried again", func() bool { return strings.Contains(p.mustRun("callbacks"), "pending") })
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	front.answer(http.StatusGone)
	p.start()
	p.mustRun("callbacks", "retry", "--all")
	eventually(t, "the front-end to be told after all", func() bool {
		return len(front.calls()) >= 3 && strings.Contains(p.mustRun("callbacks"), "No callbacks")
	})
	for _, signed := range front.calls() {
		var claims struct {
			Meeting string `json:"meeting_id"`
			Record  string `json:"record_id"`
			jwt.RegisteredClaims
		}
		_, err := jwt.ParseWithClaims(signed, &claims, func(*jwt.Token) (any, error) { return []byte(processSecret), nil }, jwt.WithValidMethods([]string{"HS256"}))
		if err != nil || claims.Meeting != "room" || claims.Record != m.id {
			t.Errorf("callback %+v: %v", claims, err)
		}
	}
	all, _ := p.recordings("meetingID", "room")
	if r := all[m.id]; len(all) != 1 || len(r.Formats) != 2 || r.Metadata.Version != 2 {
		t.Errorf("recordings %+v, want one with both formats", all)
	}
	p.inOrder()
}

// TestUploadWithCurl: what a server's script does. What is interrupted leaves
// nothing behind, and is sent again.
func TestUploadWithCurl(t *testing.T) {
	t.Parallel()
	needTools(t, "curl", "gzip")
	p := newProcess(t, "")
	server := p.withServers(1)[0]
	p.start()
	dir := t.TempDir()
	curl := func(m made, file string, more ...string) *exec.Cmd {
		args := []string{"-sS", "-w", "\n%{http_code}", "-H", "Authorization: Bearer " + bearer(t, server, m.id), "-H", "Content-Type: application/x-tar"}
		if file != "" {
			args = append(args, "-X", "POST", "--upload-file", file)
		}
		return exec.Command("curl", append(args, more...)...)
	}
	upload := p.base + "/scalelite/api/recordings/upload"
	for _, packed := range []bool{false, true} {
		m := made{id: id(fmt.Sprint("curl-", packed)), meeting: "room", version: 1, formats: []string{"presentation", "video"}, size: 300_000}
		file := filepath.Join(dir, m.id+".tar")
		if err := os.WriteFile(file, m.tar(), 0o644); err != nil {
			t.Fatal(err)
		}
		if packed {
			runTool(t, dir, "gzip", "-1", file)
			file += ".gz"
		} else {
			interrupted := curl(m, file, "--limit-rate", "100K", upload)
			if err := interrupted.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "bytes of the upload", func() bool { return len(p.spooled()) == 1 })
			if got := p.spooled()[0]; !strings.HasPrefix(got, ".") {
				t.Errorf("an upload that is not complete is called %s", got)
			}
			_ = interrupted.Process.Kill()
			_ = interrupted.Wait()
			eventually(t, "the interrupted upload to leave nothing", func() bool { return len(p.spooled()) == 0 })
		}
		out, err := curl(m, file, upload).CombinedOutput()
		body, status, _ := strings.Cut(string(out), "\n")
		var answer struct{ Import, Recording string }
		if err != nil || status != "202" || json.Unmarshal([]byte(body), &answer) != nil || answer.Recording != m.id {
			t.Fatalf("upload: %v %s", err, out)
		}
		var state string
		eventually(t, "the import", func() bool {
			out, err := curl(m, "", p.base+"/scalelite/api/recordings/imports/"+answer.Import).CombinedOutput()
			state = string(out)
			return err == nil && strings.Contains(state, `"state":"imported"`)
		})
		p.safelyHere(t, m, curl(m, "", p.base+"/scalelite/api/recordings/"+m.id))
	}
	p.inOrder()
}

// safelyHere (T28): the server may delete its copy.
func (p *process) safelyHere(t *testing.T, m made, ask *exec.Cmd) {
	t.Helper()
	out, err := ask.Output()
	body, status, _ := strings.Cut(string(out), "\n")
	var answer struct {
		Here    bool
		Formats []struct {
			Type  string
			Files int
			Bytes int64
		}
	}
	if err != nil || status != "200" || json.Unmarshal([]byte(body), &answer) != nil || !answer.Here || len(answer.Formats) != len(m.formats) {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range answer.Formats {
		files, bytes := 0, int64(0)
		for name, text := range m.files() {
			if strings.HasPrefix(name, f.Type+"/") {
				files, bytes = files+1, bytes+int64(len(text))
			}
		}
		if f.Files != files || f.Bytes != bytes {
			t.Errorf("%s: %d files of %d bytes, want %d of %d", f.Type, f.Files, f.Bytes, files, bytes)
		}
	}
}

// TestStopDuringAnImport (T9): an import that runs when the service is stopped
// is finished or begun anew by the next start, as is what came meanwhile.
func TestStopDuringAnImport(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	m := made{id: id("large"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 16 << 20}
	p.place(m)
	eventually(t, "the import to run", func() bool {
		f, ok := p.spoolFile(m.id + ".tar")
		return ok && f.State == store.ImportImporting || !ok && len(p.spooled()) == 0
	})
	if err := p.stop(); err != nil {
		t.Errorf("the process ended with %v, want status 0", err)
	}
	there := isFile(p.path("published", "presentation", m.id, "metadata.xml"))
	if in := !slices.Contains(p.spooled(), m.id+".tar"); in != there {
		t.Errorf("the tarball is gone: %v, its files are there: %v", in, there)
	}
	if left := p.names("work", "import"); len(left) > 0 {
		t.Errorf("left in work_dir: %v", left)
	}
	late := made{id: id("late"), meeting: "room", version: 1, formats: []string{"video"}, size: 1000}
	p.place(late)
	p.start()
	p.imported()
	if all, _ := p.recordings(); len(all) != 2 {
		t.Errorf("recordings %+v, want both", all)
	}
	p.inOrder()
}

// TestSpoolThatIsNoDirectory: the health check says so, until it is over; then
// tarballs are taken again.
func TestSpoolThatIsNoDirectory(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	health := func() int {
		response, err := p.client.Get(p.base + "/health_check")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	if err := os.Rename(p.path("spool"), p.path("moved")); err != nil {
		t.Fatal(err)
	}
	if got := health(); got != http.StatusServiceUnavailable {
		t.Errorf("without a spool: status %d, want 503", got)
	}
	if err := os.WriteFile(p.path("spool"), nil, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := health(); got != http.StatusServiceUnavailable {
		t.Errorf("with a file as the spool: status %d, want 503", got)
	}
	if err := os.Remove(p.path("spool")); err != nil {
		t.Fatal(err)
	}
	m := made{id: id("after"), meeting: "room", version: 1, formats: []string{"video"}, size: 1000}
	p.place(m)
	if got := health(); got != http.StatusOK {
		t.Errorf("with a spool again: status %d, want 200", got)
	}
	p.imported()
	if all, _ := p.recordings(); len(all) != 1 {
		t.Errorf("recordings %+v", all)
	}
	p.inOrder()
}
