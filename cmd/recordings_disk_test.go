package cmd

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestDiskThatIsNotMounted: the service starts without the disk of the
// recordings and serves the meetings; nothing is taken in below the mount point,
// everything says why, and goes on by itself when the disk is back.
func TestDiskThatIsNotMounted(t *testing.T) {
	t.Parallel()
	trees := "work_dir = \"DISK/work\"\npublished_dir = \"DISK/published\"\nunpublished_dir = \"DISK/unpublished\"\n"
	p := newProcessWith(t, sections{recordings: "tries = 1"})
	p.configure(strings.TrimPrefix(p.base, "http://"), sections{recordings: "tries = 1\n" + strings.ReplaceAll(trees, "DISK", p.path("disk"))})
	server := p.withServers(1)[0]
	p.start()
	p.mustRun("recordings", "import", p.sampleTar())
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(p.path("disk"), p.path("unmounted")); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.meetingsAreServed()
	const remedy = "scalelite recordings rescan --accept-directories"
	m := made{id: id("late"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 1000}
	p.place(m)
	eventually(t, "the tarball to be held back", func() bool { return p.metric("scalelite_spool_held_files") == "1" })
	if status, err := p.upload(server, made{id: id("upload"), meeting: "room", formats: m.formats}); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("upload: %d, %v", status, err)
	}
	for _, args := range [][]string{{"import", p.sampleTar()}, {"unpublish", sampleID}, {"delete", "--yes", sampleID}, {"prune"}, {"check"}, {"rescan"}} {
		if out, errOut, err := p.run(append([]string{"recordings"}, args...)...); err == nil || !strings.Contains(out+errOut, p.path("disk", "published")) || !strings.Contains(out+errOut, remedy) {
			t.Errorf("%s: %v\n%s%s", args[0], err, out, errOut)
		}
	}
	for _, args := range [][]string{{"recordings", "spool"}, {"status"}} {
		if out := p.mustRun(args...); !strings.Contains(out, "not in place") || !strings.Contains(out, remedy) {
			t.Errorf("%s:\n%s", args, out)
		}
	}
	if out, _, err := p.run("doctor", "--only", "directories"); err == nil || !strings.Contains(out, "not in place") || !strings.Contains(out, remedy) {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	if reply, err := p.get("publishRecordings", "recordID", sampleID, "publish", "false"); err != nil || reply.OK {
		t.Errorf("publishRecordings: %v %s", err, reply.Body)
	}
	if value := p.metric("scalelite_recordings_readable"); value != "0" {
		t.Errorf("readable: %s", value)
	}
	if names := p.names("disk"); len(names) > 0 {
		t.Errorf("below the mount point: %q", names)
	}
	p.meetingsAreServed()
	if err := os.Rename(p.path("unmounted"), p.path("disk")); err != nil {
		t.Fatal(err)
	}
	// The tarball would be tried again within the minute; one that comes anew is at once.
	if err := os.Remove(p.path("spool", m.id+".tar")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the tarball to be gone", func() bool { return p.metric("scalelite_spool_held_files") == "0" })
	p.place(m)
	p.imported()
	p.call("publishRecordings", "recordID", sampleID, "publish", "false")
	p.mustRun("recordings", "check")
	if value := p.metric("scalelite_recordings_readable"); value != "1" {
		t.Errorf("readable: %s", value)
	}
}

// meetingsAreServed: the service is healthy and answers the API.
func (p *process) meetingsAreServed() {
	p.t.Helper()
	response, err := p.client.Get(p.base + "/health_check")
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		p.t.Errorf("health: %d %s, %v", response.StatusCode, text, err)
	}
	p.call("getMeetings")
}
