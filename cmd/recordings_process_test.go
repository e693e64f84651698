package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scalelite/recordings"
	"scalelite/web/admin"
)

// sampleTar writes the sample recording to a file.
func (p *process) sampleTar() string {
	p.t.Helper()
	path := filepath.Join(p.dir, "sample.tar")
	if err := os.WriteFile(path, sample, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *process) listRecordings(args ...string) []admin.RecordingInfo {
	p.t.Helper()
	var all []admin.RecordingInfo
	text := p.mustRun(append([]string{"recordings", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		p.t.Fatalf("%v: %s", err, text)
	}
	return all
}

// The life of a recording by the commands of the real program (T1, T15, T20,
// T21, T29).
func TestRecordingsOfARunningService(t *testing.T) {
	t.Parallel()
	p := newProcessWith(t, sections{recordings: "tries = 1"})
	p.start()
	tarball := p.sampleTar()
	if out := p.mustRun("recordings", "import", tarball); out != tarball+": imported "+sampleID+"\n" {
		t.Errorf("import: %q", out)
	}
	p.mustRun("recordings", "import", tarball) // a second time does no harm
	if all := p.listRecordings(); len(all) != 1 || all[0].ID != sampleID || len(all[0].Formats) != 2 || all[0].State != "published" {
		t.Fatalf("%+v", all)
	}

	broken := filepath.Join(p.dir, "broken.tar")
	if err := os.WriteFile(broken, []byte(strings.Repeat("no tar ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errOut, err := p.run("recordings", "import", broken); exitCode(err) != exitFailure || !strings.Contains(errOut, "recordings retry broken.tar") {
		t.Errorf("broken: %v\n%s%s", err, out, errOut)
	}
	if out := p.mustRun("recordings", "spool"); !strings.Contains(out, "broken.tar  6.8 KiB  failed") {
		t.Errorf("spool: %s", out)
	}
	if value := p.metric(`scalelite_spool_files{state="failed"}`); value != "1" {
		t.Errorf("metric: %s", value)
	}
	if value := p.metric(`scalelite_imports_total{outcome="imported"}`); value != "2" {
		t.Errorf("metric: %s", value)
	}
	if out := p.mustRun("recordings", "retry", "--all"); out != "broken.tar: is tried again\n" {
		t.Errorf("retry: %q", out)
	}

	p.mustRun("recordings", "unpublish", sampleID[:8])
	p.mustRun("recordings", "set", sampleID, "name=Renamed", "bbb-origin=")
	p.mustRun("recordings", "protect", "--all")
	p.mustRun("recordings", "import", tarball)
	got := p.listRecordings()[0]
	if got.State != "unpublished" || !got.Protected || got.Metadata["name"] != "Renamed" || got.Metadata["bbb-origin"] != "" {
		t.Errorf("after another import: %+v", got)
	}
	p.mustRun("recordings", "delete", sampleID, "--yes")
	if out := p.mustRun("recordings", "show", sampleID); !strings.Contains(out, "in the trash") {
		t.Errorf("%s", out)
	}
	p.mustRun("recordings", "undelete", sampleID)
	if out := p.mustRun("recordings", "check"); out != "Records and files agree.\n" {
		t.Errorf("check: %s", out)
	}
	if out := p.mustRun("status"); !strings.Contains(out, "Recordings  0 published, 1 unpublished, 0 in the trash\n") {
		t.Errorf("status: %s", out)
	}
	p.mustRun("recordings", "delete", sampleID, "--yes", "--purge")
	if found, _ := filepath.Glob(filepath.Join(p.dir, "*", "*", sampleID+"*")); len(found) != 0 {
		t.Errorf("left of a purged recording: %q", found)
	}
	if err := p.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// The same commands work where no service runs, and what they leave the service
// takes over.
func TestRecordingsWithoutAService(t *testing.T) {
	t.Parallel()
	p := newProcessWith(t, sections{recordings: "tries = 1"})
	tarball := p.sampleTar()
	if out := p.mustRun("recordings", "import", tarball); out != tarball+": imported "+sampleID+"\n" {
		t.Errorf("import: %q", out)
	}
	if out := p.mustRun("status"); !strings.Contains(out, "Recordings  1 published") {
		t.Errorf("status: %s", out)
	}
	p.mustRun("recordings", "unpublish", sampleID)
	if err := dropSample(filepath.Join(p.dir, "spool")); err != nil {
		t.Fatal(err)
	}
	rested := time.Now().Add(-time.Hour) // it need not settle
	if err := os.Chtimes(filepath.Join(p.dir, "spool", sampleID+".tar"), rested, rested); err != nil {
		t.Fatal(err)
	}
	if out := p.mustRun("recordings", "spool"); !strings.Contains(out, sampleID+".tar") || !strings.Contains(out, "the service does not run") {
		t.Errorf("spool: %s", out)
	}
	p.start()
	var files []recordings.SpoolFile
	for deadline := time.Now().Add(2 * time.Minute); ; {
		text := p.mustRun("recordings", "spool", "--json")
		if err := json.Unmarshal([]byte(text), &files); err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not imported: %s", text)
		}
	}
	if all := p.listRecordings("--state", "unpublished"); len(all) != 1 || all[0].ID != sampleID {
		t.Errorf("%+v", all)
	}
}

// T29: a lost database is made anew from the files.
func TestRescanAfterALostDatabase(t *testing.T) {
	t.Parallel()
	p := newProcessWith(t, sections{recordings: "tries = 1"})
	p.mustRun("recordings", "import", p.sampleTar())
	before := p.mustRun("recordings", "show", sampleID)
	if err := os.Remove(p.database()); err != nil {
		t.Fatal(err)
	}
	p.start()
	if out := p.mustRun("recordings", "rescan"); !strings.Contains(out, "1 recording was added") {
		t.Errorf("rescan: %s", out)
	}
	if out := p.mustRun("recordings", "rescan"); !strings.HasPrefix(out, "Nothing to add") {
		t.Errorf("a second rescan: %s", out)
	}
	strip := func(s string) (lines []string) {
		for line := range strings.Lines(s) {
			if before, _, ok := strings.Cut(line, ", imported"); ok {
				line = before
			}
			if !strings.HasPrefix(line, "imported:") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	if got, want := strings.Join(strip(p.mustRun("recordings", "show", sampleID)), ""), strings.Join(strip(before), ""); got != want {
		t.Errorf("before:\n%s\nafter:\n%s", want, got)
	}
}

func TestNotAsRootAmongTheFilesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	c := recordings.DefaultConfig().Below(t.TempDir())
	if err := notAsRoot(c, 0); err != nil {
		t.Errorf("nothing is there: %v", err)
	}
	if err := os.Mkdir(c.PublishedDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := notAsRoot(c, 0); err != nil {
		t.Errorf("it is root's: %v", err)
	}
	if err := os.Chown(c.PublishedDir, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if err := notAsRoot(c, 0); err == nil || !strings.Contains(err.Error(), "sudo -u 'nobody'") {
		t.Errorf("it is nobody's: %v", err)
	}
	if err := notAsRoot(c, 65534); err != nil {
		t.Errorf("nobody itself: %v", err)
	}
}
