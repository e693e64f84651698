package web

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"scalelite/recordings"
	"scalelite/web/admin"
)

// told is a status that a test sets.
type told struct {
	status admin.RecordingsStatus
	err    error
}

func (f *told) RecordingsStatus(context.Context) (admin.RecordingsStatus, error) {
	return f.status, f.err
}

// T1: what failed is a number in the metrics.
func TestMetricsOfRecordings(t *testing.T) {
	t.Parallel()
	f := &told{status: admin.RecordingsStatus{
		Enabled: true, Published: 1, Unpublished: 2, Deleted: 3, InTrash: 4,
		Disk:      admin.DiskStatus{Published: 5, Unpublished: 6, Trash: 7, Free: 8, Total: 9},
		Spool:     admin.SpoolStatus{Waiting: 10, Settling: 11, Importing: 12, Failed: 13, Held: 14, Ignored: 17, Unplaced: 15},
		Callbacks: admin.CallbackStatus{Pending: 15, Failed: 16},
	}}
	m := NewMetrics("1.2.3")
	m.WatchRecordings(f)
	wantLines(t, m, "scalelite_recording",
		`scalelite_recording_bytes{state="published"} 5`,
		`scalelite_recording_bytes{state="trash"} 7`,
		`scalelite_recording_bytes{state="unpublished"} 6`,
		`scalelite_recording_disk_bytes 9`,
		`scalelite_recording_free_bytes 8`,
		`scalelite_recordings{state="deleted"} 3`,
		`scalelite_recordings{state="published"} 1`,
		`scalelite_recordings{state="unpublished"} 2`,
		`scalelite_recordings_in_trash 4`,
		`scalelite_recordings_readable 1`)
	wantLines(t, m, "scalelite_spool",
		`scalelite_spool_files{state="failed"} 13`,
		`scalelite_spool_files{state="ignored"} 17`,
		`scalelite_spool_files{state="importing"} 12`,
		`scalelite_spool_files{state="settling"} 11`,
		`scalelite_spool_files{state="waiting"} 10`,
		`scalelite_spool_held_files 29`)
	wantLines(t, m, "scalelite_callbacks",
		`scalelite_callbacks{state="failed"} 16`, `scalelite_callbacks{state="pending"} 15`)

	f.status.Spool.Error, f.status.Disk.Error = "no such directory", "no such directory"
	wantLines(t, m, "scalelite_recordings_", `scalelite_recordings_in_trash 4`, `scalelite_recordings_readable 0`)
	wantLines(t, m, "scalelite_recording_")
	f.err = errors.New("database is closed")
	wantLines(t, m, "scalelite_recordings", `scalelite_recordings_readable 0`)
	wantLines(t, m, "scalelite_spool")
	*f = told{}
	wantLines(t, m, "scalelite_recordings")
}

// importer fails as it is told.
type importer struct{ err error }

func (i *importer) ImportTarball(context.Context, recordings.Tarball, func(done, total int64)) (recordings.Imported, error) {
	return recordings.Imported{Recordings: []recordings.ImportedRecording{{ID: "x"}}}, i.err
}

func TestMetricsOfImports(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1.2.3")
	next := &importer{}
	counted := m.CountImports(next)
	for _, err := range []error{
		nil, nil, errors.New("broken"), fmt.Errorf("a: %w", recordings.ErrIncomplete),
		fmt.Errorf("b: %w", recordings.ErrNoSpace), fmt.Errorf("d: %w", recordings.ErrNotInPlace), fmt.Errorf("c: %w", &recordings.PartialError{}),
	} {
		next.err = err
		if got, gotErr := counted.ImportTarball(t.Context(), recordings.Tarball{Path: "x.tar"}, nil); gotErr != err || len(got.Recordings) != 1 {
			t.Errorf("got %+v, %v instead of %v", got, gotErr, err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	next.err = context.Canceled
	_, _ = counted.ImportTarball(ended, recordings.Tarball{Path: "x.tar"}, nil)
	wantLines(t, m, "scalelite_imports_total",
		`scalelite_imports_total{outcome="failed"} 1`, `scalelite_imports_total{outcome="imported"} 2`,
		`scalelite_imports_total{outcome="incomplete"} 1`, `scalelite_imports_total{outcome="no_space"} 1`,
		`scalelite_imports_total{outcome="not_in_place"} 1`,
		`scalelite_imports_total{outcome="partly"} 1`, `scalelite_imports_total{outcome="stopped"} 1`)
	wantLines(t, m, "scalelite_import_duration_seconds_count", `scalelite_import_duration_seconds_count 2`)
}
