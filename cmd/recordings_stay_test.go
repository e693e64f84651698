package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings"
)

const failedFiles = `scalelite_spool_files{state="failed"}`

// TestBrokenTarballs (T1, T5, T7): each is seen with its reason, in none's way,
// and kept; what is good in one is in.
func TestBrokenTarballs(t *testing.T) {
	t.Parallel()
	p := newProcessWith(t, sections{recordings: "tries = 1\n"})
	p.start()
	broken := id("broken") + ".tar"
	p.placeBytes(broken, []byte(strings.Repeat("this is no tarball\n", 1000)), 1)
	half := made{id: id("half"), meeting: "room", version: 1, formats: []string{"presentation", "video"}, size: 1000}
	p.placeBytes(half.id+".tar", []byte(strings.Replace(string(half.tar()), half.metadata("video"), strings.Repeat("<", len(half.metadata("video"))), 1)), 1)
	good := made{id: id("good"), meeting: "room", version: 1, formats: []string{"presentation"}, size: 1000}
	p.place(good)
	eventually(t, "two failed ones", func() bool { return p.metric(failedFiles) == "2" })
	eventually(t, "the good one", func() bool { all, _ := p.recordings(); return all[good.id].State == "published" })

	shown := p.mustRun("recordings", "spool")
	for name, reason := range map[string]string{broken: "tar", half.id + ".tar": "video"} {
		i := strings.Index(shown, name)
		if i < 0 {
			t.Fatalf("recordings spool does not show %s:\n%s", name, shown)
		}
		line, _, _ := strings.Cut(shown[i:], "\n")
		if rest := strings.TrimPrefix(line, name); !strings.Contains(rest, "failed") || !strings.Contains(rest, reason) {
			t.Errorf("recordings spool shows %q, want it failed for %q", line, reason)
		}
		why, err := os.ReadFile(p.path("failed", name+".txt"))
		if err != nil || !strings.Contains(string(why), reason) {
			t.Errorf("the text beside %s: %v\n%s", name, err, why)
		}
	}
	all, _ := p.recordings()
	if r := all[half.id]; len(all) != 2 || len(r.Formats) != 1 || r.Formats[0].Type != "presentation" {
		t.Errorf("recordings %+v, want the good one and the presentation of the other", all)
	}

	// Once it is repaired, a retry brings in what was missing.
	if err := os.WriteFile(p.path("failed", half.id+".tar"), half.tar(), 0o644); err != nil {
		t.Fatal(err)
	}
	p.mustRun("recordings", "retry", "--all")
	eventually(t, "the broken one to fail again", func() bool {
		return slices.Equal(p.names("failed"), []string{broken, broken + ".txt"}) && p.metric(failedFiles) == "1"
	})
	eventually(t, "the repaired one", func() bool {
		all, _ := p.recordings()
		return len(all[half.id].Formats) == 2 && len(p.spooled()) == 0
	})
	p.inOrder()
}

// TestDecisionsOutliveImports (T20, T21, T22, T23): what was decided about a
// recording stays when it comes again, by whatever way and however often.
func TestDecisionsOutliveImports(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	server := p.withServers(1)[0]
	p.start()
	m := made{id: id("again"), meeting: "room", version: 1, formats: []string{"presentation", "video"}, size: 1000}
	p.place(m)
	p.imported()
	p.call("publishRecordings", "recordID", m.id, "publish", "false")
	p.call("updateRecordings", "recordID", m.id, "meta_note", "kept")
	p.mustRun("recordings", "protect", m.id)

	m.version = 2
	file := filepath.Join(t.TempDir(), m.id+".tar")
	if err := os.WriteFile(file, m.tar(), 0o644); err != nil {
		t.Fatal(err)
	}
	var senders sync.WaitGroup
	for i := range 6 {
		senders.Go(func() {
			switch i % 3 {
			case 0:
				if status, err := p.upload(server, m); err != nil || status != http.StatusAccepted {
					t.Errorf("upload: %d %v", status, err)
				}
			case 1:
				if out, errOut, err := p.run("recordings", "import", file); err != nil {
					t.Errorf("import: %v\n%s%s", err, out, errOut)
				}
			default:
				runTool(t, p.dir, "rsync", "-a", file, p.path("spool")+"/")
			}
		})
	}
	senders.Wait()
	p.imported()
	all, _ := p.recordings()
	r := all[m.id]
	if len(all) != 1 || r.State != "unpublished" || r.Metadata.Note != "kept" || r.Metadata.Version != 2 || len(r.Formats) != 2 {
		t.Errorf("recordings %+v, want one as it was decided", all)
	}
	if shown := p.mustRun("recordings", "show", m.id, "--json"); !strings.Contains(shown, `"protected": true`) {
		t.Errorf("it is not protected any more:\n%s", shown)
	}
	p.inOrder()

	p.call("deleteRecordings", "recordID", m.id)
	for _, tree := range []string{"published", "unpublished"} {
		err := filepath.WalkDir(p.path(tree), func(path string, _ fs.DirEntry, err error) error {
			if strings.Contains(path, m.id) {
				t.Errorf("it is deleted, yet there is %s", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	p.inOrder()
}

// listing is the text of a getRecordings of all that is there.
func listing(p *process) string {
	_, text := p.recordings("state", "published,unpublished")
	return text
}

// TestLostDatabaseAndNewHost (T29, T30): the recordings come back from the
// files, and their links follow the configuration.
func TestLostDatabaseAndNewHost(t *testing.T) {
	t.Parallel()
	p := newProcess(t, "")
	p.start()
	for n := range 5 {
		m := made{
			id: id(fmt.Sprint("lost", n)), meeting: fmt.Sprint("room", n%2), version: n, size: 1000, formats: []string{"presentation", "video"},
			start: firstStart.Add(time.Duration(n) * time.Hour), unpublished: n == 3,
		}
		p.place(m)
	}
	p.imported()
	p.call("publishRecordings", "recordID", id("lost1"), "publish", "false")
	before := listing(p)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(p.database()); err != nil {
		t.Fatal(err)
	}
	p.start()
	if all, _ := p.recordings(); len(all) != 0 {
		t.Fatalf("recordings without a database: %+v", all)
	}
	p.mustRun("recordings", "rescan")
	if diff := cmp.Diff(before, listing(p)); diff != "" {
		t.Errorf("after the rescan (-before +after):\n%s", diff)
	}
	p.inOrder()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	p.configure(strings.TrimPrefix(p.base, "http://"), sections{web: `host = "new.example.org"`})
	p.start()
	request, err := http.NewRequest(http.MethodGet, p.link("getRecordings"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "new.example.org"
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	address := strings.TrimPrefix(p.base, "http://")
	if links := strings.Count(string(text), "//new.example.org/"); err != nil || links != 10 || strings.Contains(string(text), address) {
		t.Errorf("%d links lead to the new host, want 10: %v\n%s", links, err, text)
	}
}

// TestPruneDoesWhatItSays (T27): the dry run lists exactly what goes.
func TestPruneDoesWhatItSays(t *testing.T) {
	t.Parallel()
	p := newProcessWith(t, sections{recordings: "retention = \"100d\"\n"})
	p.start()
	ages := map[string]int{"young": 10, "old": 200, "older": 300, "kept": 400}
	for name, days := range ages {
		start := time.Now().AddDate(0, 0, -days).Truncate(time.Second)
		p.place(made{id: id(name), meeting: "room", version: 1, formats: []string{"video"}, size: 1000, start: start})
	}
	p.imported()
	p.call("updateRecordings", "recordID", id("kept"), "meta_keep", "true")
	prune := func(args ...string) []string {
		var pruned []recordings.Pruned
		if err := json.Unmarshal([]byte(p.mustRun(append([]string{"recordings", "prune", "--json"}, args...)...)), &pruned); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range pruned {
			ids = append(ids, r.ID)
		}
		slices.Sort(ids)
		return ids
	}
	want := []string{id("old"), id("older")}
	if got := prune("--dry-run"); !slices.Equal(got, want) {
		t.Errorf("the dry run lists %v, want %v", got, want)
	}
	if all, _ := p.recordings(); len(all) != 4 {
		t.Errorf("after the dry run there are %+v", all)
	}
	if got := prune(); !slices.Equal(got, want) {
		t.Errorf("pruned were %v, want %v", got, want)
	}
	all, _ := p.recordings("state", "any")
	for name, want := range map[string]string{"young": "published", "old": "deleted", "older": "deleted", "kept": "published"} {
		if got := all[id(name)].State; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	p.inOrder()
}
