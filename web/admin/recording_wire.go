package admin

import (
	"context"
	"fmt"

	"scalelite/recordings"
	"scalelite/store"
)

// The paths of the calls about recordings, tarballs and callbacks.
const (
	pathRecordings       = "/v1/recordings"
	pathRecording        = "/v1/recordings/get"
	pathPublish          = "/v1/recordings/publish"
	pathRecordingUpdate  = "/v1/recordings/update"
	pathProtectAll       = "/v1/recordings/protect-all"
	pathDelete           = "/v1/recordings/delete"
	pathUndelete         = "/v1/recordings/undelete"
	pathPrune            = "/v1/recordings/prune"
	pathCheck            = "/v1/recordings/check"
	pathRescan           = "/v1/recordings/rescan"
	pathRecordingsStatus = "/v1/recordings/status"
	pathImport           = "/v1/spool/import"
	pathImportFile       = "/v1/spool/add" // the tarball is the body, its name the query
	pathSpool            = "/v1/spool"
	pathRetry            = "/v1/spool/retry"
	pathDrop             = "/v1/spool/drop"
	pathCallbacks        = "/v1/callbacks"
	pathCallbackRetry    = "/v1/callbacks/retry"
	pathCallbackDrop     = "/v1/callbacks/drop"
)

type publishRequest struct {
	IDs     []string `json:"ids"`
	Publish bool     `json:"publish"`
}

type recordingUpdate struct {
	IDs     []string          `json:"ids"`
	Meta    map[string]string `json:"meta,omitempty"`
	Protect *bool             `json:"protect,omitempty"`
}

type protectAllRequest struct {
	Protect bool `json:"protect"`
}

type deleteRequest struct {
	IDs   []string `json:"ids"`
	Purge bool     `json:"purge,omitempty"`
}

type idsRequest struct {
	IDs []string `json:"ids"`
}

type pruneRequest struct {
	DryRun bool `json:"dry_run"`
}

// checkRequest accepts losses only beside fix.
type checkRequest struct {
	Fix        bool `json:"fix"`
	AcceptLoss bool `json:"accept_loss,omitempty"`
}

func (q checkRequest) how() recordings.Repair {
	switch {
	case q.Fix && q.AcceptLoss:
		return recordings.RepairLosses
	case q.Fix:
		return recordings.RepairSafe
	}
	return recordings.RepairNothing
}

type rescanRequest struct {
	AcceptDirectories bool `json:"accept_directories,omitempty"`
}

// dropRequest drops failed tarballs.
type dropRequest struct {
	Names []string `json:"names"`
}

// retryRequest retries all only if it says so: an empty list may be a mistake.
type retryRequest struct {
	Names []string `json:"names,omitempty"`
	All   bool     `json:"all,omitempty"`
}

type importAnswer struct {
	ID string `json:"id"`
}

// recordingCalls are the calls of RecordingService and CallbackService.
func recordingCalls(s Service) map[string]call {
	return map[string]call{
		pathRecordings: post(s.Recordings, nil),
		pathRecording: post(func(ctx context.Context, q byID) (RecordingInfo, error) {
			return s.Recording(ctx, q.ID)
		}, nil),
		pathPublish: post(func(ctx context.Context, q publishRequest) ([]RecordingResult, error) {
			return s.PublishRecordings(ctx, q.IDs, q.Publish)
		}, aboutRecordings).withPartial(),
		pathRecordingUpdate: post(func(ctx context.Context, q recordingUpdate) ([]RecordingResult, error) {
			return s.UpdateRecordings(ctx, q.IDs, recordings.Change{Meta: q.Meta, Protect: q.Protect})
		}, aboutRecordings),
		pathProtectAll: post(func(ctx context.Context, q protectAllRequest) (int, error) {
			return s.ProtectAllRecordings(ctx, q.Protect)
		}, func(q protectAllRequest, n int) string { return fmt.Sprintf("%d recordings, protect %t", n, q.Protect) }).withPartial(),
		pathDelete: post(func(ctx context.Context, q deleteRequest) ([]RecordingResult, error) {
			return s.DeleteRecordings(ctx, q.IDs, q.Purge)
		}, aboutRecordings).withPartial(),
		pathUndelete: post(func(ctx context.Context, q idsRequest) ([]RecordingResult, error) {
			return s.UndeleteRecordings(ctx, q.IDs)
		}, aboutRecordings).withPartial(),
		pathPrune: post(func(ctx context.Context, q pruneRequest) ([]recordings.Pruned, error) {
			return s.PruneRecordings(ctx, q.DryRun)
		}, func(q pruneRequest, all []recordings.Pruned) string {
			return fmt.Sprintf("%d recordings, dry run %t", len(all), q.DryRun)
		}).withPartial(),
		pathCheck: post(func(ctx context.Context, q checkRequest) ([]recordings.Problem, error) {
			return s.CheckRecordings(ctx, q.how())
		}, func(q checkRequest, all []recordings.Problem) string {
			return fmt.Sprintf("%d problems, fix %t, accept loss %t", len(all), q.Fix, q.AcceptLoss)
		}).withPartial(),
		pathRescan: post(func(ctx context.Context, q rescanRequest) (recordings.Rescanned, error) {
			return s.RescanRecordings(ctx, q.AcceptDirectories)
		}, func(_ rescanRequest, done recordings.Rescanned) string {
			return fmt.Sprintf("%d recordings, %d directories accepted", len(done.Added), len(done.Accepted))
		}).withPartial(),
		pathRecordingsStatus: get(s.RecordingsStatus),
		pathCallbacks:        get(s.Callbacks),
		pathCallbackRetry: post(func(ctx context.Context, q byID) (CallbackInfo, error) { return s.RetryCallback(ctx, q.ID) },
			func(_ byID, c CallbackInfo) string { return c.ID }),
		pathCallbackDrop: post(func(ctx context.Context, q byID) (CallbackInfo, error) { return s.DropCallback(ctx, q.ID) },
			func(_ byID, c CallbackInfo) string { return c.ID }),
	}
}

// spoolCalls are the calls of SpoolService; the tarball itself is not among
// them.
func spoolCalls(s Service) map[string]call {
	return map[string]call{
		pathImport: post(func(ctx context.Context, q byID) (store.Import, error) { return s.Import(ctx, q.ID) }, nil),
		pathSpool:  get(s.SpoolFiles),
		pathRetry: post(func(ctx context.Context, q retryRequest) ([]string, error) {
			if q.All == (len(q.Names) > 0) {
				return nil, &Error{Invalid, "give the names of tarballs, or all: true"}
			}
			return s.RetrySpool(ctx, q.Names)
		}, func(_ retryRequest, names []string) string { return namesText(names) }).withPartial(),
		pathDrop: post(func(ctx context.Context, q dropRequest) ([]string, error) { return s.DropSpool(ctx, q.Names) },
			func(_ dropRequest, names []string) string { return namesText(names) }).withPartial(),
	}
}

// aboutRecordings names the recordings that a call changed.
func aboutRecordings[Q any](_ Q, results []RecordingResult) string {
	var ids []string
	for _, r := range results {
		if r.Changed {
			ids = append(ids, r.ID)
		}
	}
	return namesText(ids)
}

// namesText is a list for a line of the log.
func namesText(names []string) string {
	if len(names) > maxNamed {
		return fmt.Sprintf("%q and %d more", names[:maxNamed], len(names)-maxNamed)
	}
	return fmt.Sprintf("%q", names)
}
