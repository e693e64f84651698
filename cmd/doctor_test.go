package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"scalelite/balancer/bbbtest"
	"scalelite/cmd/doctor"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

func TestDoctorListsItsChecks(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	out := s.ok("doctor", "--list")
	for _, check := range doctor.Checks() {
		if !strings.Contains(out, check.Name) || !strings.Contains(out, check.Doc) {
			t.Errorf("%s is not in the list:\n%s", check.Name, out)
		}
	}
	var all []doctor.Check
	if err := json.Unmarshal([]byte(s.ok("doctor", "--list", "--json")), &all); err != nil || len(all) != len(doctor.Checks()) {
		t.Errorf("list as JSON: %d checks, %v", len(all), err)
	}
	s.run("", "doctor", "--only", "memory,nonsense").wantFail(t, exitUsage, `no check "nonsense"`, "configuration, service")
}

// TestDoctorPrints: words, quiet, strict and JSON of one that is fine, one that
// is a warning and one that failed.
func TestDoctorPrints(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.daemon = true
	s := newSession(t, p)
	base := "[store]\npath = \"" + filepath.Join(s.dir, "x.db") + "\"\n[web]\nadmin_socket = \"" + filepath.Join(s.dir, "a.sock") + "\"\n"
	writeConfig(t, s, base)
	out := s.ok("doctor", "--only", "configuration,backups")
	for _, text := range []string{"ok       configuration  ", "warn     backups        ", "why:  ", "do:   ", "scalelite backup\n", "1 ok, 1 warning, 0 failed, 0 skipped."} {
		if !strings.Contains(out, text) {
			t.Errorf("lacks %q:\n%s", text, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("colours where there is no terminal: %q", out)
	}
	if out := s.ok("doctor", "--only", "configuration", "--quiet"); out != "" {
		t.Errorf("quiet, but prints %q", out)
	}
	if out := s.ok("doctor", "--only", "configuration,backups", "-q"); !strings.HasPrefix(out, "warn     backups") {
		t.Errorf("quiet prints %q", out)
	}
	r := s.run("", "doctor", "--only", "backups", "--strict")
	r.wantFail(t, exitFailure, "1 warning, with --strict that counts")
	p.examination.Damage = "meeting \x1b[31mx\x1b[0m"
	r = s.run("", "doctor", "--only", "database")
	r.wantFail(t, exitFailure, "1 thing is wrong")
	if !strings.Contains(r.out, "FAIL     database") || strings.Contains(r.out, "\x1b") {
		t.Errorf("printed %q", r.out)
	}
	s.deps.liveOutput = true
	if r = s.run("", "doctor", "--only", "database"); !strings.Contains(r.out, "\x1b[1;31mFAIL    \x1b[0m database") {
		t.Errorf("no colours on a terminal: %q", r.out)
	}
	var report doctor.Report
	r = s.run("", "doctor", "--only", "configuration,database", "--json", "--quiet")
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != exitFailure {
		t.Fatalf("JSON: %v, status %d", err, r.code)
	}
	if report.Result != doctor.Fail || len(report.Findings) != 1 || report.Counts[doctor.OK] != 1 || report.Counts[doctor.Fail] != 1 {
		t.Errorf("report %+v", report)
	}
}

func TestDoctorTellsOfABadConfiguration(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	writeConfig(t, s, "[web]\nlisen = \":80\"\n")
	r := s.run("", "doctor")
	r.wantFail(t, exitFailure, "1 thing is wrong")
	if !strings.Contains(r.out, "config.toml:2: web.lisen") {
		t.Errorf("printed %s", r.out)
	}
}

// TestDoctorOfAServiceInTrouble: what answers on the socket, but not as it should,
// is not taken for a service that does not run.
func TestDoctorOfAServiceInTrouble(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.fail = errors.New("the daemon answered with status 500")
	s := newSession(t, p)
	writeConfig(t, s, "[log]\nlevel = \"info\"\n")
	r := s.run("", "doctor", "--only", "service,servers")
	r.wantFail(t, exitFailure, "1 thing is wrong")
	for _, text := range []string{"FAIL     service        the service does not answer as it should", "status 500", "skipped  servers"} {
		if !strings.Contains(r.out, text) {
			t.Errorf("lacks %q:\n%s", text, r.out)
		}
	}
}

// TestDoctorReadsTheEnvironmentOfTheUnit: what the installed service gets from its
// environment file, and this shell does not have, is judged; with a file of one's
// own it is not.
func TestDoctorReadsTheEnvironmentOfTheUnit(t *testing.T) {
	t.Parallel()
	s := newSession(t, twoServers())
	s.deps.defaultsFile = s.write("default", "# comment\nPOLL_INTERVAL=\"-5\"\n\nnonsense\n")
	writeConfig(t, s, "[log]\nlevel = \"info\"\n")
	r := s.run("", "doctor", "--only", "configuration")
	r.wantFail(t, exitFailure, "1 thing is wrong")
	if !strings.Contains(r.out, "environment POLL_INTERVAL: balancer.poll_interval") {
		t.Errorf("printed %s", r.out)
	}
	s.ok("--config", filepath.Join(s.dir, "config.toml"), "doctor", "--only", "configuration")
}

// report runs the doctor of a real process.
func (p *process) report(args ...string) (doctor.Report, int) {
	p.t.Helper()
	out, stderr, err := p.run(append([]string{"doctor", "--json"}, args...)...)
	var r doctor.Report
	if failed := json.Unmarshal([]byte(out), &r); failed != nil {
		p.t.Fatalf("%v: %v\n%s%s", args, failed, out, stderr)
	}
	return r, exitCode(err)
}

// typed runs the commands of a finding; scalelite is the program under test.
func (p *process) typed(f doctor.Finding, stdin string) {
	p.t.Helper()
	bin := p.path("bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		p.t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", runMainEnv, os.Args[0])
	if err := os.WriteFile(filepath.Join(bin, "scalelite"), []byte(script), 0o755); err != nil {
		p.t.Fatal(err)
	}
	for _, line := range f.Commands {
		c := exec.Command("sh", "-c", line)
		c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		c.Stdin = strings.NewReader(stdin)
		if out, err := c.CombinedOutput(); err != nil {
			p.t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

func bad(r doctor.Report) (all []doctor.Finding) {
	for _, f := range r.Findings {
		if f.Result == doctor.Fail {
			all = append(all, f)
		}
	}
	return all
}

// TestDoctorMendsTheSpool (T12): a spool of root, a service of another user: exit
// status 1, the command, and after it has been typed 0.
func TestDoctorMendsTheSpool(t *testing.T) {
	t.Parallel()
	nobody, err := user.Lookup("nobody")
	if err != nil || os.Getuid() != 0 {
		t.Skip("this needs root, and a user nobody")
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	p := newProcess(t, "")
	for _, dir := range []string{"spool", "work", "published", "unpublished", "failed"} {
		if err := os.Mkdir(p.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := filepath.WalkDir(p.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	}); err != nil {
		t.Fatal(err)
	}
	p.mustRun("servers", "add", "bbb1.example.org", "a-long-secret", "--no-check")
	if r, code := p.report("--only", "directories"); code != 0 || r.Result != doctor.OK {
		t.Fatalf("exit status %d: %+v", code, r.Findings)
	}
	if err := os.Chown(p.path("spool"), 0, 0); err != nil {
		t.Fatal(err)
	}
	r, code := p.report("--only", "directories")
	wrong := bad(r)
	if code != 1 || len(wrong) != 1 || len(wrong[0].Commands) == 0 || !strings.Contains(wrong[0].Commands[0], "chown nobody:") {
		t.Fatalf("exit status %d: %+v", code, r.Findings)
	}
	p.typed(wrong[0], "")
	if r, code := p.report("--only", "directories"); code != 0 || r.Result != doctor.OK {
		t.Errorf("after the command: exit status %d: %+v", code, r.Findings)
	}
}

// TestDoctorOfARunningService: through the admin socket, with faults that come
// and go; each remedy is typed.
func TestDoctorOfARunningService(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	server := bbbtest.Start(t, bbbtest.Options{})
	p.start()
	p.mustRun("servers", "add", server.URL(), server.Secret(), "--id", "bbb1", "--enable")
	p.mustRun("backup")
	eventually(t, "the server to be online", func() bool {
		all, err := p.admin().Servers(t.Context())
		return err == nil && len(all) == 1 && all[0].Online
	})
	r, code := p.report()
	if wrong := bad(r); len(wrong) > 0 || code != 0 {
		t.Fatalf("a sound service: exit status %d: %+v", code, wrong)
	}
	if _, code := p.report("--strict"); code != 1 { // plain HTTP to the server, for one
		t.Errorf("--strict with warnings: exit status %d, want 1", code)
	}
	t.Run("a wrong secret (T51)", func(t *testing.T) { p.doctorMendsASecret(t, server) })
	t.Run("records and files (T15)", p.doctorMendsFiles)
	t.Run("a failed tarball", p.doctorTellsOfATarball)
	t.Run("a stopped service", func(t *testing.T) {
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		r, code := p.report("--only", "service,database,servers,files,ports,limits,arrivals")
		wrong := bad(r)
		if code != 1 || len(wrong) != 1 || wrong[0].Check != "service" {
			t.Errorf("exit status %d: %+v", code, r.Findings)
		}
	})
}

func (p *process) doctorMendsASecret(t *testing.T, server *bbbtest.Server) {
	server.SetSecret("the-new-secret-of-the-server")
	r, code := p.report("--only", "servers")
	wrong := bad(r)
	if code != 1 || len(wrong) != 1 || !strings.Contains(wrong[0].Found, "secret refused") {
		t.Fatalf("exit status %d: %+v", code, r.Findings)
	}
	at := slices.IndexFunc(wrong[0].Commands, func(c string) bool { return strings.HasPrefix(c, "scalelite ") })
	wrong[0].Commands = wrong[0].Commands[at:] // the other one is typed on the server
	p.typed(wrong[0], "the-new-secret-of-the-server\n")
	if r, code := p.report("--only", "servers"); code != 0 || r.Counts[doctor.OK] != 1 {
		t.Errorf("after the command: exit status %d: %+v", code, r.Findings)
	}
}

func (p *process) doctorMendsFiles(t *testing.T) {
	m := made{id: id("doctored"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 1}
	p.place(m)
	p.imported()
	if r, code := p.report("--only", "files"); code != 0 || r.Result != doctor.OK {
		t.Fatalf("exit status %d: %+v", code, r.Findings)
	}
	from, to := p.path("published", "presentation", m.id), p.path("unpublished", "presentation", m.id)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	r, code := p.report("--only", "files")
	wrong := bad(r)
	if code != 1 || len(wrong) != 1 || !strings.Contains(wrong[0].Found, m.id) {
		t.Fatalf("exit status %d: %+v", code, r.Findings)
	}
	wrong[0].Commands = wrong[0].Commands[1:] // the first one shows, and has status 1
	p.typed(wrong[0], "")
	if r, code := p.report("--only", "files"); code != 0 || r.Result != doctor.OK {
		t.Errorf("after the command: exit status %d: %+v", code, r.Findings)
	}
}

func (p *process) doctorTellsOfATarball(t *testing.T) {
	if err := os.WriteFile(p.path("failed", "x-1.tar"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, code := p.report("--only", "spool")
	wrong := bad(r)
	if code != 1 || len(wrong) != 1 || !strings.Contains(strings.Join(wrong[0].Commands, "\n"), "recordings retry x-1.tar") {
		t.Fatalf("exit status %d: %+v", code, r.Findings)
	}
	_, remove, _ := strings.Cut(wrong[0].Remedy, "remove the tarball: ")
	p.typed(doctor.Finding{Commands: []string{remove + " --yes"}}, "")
	if r, code := p.report("--only", "spool"); code != 0 || r.Result != doctor.OK {
		t.Errorf("after the command: exit status %d: %+v", code, r.Findings)
	}
}

// TestDoctorAsAnybody: who may neither use the socket nor read the database is
// told to become root, and what he can judge is judged.
func TestDoctorAsAnybody(t *testing.T) {
	t.Parallel()
	nobody, err := user.Lookup("nobody")
	if err != nil || os.Getuid() != 0 {
		t.Skip("this needs root, and a user nobody")
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	p := newProcess(t, "")
	p.start()
	for path, mode := range map[string]os.FileMode{p.dir: 0o755, p.config: 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	program := copyProgram(t, p)
	asNobody := func(only string) (r doctor.Report) {
		t.Helper()
		c := exec.Command(program, "--config", p.config, "doctor", "--json", "--only", only)
		c.Env = append(os.Environ(), runMainEnv+"=1")
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		out, err := c.Output()
		if failed := json.Unmarshal(out, &r); failed != nil || err != nil {
			t.Fatalf("%v %v: %s", failed, err, out)
		}
		return r
	}
	r := asNobody("service,servers,memory,database")
	for _, f := range r.Findings {
		if f.Check == "memory" {
			continue
		}
		if f.Result != doctor.Skipped || !strings.HasPrefix(strings.Join(f.Commands, ""), "sudo scalelite ") {
			t.Errorf("%+v is not left to root", f)
		}
	}
	if err := os.Chmod(p.config, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := asNobody("configuration,servers"); r.Counts[doctor.Skipped] != 2 || len(r.Findings) != 2 || len(r.Findings[0].Commands) != 1 {
		t.Errorf("of a configuration that he may not read: %+v", r.Findings)
	}
}

// copyProgram puts the program where everybody can run it.
func copyProgram(t *testing.T, p *process) string {
	t.Helper()
	content, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := p.path("program")
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return program
}

// TestDoctorWithoutDaemonGivesTheDatabaseBack: nobody who starts the service
// meanwhile waits for a BBB server that does not answer.
func TestDoctorWithoutDaemonGivesTheDatabaseBack(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	server := bbbtest.Start(t, bbbtest.Options{})
	server.Misbehave(bbbtest.Misbehaviour{Kind: bbbtest.Hang})
	t.Cleanup(server.Behave)
	p.mustRun("servers", "add", server.URL(), server.Secret(), "--no-check", "--enable")
	doctors := p.command("doctor", "--only", "servers")
	if err := doctors.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = doctors.Process.Kill(); _ = doctors.Wait() })
	eventually(t, "the doctor to ask the server", func() bool { return server.Count("index") > 0 })
	p.start()
}

// TestDoctorProgressWaits: nothing is written for checks that are soon done, and
// what was written is taken away.
func TestDoctorProgressWaits(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := newProgress(&out)
	p.show(1, 3, []string{"servers", "clocks"})
	p.clear()
	if out.Len() > 0 {
		t.Errorf("at once: %q", &out)
	}
	p.began = p.began.Add(-quietUntil)
	p.show(1, 3, []string{"servers", "clocks"})
	p.show(2, 3, []string{"clocks"})
	p.clear()
	lines := strings.Split(out.String(), "\r")
	if len(lines) != 5 || lines[1] != "1 of 3 checks done, waiting for servers, clocks" ||
		strings.TrimRight(lines[2], " ") != "2 of 3 checks done, waiting for clocks" || strings.TrimSpace(lines[3]) != "" {
		t.Errorf("told %q", lines)
	}
}

// The fakes of this package stand in for a Pool, too.
var _ doctor.Pool = (*pool)(nil)

// TestDoctorTellsOfAFailingCallback: with the host of the front-end alone.
func TestDoctorTellsOfAFailingCallback(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.daemon = true
	p.files = []recordings.SpoolFile{{Name: "a.tar", State: store.ImportFailed, Since: time.Now()}}
	p.examination.Callbacks = admin.CallbackTrouble{Failed: 1, Oldest: time.Now().Add(-30 * time.Hour), Host: "moodle.example.org", ID: "x"}
	s := newSession(t, p)
	r := s.runContext(context.Background(), "", "doctor", "--only", "callbacks,spool")
	r.wantFail(t, exitFailure, "2 things are wrong")
	for _, text := range []string{"goes to moodle.example.org", "callbacks retry --all", "a.tar"} {
		if !strings.Contains(r.out, text) {
			t.Errorf("lacks %q:\n%s", text, r.out)
		}
	}
}
