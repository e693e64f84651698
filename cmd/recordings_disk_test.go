package cmd

import (
	"fmt"
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

// TestDirectoriesAcceptedForADisk: only somebody who says so has directories
// accepted in the place of a disk, and the spool with them; the disk is not taken
// for them when it is back.
func TestDirectoriesAcceptedForADisk(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	var dirs strings.Builder
	dirs.WriteString("tries = 1\n")
	for _, dir := range []string{"spool", "work", "published", "unpublished", "failed"} {
		fmt.Fprintf(&dirs, "%s_dir = %q\n", dir, p.path("disk", dir))
	}
	p.configure(strings.TrimPrefix(p.base, "http://"), sections{recordings: dirs.String()})
	p.start()
	p.mustRun("recordings", "import", p.sampleTar())
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	swap := func(from, to string) {
		t.Helper()
		if err := os.Rename(p.path(from), p.path(to)); err != nil {
			t.Fatal(err)
		}
	}
	refuses := func(texts ...string) {
		t.Helper()
		out, errOut, err := p.run("recordings", "rescan")
		for _, text := range append(texts, p.path("disk", "published"), "'scalelite recordings rescan --accept-directories'") {
			if err == nil || out != "" || !strings.Contains(errOut, text) {
				t.Errorf("rescan: %v, without %q\n%s%s", err, text, out, errOut)
			}
		}
	}
	swap("disk", "unmounted")
	p.launch() // without a spool it is not healthy
	eventually(t, "the admin socket", func() bool {
		_, err := p.admin().Info(t.Context())
		return err == nil
	})
	refuses("1 recording has its files there", "mount the disk")
	if names := p.names("disk"); len(names) > 0 {
		t.Errorf("below the mount point: %q", names)
	}
	out := p.mustRun("recordings", "rescan", "--accept-directories")
	if head, _, ok := strings.Cut(out, "Nothing to add"); !ok || !strings.HasPrefix(head, "ACCEPTED") || strings.Count(head, p.path("disk")) != 3 {
		t.Errorf("rescan:\n%s", out)
	}
	if out := p.mustRun("recordings", "spool"); !strings.Contains(out, "The spool is empty") {
		t.Errorf("spool:\n%s", out)
	}
	m := made{id: id("since"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 1000}
	tarball := p.path(m.id + ".tar")
	if err := os.WriteFile(tarball, m.tar(), 0o600); err != nil {
		t.Fatal(err)
	}
	p.mustRun("recordings", "import", tarball)
	swap("disk", "below")
	swap("unmounted", "disk")
	refuses("2 recordings have their files there", "of before others were taken in its place", "unmount")
	if out, errOut, err := p.run("recordings", "unpublish", m.id); err == nil || !strings.Contains(out+errOut, "unmount") {
		t.Errorf("unpublish: %v\n%s%s", err, out, errOut)
	}
	swap("disk", "unmounted")
	swap("below", "disk")
	p.mustRun("recordings", "unpublish", m.id)
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
