package cmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

// library is the part of a fake pool that has recordings.
type library struct {
	records   []admin.RecordingInfo
	queries   []admin.RecordingQuery
	results   []admin.RecordingResult // of the next change; nil: all changed
	updates   []recordings.Change
	protected int
	pruned    []recordings.Pruned
	problems  []recordings.Problem
	rescanned recordings.Rescanned
	// failRescan is the error of a rescan that began.
	failRescan error
	status     admin.RecordingsStatus
	files      []recordings.SpoolFile
	retried    []string
	callbacks  []admin.CallbackInfo
	imports    []store.Import // what Import says, one after the other; the last one stays
	received   map[string]string
}

func (p *pool) Recordings(_ context.Context, q admin.RecordingQuery) (admin.RecordingPage, error) {
	p.queries = append(p.queries, q)
	if p.noService {
		return admin.RecordingPage{}, admin.ErrNoDaemon
	}
	page := admin.RecordingPage{Total: int64(len(p.records))}
	from := q.Offset
	if q.After != "" {
		from, _ = strconv.ParseInt(q.After, 10, 64)
	}
	to := min(from+int64(q.Limit), page.Total)
	if from < to {
		page.Items = p.records[from:to]
	}
	if to < page.Total {
		page.Next = fmt.Sprint(to)
	}
	return page, p.fail
}

func (p *pool) Recording(_ context.Context, id string) (admin.RecordingInfo, error) {
	for _, r := range p.records {
		if strings.HasPrefix(r.ID, id) {
			return r, p.fail
		}
	}
	return admin.RecordingInfo{}, &admin.Error{Code: admin.NotFound, Message: "there is no recording " + id}
}

// did is the result of a change, or the one that a test has set.
func (p *pool) did(ids []string, format string, args ...any) ([]admin.RecordingResult, error) {
	p.called(format, args...)
	if p.results != nil {
		return p.results, p.fail
	}
	var results []admin.RecordingResult
	for _, id := range ids {
		results = append(results, admin.RecordingResult{ID: id, Changed: true})
	}
	return results, p.fail
}

func (p *pool) PublishRecordings(_ context.Context, ids []string, publish bool) ([]admin.RecordingResult, error) {
	return p.did(ids, "publish %t %v", publish, ids)
}

func (p *pool) UpdateRecordings(_ context.Context, ids []string, c recordings.Change) ([]admin.RecordingResult, error) {
	p.updates = append(p.updates, c)
	return p.did(ids, "update %v", ids)
}

func (p *pool) ProtectAllRecordings(_ context.Context, protect bool) (int, error) {
	p.called("protect all %t", protect)
	return p.protected, p.fail
}

func (p *pool) DeleteRecordings(_ context.Context, ids []string, purge bool) ([]admin.RecordingResult, error) {
	return p.did(ids, "delete %v purge %t", ids, purge)
}

func (p *pool) UndeleteRecordings(_ context.Context, ids []string) ([]admin.RecordingResult, error) {
	return p.did(ids, "undelete %v", ids)
}

func (p *pool) PruneRecordings(_ context.Context, dryRun bool) ([]recordings.Pruned, error) {
	p.called("prune dry run %t", dryRun)
	return p.pruned, p.fail
}

func (p *pool) CheckRecordings(_ context.Context, how recordings.Repair) ([]recordings.Problem, error) {
	p.called("check repair %d", how)
	return p.problems, p.fail
}

func (p *pool) RescanRecordings(_ context.Context, accept bool) (recordings.Rescanned, error) {
	p.called("rescan accept %t", accept)
	return p.rescanned, errJoin(p.fail, p.failRescan)
}

func (p *pool) RecordingsStatus(context.Context) (admin.RecordingsStatus, error) {
	return p.status, p.fail
}

func (p *pool) ImportRecording(_ context.Context, name string, size int64, r io.Reader) (string, error) {
	text, err := io.ReadAll(r)
	if err != nil || p.fail != nil {
		return "", errJoin(err, p.fail)
	}
	p.called("import %s %d", name, size)
	if p.received == nil {
		p.received = map[string]string{}
	}
	p.received[name] = string(text)
	return "import-1", nil
}

func errJoin(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (p *pool) Import(context.Context, string) (store.Import, error) {
	i := p.imports[0]
	if len(p.imports) > 1 {
		p.imports = p.imports[1:]
	}
	return i, p.fail
}

func (p *pool) SpoolFiles(context.Context) ([]recordings.SpoolFile, error) { return p.files, p.fail }

func (p *pool) RetrySpool(_ context.Context, names []string) ([]string, error) {
	p.called("retry %v", names)
	return p.retried, p.fail
}

func (p *pool) DropSpool(_ context.Context, names []string) ([]string, error) {
	p.called("drop %v", names)
	return names, p.fail
}

func (p *pool) Callbacks(context.Context) ([]admin.CallbackInfo, error) { return p.callbacks, p.fail }

func (p *pool) RetryCallback(_ context.Context, id string) (admin.CallbackInfo, error) {
	return p.callback("retry", id)
}

func (p *pool) DropCallback(_ context.Context, id string) (admin.CallbackInfo, error) {
	return p.callback("drop", id)
}

func (p *pool) callback(call, id string) (admin.CallbackInfo, error) {
	i := slices.IndexFunc(p.callbacks, func(c admin.CallbackInfo) bool { return strings.HasPrefix(c.ID, id) })
	if i < 0 {
		return admin.CallbackInfo{}, &admin.Error{Code: admin.NotFound, Message: "there is no callback " + id}
	}
	p.called("%s callback %s", call, p.callbacks[i].ID)
	return p.callbacks[i], p.fail
}

// The recordings of tests.
const (
	recA = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1700000000000"
	recB = "ffbfc4cc24428694e8b53a4e144f414052431693-1700000100000"
)

func withRecordings() *pool {
	p := twoServers()
	start := time.Date(2026, 11, 23, 8, 0, 0, 0, time.Local)
	p.records = []admin.RecordingInfo{
		{ID: recB, MeetingID: "room-2", Name: "Art\x1b[2J", State: store.Unpublished, Protected: true, Start: start, End: start.Add(time.Hour),
			Formats: []admin.RecordingFormat{{Type: "notes", Files: 1, Bytes: 1 << 10}}, Bytes: 1 << 10, Files: 1},
		{ID: recA, MeetingID: "room-1", Name: "Fred's <Room>", State: store.Published, Start: start.Add(-time.Hour), End: start, Participants: 3,
			Metadata: map[string]string{"bbb-origin": "greenlight", "a": "b"},
			Formats: []admin.RecordingFormat{{Type: "presentation", LengthMS: 89332, Files: 4, Bytes: 3 << 20, URL: "/playback/presentation/2.3/" + recA},
				{Type: "video", LengthMS: 3605000, Files: 2, Bytes: 5 << 20, URL: "/playback/video/"}},
			Bytes: 8 << 20, Files: 6},
	}
	p.status = admin.RecordingsStatus{Enabled: true, Published: 1, Unpublished: 1, InTrash: 2,
		Disk: admin.DiskStatus{Published: 8 << 20, Unpublished: 1 << 10, Trash: 1 << 20, Free: 20 << 30, Total: 40 << 30}}
	return p
}
