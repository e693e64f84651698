package cmd

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

func TestRecordingsTable(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	want := "RECORD ID                                               START                LENGTH   STATE        PROTECTED  SIZE     FORMATS             NAME\n" +
		recB + "  2026-11-23 08:00:00  -        unpublished  yes        1.0 KiB  notes               Art\uFFFD[2J\n" +
		recA + "  2026-11-23 07:00:00  1:00:05  published    no         8.0 MiB  presentation,video  Fred's <Room>\n"
	if d := cmp.Diff(want, s.ok("recordings")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	p.records[1].Tenant = "school"
	if out := s.ok("recordings"); !strings.Contains(out, "TENANT") || !strings.Contains(out, recA+"  school  ") || !strings.Contains(out, recB+"  -       ") {
		t.Errorf("with a tenant: %s", out)
	}
}

func TestRecordingFilters(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	s.ok("recordings", "--meeting", "room-1", "--meeting", "a,b", "--state", "published,unpublished", "--meta", "bbb-Origin=Moodle", "--meta", "x=a=b",
		"--tenant", "", "--since", "30d", "--until", "2026-11-01 08:30", "--limit", "7", "--offset", "1")
	want := admin.RecordingQuery{
		Meetings: []string{"room-1", "a,b"}, States: []string{"published", "unpublished"},
		Meta: map[string][]string{"bbb-origin": {"Moodle"}, "x": {"a=b"}}, Tenant: new(string),
		Since: s.deps.now().Add(-30 * 24 * time.Hour), Until: time.Date(2026, 11, 1, 8, 30, 0, 0, time.Local), Limit: 7, Offset: 1,
	}
	if d := cmp.Diff(want, p.queries[0]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for text, want := range map[string]time.Time{
		"2026-11-01": time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local), "12h": s.deps.now().Add(-12 * time.Hour),
		"2026-11-01T08:30:00Z": time.Date(2026, 11, 1, 8, 30, 0, 0, time.UTC),
	} {
		p.queries = nil
		s.ok("recordings", "--since", text)
		if got := p.queries[0]; !got.Since.Equal(want) || got.Tenant != nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// A long list comes page by page; the table says where it ends, JSON is whole.
func TestLongListOfRecordings(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	one := p.records[0]
	p.records = nil
	for range 2500 {
		p.records = append(p.records, one)
	}
	s := newSession(t, p)
	r := s.run("", "recordings")
	if n := strings.Count(r.out, recB); n != 100 || r.err != "100 of 2500 recordings; --limit and --offset show others.\n" {
		t.Errorf("%d rows; %s", n, r.err)
	}
	for args, want := range map[string]int{"--limit=0": 2500, "--limit=1200": 1200, "--offset=2450": 50} {
		r = s.run("", "recordings", args)
		if n := strings.Count(r.out, recB); n != want || strings.Count(r.out, "RECORD ID") != 1 || (r.err == "") != (want != 1200) {
			t.Errorf("%s: %d rows; %s", args, n, r.err)
		}
	}
	var all []admin.RecordingInfo
	if err := json.Unmarshal([]byte(s.ok("recordings", "--json")), &all); err != nil || len(all) != 2500 {
		t.Errorf("%d, %v", len(all), err)
	}
	if err := json.Unmarshal([]byte(s.ok("recordings", "--json", "--limit", "3")), &all); err != nil || len(all) != 3 {
		t.Errorf("%d, %v", len(all), err)
	}
}

// What is streamed looks as if it were printed at once.
func TestRecordingsJSON(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	var want strings.Builder
	if err := printJSON(&want, p.records); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.String(), s.ok("recordings", "--json")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	p.fail = &admin.Error{Code: admin.Internal, Message: "disk full"}
	if r := s.run("", "recordings", "--json"); r.code != exitFailure || strings.Contains(r.out, "]") {
		t.Errorf("%+v", r)
	}
}

func TestEmptyListsOfRecordings(t *testing.T) {
	t.Parallel()
	p := twoServers()
	s := newSession(t, p)
	for _, args := range [][]string{{"recordings"}, {"recordings", "spool"}, {"recordings", "prune"},
		{"recordings", "check"}, {"callbacks"}} {
		if out := s.ok(append(args, "--json")...); out != "[]\n" {
			t.Errorf("%s --json: %q", args, out)
		}
		if out := s.ok(args...); strings.Count(out, "\n") != 1 || len(out) < 20 {
			t.Errorf("%s: %q", args, out)
		}
	}
	if out := s.ok("recordings", "--meeting", "x"); !strings.Contains(out, "No recordings yet") {
		t.Errorf("%q", out)
	}
	p.records = withRecordings().records
	if out := s.ok("recordings", "--offset", "5"); out != "There are only 2; --offset leaves out all of them.\n" {
		t.Errorf("%q", out)
	}
	s.ok("callbacks", "retry", "--all")
	s.ok("recordings", "retry", "--all")
	s.ok("recordings", "drop", "--all")
	if out := s.run("\n \n", "recordings", "publish", "-").out; !strings.Contains(out, "no IDs") {
		t.Errorf("%q", out)
	}
}

func TestRecordingsShow(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	want := `id: ` + recA + `
name: Fred's <Room>
state: published
protected: no
meeting id: room-1
start: 2026-11-23 07:00:00
end: 2026-11-23 08:00:00
participants: 3
files: 6, 8.0 MiB
format presentation: 0:01:29, 4 files, 3.0 MiB, imported -, /playback/presentation/2.3/` + recA + `
format video: 1:00:05, 2 files, 5.0 MiB, imported -, /playback/video/
meta a: b
meta bbb-origin: greenlight
`
	if d := cmp.Diff(want, s.ok("recordings", "show", "183f0bf3")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	p.records[1].State, p.records[1].InTrash = store.Deleted, true
	if out := s.ok("recordings", "show", recA); !strings.Contains(out, "state: deleted; in the trash") {
		t.Errorf("%s", out)
	}
	var r admin.RecordingInfo
	if err := json.Unmarshal([]byte(s.ok("recordings", "show", recA, "--json")), &r); err != nil || r.ID != recA || !r.InTrash {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRecordingsAreChanged(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	yes, no := true, false
	for _, c := range []struct {
		args []string
		call string
		done string
	}{
		{[]string{"publish", "183f0bf3", recB}, "publish true [183f0bf3 " + recB + "]", recB + ": published\n"},
		{[]string{"unpublish", recA}, "publish false [" + recA + "]", recA + ": unpublished\n"},
		{[]string{"protect", recA}, "update [" + recA + "]", recA + ": protected\n"},
		{[]string{"unprotect", recA}, "update [" + recA + "]", recA + ": unprotected\n"},
		{[]string{"set", recA, "Name=Maths, 9b=x", "keep="}, "update [" + recA + "]", recA + ": changed\n"},
		{[]string{"undelete", recA}, "undelete [" + recA + "]", recA + ": brought back\n"},
		{[]string{"delete", recA, "--yes"}, "delete [" + recA + "] purge false", recA + ": deleted\n"},
		{[]string{"delete", recA, "-y", "--purge"}, "delete [" + recA + "] purge true", recA + ": deleted for good\n"},
		{[]string{"protect", "--all"}, "protect all true", "0 recordings were protected; the others were already.\n"},
		{[]string{"unprotect", "--all"}, "protect all false", "0 recordings were unprotected; the others were already.\n"},
	} {
		p.calls = nil
		out := s.ok(append([]string{"recordings"}, c.args...)...)
		if len(p.calls) != 1 || p.calls[0] != c.call || !strings.HasSuffix(out, c.done) {
			t.Errorf("%v: %q, %q", c.args, p.calls, out)
		}
	}
	want := []recordings.Change{{Protect: &yes}, {Protect: &no}, {Meta: map[string]string{"name": "Maths, 9b=x", "keep": ""}}}
	if d := cmp.Diff(want, p.updates); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestIDsFromStandardInput(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	r := s.run(recA+"\r\n\n  "+recB+"  ", "recordings", "publish", "-", "third")
	if r.code != 0 || p.calls[0] != "publish true ["+recA+" "+recB+" third]" {
		t.Errorf("%+v, %q", r, p.calls)
	}
	p.calls = nil
	s.interactive().run(recA, "recordings", "delete", "-").wantFail(t, exitUsage, "say --yes")
	if len(p.calls) != 0 {
		t.Errorf("calls %q", p.calls)
	}
	// Many IDs go in several calls.
	s.run(strings.Repeat(recA+"\n", idBatch+1), "recordings", "publish", "-")
	if len(p.calls) != 2 {
		t.Errorf("%d calls", len(p.calls))
	}
}

// The second run does no harm, and what failed fails the command.
func TestChangesThatAreNone(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	p.results = []admin.RecordingResult{{ID: recA}, {ID: recB, Error: "the files are missing"}}
	s := newSession(t, p)
	r := s.run("", "recordings", "publish", recA, recB)
	r.wantFail(t, exitFailure, recB+": not published: the files are missing", "1 recording was not published")
	if r.out != recA+": was published already\n" {
		t.Errorf("%q", r.out)
	}
	p.results = p.results[:1]
	if out := s.ok("recordings", "undelete", recA); out != recA+": is not deleted\n" {
		t.Errorf("%q", out)
	}
}

func TestDeleteAsks(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	s.run("", "recordings", "delete", recA).wantFail(t, exitUsage, "1 recording with 8.0 MiB will be deleted", "say --yes")
	r := s.interactive().run("n\n", "recordings", "delete", "183f0bf3", recB, "--purge")
	r.wantFail(t, exitFailure, "2 recordings with 8.0 MiB will be deleted for good", recA+"  2026-11-23 07:00:00  Fred's <Room>", "Art\uFFFD[2J", "nothing was changed")
	s.run("y\n", "recordings", "delete", "nobody").wantFail(t, exitFailure, "there is no recording nobody")
	if len(p.calls) != 0 {
		t.Errorf("calls %q", p.calls)
	}
	if r := s.run("y\n", "recordings", "delete", "183f0bf3"); r.code != 0 || p.calls[0] != "delete ["+recA+"] purge false" {
		t.Errorf("%+v, %q", r, p.calls)
	}
}

// T27: dry run and run look the same.
func TestPrune(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	start := time.Date(2025, 1, 2, 3, 4, 5, 0, time.Local)
	p.pruned = []recordings.Pruned{
		{ID: recA, Name: "Maths", Start: start, Bytes: 3 << 20, Reason: "retention"},
		{ID: recB, Name: "Art", Start: start, Bytes: 1 << 20, Reason: "trash"},
	}
	s := newSession(t, p)
	want := `RECORD ID                                               START                SIZE     REASON     NAME
` + recA + `  2025-01-02 03:04:05  3.0 MiB  retention  Maths
` + recB + `  2025-01-02 03:04:05  1.0 MiB  trash      Art

2 recordings, 4.0 MiB would be deleted.
`
	dry := s.ok("recordings", "prune", "--dry-run")
	if d := cmp.Diff(want, dry); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if done := s.ok("recordings", "prune"); done != strings.Replace(want, "would be deleted", "deleted", 1) {
		t.Errorf("%s", done)
	}
	if d := cmp.Diff([]string{"prune dry run true", "prune dry run false"}, p.calls); d != "" {
		t.Errorf("%s", d)
	}
	p.fail = &admin.Error{Code: admin.Internal, Message: "disk broke"}
	if r := s.run("", "recordings", "prune", "--json"); r.code != exitFailure || !strings.Contains(r.err, "disk broke") {
		t.Errorf("%+v", r)
	}
}

// T15: the exit status tells whether something is wrong still.
func TestCheck(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	if out := s.ok("recordings", "check"); out != "Records and files agree.\n" {
		t.Errorf("%q", out)
	}
	p.problems = []recordings.Problem{{RecordID: recA, Format: "video", Kind: "missing", Detail: "no files"}, {RecordID: recB, Kind: "extra", Detail: "x"}}
	r := s.run("", "recordings", "check")
	r.wantFail(t, exitFailure, "2 problems; 'scalelite recordings check --fix' mends")
	if !strings.Contains(r.out, recA+"  video   missing  no     no files\n") || !strings.Contains(r.out, recB+"  -       extra    no     x\n") {
		t.Errorf("%s", r.out)
	}
	p.problems[0].Fixed = true
	s.run("", "recordings", "check", "--fix", "--json").wantFail(t, exitFailure, "1 problem could not be mended")
	p.problems[1].Fixed = true
	s.ok("recordings", "check", "--fix")
	s.ok("recordings", "check", "--fix", "--accept-loss")
	wantCalls := []string{"check repair 0", "check repair 0", "check repair 1", "check repair 1", "check repair 2"}
	if diff := cmp.Diff(wantCalls, p.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	s.run("", "recordings", "check", "--accept-loss").wantFail(t, exitUsage, "--fix")
}

func TestSpool(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.Local)
	p.files = []recordings.SpoolFile{
		{Name: "broken.tar", Size: 2 << 20, State: store.ImportFailed, Since: at, Tries: 5, Reason: "no tar\nat all"},
		{Name: "late.tar", Size: 1 << 10, State: store.ImportWaiting, Since: at, Tries: 1, Next: at.Add(time.Minute), Reason: "disk broke"},
		{Name: "now.tar", Size: 9 << 20, State: store.ImportImporting, Since: at, Done: 3 << 20},
		{Name: "odd.TAR", Size: 5, State: store.ImportIgnored, Since: at, Reason: "its name is odd", More: 2},
	}
	s := newSession(t, p)
	want := `NAME        SIZE     STATE      SINCE                TRIES  NEXT                 REASON
broken.tar  2.0 MiB  failed     2026-11-23 08:00:00  5      -                    no tar at all
late.tar    1.0 KiB  waiting    2026-11-23 08:00:00  1      2026-11-23 08:01:00  disk broke
now.tar     9.0 MiB  importing  2026-11-23 08:00:00  0      -                    3.0 MiB unpacked
odd.TAR     5 B      ignored    2026-11-23 08:00:00  0      -                    its name is odd

Not listed: 2 ignored files.
`
	if d := cmp.Diff(want, s.ok("recordings", "spool")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	p.retried = []string{"broken.tar"}
	if out := s.ok("recordings", "retry", "broken.tar", "late.tar"); out != "broken.tar: is tried again\nlate.tar: is in the spool already\n" {
		t.Errorf("%q", out)
	}
	if out := s.ok("recordings", "retry", "--all"); out != "broken.tar: is tried again\n" || p.calls[1] != "retry []" {
		t.Errorf("%q, %q", out, p.calls)
	}
	p.calls = nil
	for _, args := range [][]string{{"broken.tar"}, {"--all"}} {
		s.run("", append([]string{"recordings", "drop"}, args...)...).wantFail(t, exitUsage, "1 failed tarball with 2.0 MiB will be removed for good:\n  broken.tar\n", "--yes")
		if len(p.calls) > 0 {
			t.Errorf("dropped without being asked: %q", p.calls)
		}
	}
	if out := s.ok("recordings", "drop", "--all", "--yes"); out != "broken.tar: is removed\n" || len(p.calls) != 1 || p.calls[0] != "drop [broken.tar]" {
		t.Errorf("%q, %q", out, p.calls)
	}
}

func TestRescan(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	p.rescanned.Added = []recordings.ImportedRecording{
		{ID: recA, Formats: []recordings.ImportedFormat{{Type: "presentation", Files: 4, Bytes: 1 << 20}, {Type: "video", Files: 2, Bytes: 2 << 20}}},
	}
	s := newSession(t, p)
	want := "RECORD ID                                               FORMAT        FILES  SIZE     ERROR\n" +
		recA + "  presentation  4      1.0 MiB  -\n" + recA + "  video         2      2.0 MiB  -\n\n1 recording was added.\n"
	if d := cmp.Diff(want, s.ok("recordings", "rescan")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	p.rescanned.Added = append(p.rescanned.Added, recordings.ImportedRecording{ID: recB, Error: "there is no metadata.xml",
		Formats: []recordings.ImportedFormat{{Type: "notes", Error: "there is no metadata.xml"}}})
	r := s.run("", "recordings", "rescan")
	r.wantFail(t, exitFailure, "1 recording was not added")
	if !strings.Contains(r.out, "there is no metadata.xml") || !strings.Contains(r.out, "1 recording was added") {
		t.Errorf("%s", r.out)
	}
}

// Directories that were accepted are told of before anything else.
func TestRescanTellsWhatItAccepted(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	if out := s.ok("recordings", "rescan"); out != "Nothing to add: all files have their record.\n" {
		t.Errorf("%q", out)
	}
	empty := "{\n  \"accepted_directories\": [],\n  \"recordings\": []\n}\n"
	if d := cmp.Diff(empty, s.ok("recordings", "rescan", "--json")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	p.rescanned.Accepted = []recordings.AcceptedDirectory{{Key: "recordings.published_dir", Path: "/srv/published", Before: "there is no such directory"}}
	want := `ACCEPTED                  DIRECTORY       BEFORE
recordings.published_dir  /srv/published  there is no such directory

These are the directories of the recordings from now on. 'scalelite recordings check'
lists the recordings that have no files there.

Nothing to add: all files have their record.
`
	if d := cmp.Diff(want, s.ok("recordings", "rescan", "--accept-directories")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var done recordings.Rescanned
	if err := json.Unmarshal([]byte(s.ok("recordings", "rescan", "--accept-directories", "--json")), &done); err != nil || !cmp.Equal(done.Accepted, p.rescanned.Accepted) {
		t.Errorf("%+v, %v", done, err)
	}
	if want := []string{"rescan accept false", "rescan accept false", "rescan accept true", "rescan accept true"}; !slices.Equal(p.calls, want) {
		t.Errorf("%q, want %q", p.calls, want)
	}
	p.failRescan = errors.New("the trees cannot be read")
	r := s.run("", "recordings", "rescan")
	r.wantFail(t, exitFailure, "the trees cannot be read")
	if !strings.Contains(r.out, "/srv/published") || strings.Contains(r.out, "Nothing to add") {
		t.Errorf("%s", r.out)
	}
}

func TestWrongUsageOfRecordings(t *testing.T) {
	t.Parallel()
	s := newSession(t, withRecordings())
	for _, args := range [][]string{
		{"recordings", "publsh"}, {"recordings", "--limit", "-1"}, {"recordings", "--meta", "x"}, {"recordings", "--since", "tomorrow"},
		{"recordings", "show"}, {"recordings", "show", recA, recB}, {"recordings", "publish"}, {"recordings", "publish", ""},
		{"recordings", "protect"}, {"recordings", "protect", "--all", recA}, {"recordings", "set", recA}, {"recordings", "set", recA, "name"},
		{"recordings", "set", "", "a=b"}, {"recordings", "delete"}, {"recordings", "retry"}, {"recordings", "retry", "--all", "x"},
		{"recordings", "drop"}, {"recordings", "drop", "--all", "x"},
		{"recordings", "import"}, {"recordings", "prune", "x"},
		{"callbacks", "retry"}, {"callbacks", "retry", "--all", "x"}, {"callbacks", "drop"}, {"callbacks", "dorp"},
		{"callbacks", "drop", "--failed", "x"}, {"callbacks", "drop", "--all", "--host", "x"},
	} {
		s.run("", args...).wantFail(t, exitUsage, "--help' to see how it is used")
	}
}

func TestCompletionOffersRecordings(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	p.callbacks = []admin.CallbackInfo{{ID: "cb-1", MeetingID: "room-1"}}
	s := newSession(t, p)
	if out := s.ok("__complete", "recordings", "publish", "183"); !strings.Contains(out, recA+"\t2026-11-23 07:00:00 Fred's <Room>\n") ||
		!cmp.Equal(p.queries[0].IDs, []string{"183"}) {
		t.Errorf("%q, %+v", out, p.queries)
	}
	if out := s.ok("__complete", "callbacks", "drop", ""); !strings.Contains(out, "cb-1\troom-1\n") {
		t.Errorf("%q", out)
	}
	s = newSession(t, &pool{noService: true})
	if out := s.ok("__complete", "recordings", "publish", ""); out != ":4\n" {
		t.Errorf("without service: %q", out)
	}
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.Local)
	p.callbacks = []admin.CallbackInfo{
		{ID: "cb-1", MeetingID: "room-1", URL: "https://m.example.org/ready", Failed: true, Created: at, Tries: 20, Error: "the front-end answered 500"},
		{ID: "cb-2", MeetingID: "room-2", URL: "https://m.example.org/ready", Created: at, Next: at},
	}
	s := newSession(t, p)
	want := `ID    STATE    MEETING ID  CREATED              TRIES  NEXT                 URL                          ERROR
cb-1  failed   room-1      2026-11-23 08:00:00  20     -                    https://m.example.org/ready  the front-end answered 500
cb-2  pending  room-2      2026-11-23 08:00:00  0      2026-11-23 08:00:00  https://m.example.org/ready  -
`
	if d := cmp.Diff(want, s.ok("callbacks")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if out := s.ok("callbacks", "retry", "--all"); out != "cb-1: is sent again\ncb-2: is sent again\n" {
		t.Errorf("%q", out)
	}
	s.run("", "callbacks", "retry", "cb-1", "x").wantFail(t, exitFailure, "there is no callback x")
	p.calls = nil
	s.run("", "callbacks", "drop", "cb-2").wantFail(t, exitUsage, "1 callback will not be sent", "--yes")
	if len(p.calls) != 0 {
		t.Errorf("%q", p.calls)
	}
	if out := s.ok("callbacks", "drop", "cb-2", "--yes"); out != "cb-2: is dropped\n" {
		t.Errorf("%q", out)
	}
}

func TestCallbacksByKind(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"retry --failed":                       "cb-1: is sent again\n",
		"retry --host M.example.org":           "cb-1: is sent again\ncb-2: is sent again\n",
		"retry --host n.example.org":           "cb-3: is sent again\n",
		"retry --host n.example.org:8443":      "cb-3: is sent again\n",
		"retry --host example.org":             "No callback is like that; 'scalelite callbacks' lists those there are.\n",
		"drop --yes --failed":                  "cb-1: is dropped\n",
		"drop --yes --failed --host n.example": "No callback is like that; 'scalelite callbacks' lists those there are.\n",
		"drop --yes --all":                     "cb-1: is dropped\ncb-2: is dropped\ncb-3: is dropped\n",
	} {
		p := withRecordings()
		p.callbacks = []admin.CallbackInfo{
			{ID: "cb-1", URL: "https://m.example.org/ready", Failed: true}, {ID: "cb-2", URL: "https://m.example.org/ready"},
			{ID: "cb-3", URL: "https://n.example.org:8443/ready"},
		}
		if out := newSession(t, p).ok(append([]string{"callbacks"}, strings.Fields(args)...)...); out != want {
			t.Errorf("%s: %q, want %q", args, out, want)
		}
	}
}

func TestStatusOfRecordings(t *testing.T) {
	t.Parallel()
	p := withRecordings()
	s := newSession(t, p)
	want := `Recordings  1 published, 1 unpublished, 2 in the trash
Disk        9.0 MiB used, 20.0 GiB free of 40.0 GiB
Spool       empty
Callbacks   none pending
`
	if out := s.ok("status"); !strings.HasSuffix(out, "exams\nbbb2.example.com  disabled  offline  0         0      0                0       unavailable  -            -\n\n"+want) {
		t.Errorf("%s", out)
	}
	if out := s.ok("status", "--recordings"); out != want {
		t.Errorf("%s", out)
	}
	p.status.Spool = admin.SpoolStatus{Waiting: 2, Settling: 1, Importing: 3, Failed: 4, Ignored: 7}
	p.status.Callbacks = admin.CallbackStatus{Pending: 5, Failed: 6}
	if out := s.ok("status"); !strings.Contains(out, "Spool       2 waiting, 1 settling, 3 importing, 4 failed, 7 ignored; 'scalelite recordings spool' tells why\n"+
		"Callbacks   5 pending, 6 failed; 'scalelite callbacks' tells why\n") {
		t.Errorf("%s", out)
	}
	p.status.Spool.Error, p.status.Disk.Error = "no such directory", "input/output error"
	if out := s.ok("status"); !strings.Contains(out, "7 ignored; nothing can come in: no such directory\n") || !strings.Contains(out, "Disk        not known: input/output error\n") {
		t.Errorf("%s", out)
	}
	p.status.Spool.Error = ""
	p.status.Spool.Held, p.status.Callbacks.Failed = 2, 0
	if out := s.ok("status"); !strings.Contains(out, "; 2 held back because the disk is too full\nCallbacks   5 pending\n") {
		t.Errorf("%s", out)
	}
	var got admin.RecordingsStatus
	if err := json.Unmarshal([]byte(s.ok("status", "--recordings", "--json")), &got); err != nil || got != p.status {
		t.Errorf("%+v, %v", got, err)
	}
}
