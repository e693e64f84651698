package cmd

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store/backup"
	"scalelite/web/admin"
)

func TestBackupIntoTheDirectory(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.backup = "database"
	s := newSession(t, p)
	path := filepath.Join(s.dir, "scalelite.db")
	text := "[store]\npath = \"" + path + "\"\nbackup_keep = 2\n"
	writeConfig(t, s, text)
	s.write("scalelite.db", "database")
	if out := s.ok("backup", "--list"); out != "No backups in "+filepath.Join(s.dir, "backups")+".\n" {
		t.Errorf("%q", out)
	}
	if out := s.ok("backup", "--list", "--json"); out != "[]\n" {
		t.Errorf("%q", out)
	}
	for range 3 {
		if out := s.ok("backup"); !strings.HasPrefix(out, filepath.Join(s.dir, "backups", "scalelite-20261123T0830")) {
			t.Errorf("%q", out)
		}
	}
	var rows []backupRow
	if err := json.Unmarshal([]byte(s.ok("backup", "--list", "--json")), &rows); err != nil || len(rows) != 2 || rows[0].Bytes == 0 {
		t.Fatalf("%+v, %v", rows, err)
	}
	if out := s.ok("backup", "--list"); strings.Count(out, "\n") != 3 || !strings.Contains(out, rows[1].File) {
		t.Errorf("%s", out)
	}
	f, err := os.Open(rows[0].File)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var database bytes.Buffer
	if config, err := backup.Read(t.Context(), f, &database); err != nil || string(config) != text || database.String() != "database" {
		t.Errorf("%q, %q, %v", config, database.String(), err)
	}
	s.run("", "backup", "--json").wantFail(t, exitUsage, "--list")
	s.run("", "backup", "--list", "x").wantFail(t, exitUsage, "no FILE")
}

// What only the environment says is in a backup, too.
func TestABackupHasTheEnvironment(t *testing.T) {
	t.Parallel()
	p := twoServers()
	p.backup = "database"
	s := newSession(t, p)
	writeConfig(t, s, "[store]\nbackup_keep = 2\n")
	s.deps.getenv = func(name string) string {
		return map[string]string{"LOADBALANCER_SECRET": "of-the-environment"}[name]
	}
	file := filepath.Join(s.dir, "b.tar.gz")
	s.ok("backup", file)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	config, err := backup.ReadConfig(f)
	if err != nil || !strings.Contains(string(config), `secrets = ["of-the-environment"]`) || !strings.Contains(string(config), "backup_keep = 2") {
		t.Errorf("%s, %v", config, err)
	}
}

func TestRestoreWithConfig(t *testing.T) {
	t.Parallel()
	p := &pool{noService: true, backup: "database"}
	s := newSession(t, p)
	text := "[store]\npath = \"" + filepath.Join(s.dir, "lib", "scalelite.db") + "\"\n"
	archive := filepath.Join(s.dir, "b.tar.gz")
	var b bytes.Buffer
	if err := backup.Write(t.Context(), &b, s.write("raw.db", "database"), []byte(text), time.Now()); err != nil {
		t.Fatal(err)
	}
	s.write("b.tar.gz", b.String())
	s.write("bare.db", "database")
	s.run("", "restore", filepath.Join(s.dir, "bare.db"), "--with-config").wantFail(t, exitFailure, "database alone")
	s.run("", "restore", "-", "--yes", "--with-config").wantFail(t, exitUsage, "--with-config needs the name")

	// A new machine.
	if out := s.ok("restore", archive, "--with-config"); !strings.Contains(out, "config.toml is restored") {
		t.Errorf("%s", out)
	}
	if s.read("lib/scalelite.db") != "database" || s.read("config.toml") != text {
		t.Errorf("%q", s.read("config.toml"))
	}
	// The same again changes no configuration; another one is kept.
	s.deps.now = func() time.Time { return time.Date(2026, 11, 23, 8, 31, 0, 0, time.UTC) }
	if out := s.ok("restore", archive, "--with-config", "--yes"); !strings.Contains(out, "config.toml was the same") {
		t.Errorf("%s", out)
	}
	s.write("config.toml", text+"# mine\n")
	s.deps.now = func() time.Time { return time.Date(2026, 11, 23, 8, 32, 0, 0, time.UTC) }
	if out := s.ok("restore", archive, "--yes"); !strings.Contains(out, "another configuration") {
		t.Errorf("%s", out)
	}
	s.deps.now = func() time.Time { return time.Date(2026, 11, 23, 8, 33, 0, 0, time.UTC) }
	s.ok("restore", archive, "--with-config", "--yes")
	if s.read("config.toml") != text || s.read("config.toml.before-restore-20261123T083300Z") != text+"# mine\n" {
		t.Errorf("%s", s.files())
	}
	// One that could not be used is refused before anything is touched.
	b.Reset()
	if err := backup.Write(t.Context(), &b, filepath.Join(s.dir, "raw.db"), []byte("[web]\nlisten = 3\n"), time.Now()); err != nil {
		t.Fatal(err)
	}
	s.write("b.tar.gz", b.String())
	before := s.files()
	s.run("", "restore", archive, "--with-config", "--yes").wantFail(t, exitFailure, "web.listen")
	s.write("b.tar.gz", b.String()[:b.Len()/2])
	s.run("", "restore", archive, "--yes").wantFail(t, exitFailure, "is damaged")
	if s.files() != before {
		t.Errorf("%s", s.files())
	}
}

func TestStatusTellsOfBackups(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 2, 30, 0, 0, time.Local)
	for want, b := range map[string]*admin.BackupInfo{
		"": nil,
		"Backups     the last one of 2026-11-23 02:30:00; the next one at 2026-11-24 02:30:00\n":      {Last: at, Next: at.AddDate(0, 0, 1)},
		"Backups     none yet; none are made by themselves (store.backup_schedule)\n":                 {},
		"Backups     FAILED at 2026-11-24 02:30:00: disk full; the last one of 2026-11-23 02:30:00\n": {Last: at, Failed: at.AddDate(0, 0, 1), Error: "disk full", Next: at},
	} {
		var out bytes.Buffer
		if err := printBackups(&out, b); err != nil || out.String() != want {
			t.Errorf("%v: %q", err, out.String())
		}
	}
}

// answers asks a process everything that must be the same after a restore.
func (p *process) answers() map[string]string {
	p.t.Helper()
	got := map[string]string{}
	ask := func(name, url string) {
		response, err := p.client.Get(url)
		if err != nil {
			p.t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode >= http.StatusBadRequest {
			p.t.Errorf("%s: status %d, %v", name, response.StatusCode, err)
		}
		got[name] = string(body)
	}
	for name, params := range map[string][]string{
		"getMeetings": nil, "getRecordings": nil, "isMeetingRunning": {"meetingID", "a-class"}, "getMeetingInfo": {"meetingID", "a-class"},
	} {
		ask(name, p.link(name, params...))
	}
	ask("getServers", p.base+"/scalelite/api/getServers?"+bbb.Sign(bbb.SHA256, "getServers", "", processSecret))
	ask("play", p.base+"/presentation/"+sampleID+"/metadata.xml")
	servers, _, err := p.run("servers", "--secrets", "--json")
	if err != nil {
		p.t.Fatal(err)
	}
	// What a poll counts anew.
	got["servers"] = regexp.MustCompile(`"(poll[a-z_]*|load|users|meetings)": [^\n]*`).ReplaceAllString(servers, "")
	got["getServers"] = regexp.MustCompile(`"load":[^,}]*`).ReplaceAllString(got["getServers"], "")
	return got
}

// T67: what is restored on a machine that has nothing gives the same answers.
func TestRestoreOnANewMachine(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "poll_interval = \"1h\"")
	p.withServers(2)
	p.start()
	if _, errOut, err := p.run("poll"); err != nil {
		t.Fatal(errOut)
	}
	if reply, err := p.get("create", "meetingID", "a-class", "name", "A class", "meta_room", "7"); err != nil || !reply.OK {
		t.Fatalf("%+v, %v", reply, err)
	}
	if err := dropSample(p.path("spool")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the recording", func() bool {
		out, _, _ := p.run("recordings")
		return strings.Contains(out, sampleID)
	})
	if _, errOut, err := p.run("recordings", "set", sampleID, "room=7"); err != nil {
		t.Fatal(errOut)
	}
	out, errOut, err := p.run("backup") // while it runs
	if err != nil {
		t.Fatal(errOut)
	}
	file, _, _ := strings.Cut(out, ": ")
	if out, _, _ := p.run("status"); !strings.Contains(out, "Backups     the last one of ") {
		t.Errorf("%s", out)
	}
	metrics := p.metrics()
	if !strings.Contains(metrics, "scalelite_backup_failed 0\n") || !regexp.MustCompile(`(?m)^scalelite_backup_timestamp_seconds 1\.\d+e\+09$`).MatchString(metrics) {
		t.Error("the metrics do not tell of the backup")
	}
	before := p.answers()
	for name, part := range map[string]string{"getRecordings": sampleID, "getMeetings": "a-class", "isMeetingRunning": "SUCCESS", "getServers": "bbb2", "servers": "bbb1"} {
		if !strings.Contains(before[name], part) {
			t.Errorf("%s before: %s", name, before[name])
		}
	}
	if _, errOut, err = p.run("restore", file, "--yes"); err == nil || !strings.Contains(errOut, "the service runs") {
		t.Errorf("restored while the service runs: %v, %s", err, errOut)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}

	// Another machine: the backup, the files of the recordings, and nothing else.
	carried := filepath.Join(t.TempDir(), filepath.Base(file))
	old := p.dir + ".old"
	t.Cleanup(func() { _ = os.RemoveAll(old) })
	for _, c := range [][]string{{"cp", file, carried}, {"mv", p.dir, old}, {"mkdir", p.dir}, {"cp", "-a", old + "/published", p.dir}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", c, err, out)
		}
	}
	if out, errOut, err := p.run("restore", carried, "--with-config"); err != nil {
		t.Fatal(out, errOut)
	}
	p.start()
	after := p.answers()
	for name, want := range before {
		if after[name] != want {
			t.Errorf("%s:\nwas %s\nis  %s", name, want, after[name])
		}
	}
}

func (p *process) metrics() string {
	p.t.Helper()
	response, err := p.client.Get(p.base + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return cmp.Or(string(b), fmt.Sprint(err))
}
