package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"scalelite/recordings"
)

// heldImporter tells of some bytes and waits for its leave, then imports.
type heldImporter struct {
	recordings.Importer
	leave chan struct{}
}

func (i *heldImporter) ImportTarball(ctx context.Context, t recordings.Tarball, progress func(done, total int64)) (recordings.Imported, error) {
	progress(1234, 5678)
	select {
	case <-i.leave:
	case <-ctx.Done():
		return recordings.Imported{}, ctx.Err()
	}
	return i.Importer.ImportTarball(ctx, t, progress)
}

// wantProgress waits until an answer tells of the import at work, and how far it
// is with a tarball of size bytes.
func (s *system) wantProgress(size int, tell func() map[string]any) {
	s.t.Helper()
	var fields map[string]any
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if fields = tell(); fields["state"] == "importing" && fields["done"] == 1234.0 && fields["size"] == float64(size) {
			return
		}
	}
	s.t.Errorf("while %d bytes are imported: %v", size, fields)
}

// TestUploadProgress: how far an import is can be read while it runs, by the
// server that sent the tarball and by the management API.
func TestUploadProgress(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	s := uploading(t, 1, func(o *settings) {
		o.importer = func(library recordings.Importer) recordings.Importer { return &heldImporter{library, leave} }
	})
	token, body := s.bearer(0, recordingID, nil), recordingTar(t, recordingID)
	id := importOf(t, s.send(token, bytes.NewReader(body)))
	s.work()
	s.wantProgress(len(body), func() map[string]any {
		_, fields := s.ask(token, "/imports/"+id)
		return fields
	})
	var listed []map[string]any
	if a := s.manage("GET", "getSpool", "", ""); a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &listed) != nil || len(listed) != 1 ||
		listed[0]["done"] != 1234.0 || listed[0]["size"] != float64(len(body)) {
		t.Errorf("getSpool: %d %s", a.status, a.body)
	}
	close(leave)
	s.wantImported(token, id)
	if _, fields := s.ask(token, "/imports/"+id); fields["done"] != nil || fields["size"] != nil {
		t.Errorf("imported: %v", fields)
	}
}
