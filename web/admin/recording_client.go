package admin

import (
	"context"
	"net/http"

	"scalelite/recordings"
	"scalelite/store"
)

// Recordings lists recordings, the newest start first.
func (c *Client) Recordings(ctx context.Context, q RecordingQuery) (page RecordingPage, err error) {
	err = c.ask(ctx, http.MethodPost, pathRecordings, q, &page)
	return page, err
}

// Recording returns one recording.
func (c *Client) Recording(ctx context.Context, id string) (r RecordingInfo, err error) {
	err = c.ask(ctx, http.MethodPost, pathRecording, byID{id}, &r)
	return r, err
}

// PublishRecordings publishes recordings or hides them.
func (c *Client) PublishRecordings(ctx context.Context, ids []string, publish bool) (results []RecordingResult, err error) {
	err = c.ask(ctx, http.MethodPost, pathPublish, publishRequest{ids, publish}, &results)
	return results, err
}

// UpdateRecordings changes metadata or protection, of all of them or of none.
func (c *Client) UpdateRecordings(ctx context.Context, ids []string, ch recordings.Change) (results []RecordingResult, err error) {
	err = c.ask(ctx, http.MethodPost, pathRecordingUpdate, recordingUpdate{ids, ch.Meta, ch.Protect}, &results)
	return results, err
}

// ProtectAllRecordings sets the protection of every recording.
func (c *Client) ProtectAllRecordings(ctx context.Context, protect bool) (n int, err error) {
	err = c.ask(ctx, http.MethodPost, pathProtectAll, protectAllRequest{protect}, &n)
	return n, err
}

// DeleteRecordings deletes recordings; with purge without a trace.
func (c *Client) DeleteRecordings(ctx context.Context, ids []string, purge bool) (results []RecordingResult, err error) {
	err = c.ask(ctx, http.MethodPost, pathDelete, deleteRequest{ids, purge}, &results)
	return results, err
}

// UndeleteRecordings brings deleted recordings back from the trash.
func (c *Client) UndeleteRecordings(ctx context.Context, ids []string) (results []RecordingResult, err error) {
	err = c.ask(ctx, http.MethodPost, pathUndelete, idsRequest{ids}, &results)
	return results, err
}

// PruneRecordings does what retention and trash ask for, or only tells.
func (c *Client) PruneRecordings(ctx context.Context, dryRun bool) (pruned []recordings.Pruned, err error) {
	err = c.ask(ctx, http.MethodPost, pathPrune, pruneRequest{dryRun}, &pruned)
	return pruned, err
}

// CheckRecordings compares records and files, and mends what how allows.
func (c *Client) CheckRecordings(ctx context.Context, how recordings.Repair) (problems []recordings.Problem, err error) {
	err = c.ask(ctx, http.MethodPost, pathCheck, checkRequest{Fix: how != recordings.RepairNothing, AcceptLoss: how == recordings.RepairLosses}, &problems)
	return problems, err
}

// RescanRecordings makes records for files that have none.
func (c *Client) RescanRecordings(ctx context.Context, accept bool) (done recordings.Rescanned, err error) {
	err = c.ask(ctx, http.MethodPost, pathRescan, rescanRequest{accept}, &done)
	return done, err
}

// RecordingsStatus sums up the recordings.
func (c *Client) RecordingsStatus(ctx context.Context) (s RecordingsStatus, err error) {
	err = c.ask(ctx, http.MethodGet, pathRecordingsStatus, nil, &s)
	return s, err
}

// Import tells how far an import is, or how it ended.
func (c *Client) Import(ctx context.Context, id string) (i store.Import, err error) {
	err = c.ask(ctx, http.MethodPost, pathImport, byID{id}, &i)
	return i, err
}

// SpoolFiles lists the tarballs that are not imported, and what is ignored, the
// oldest first.
func (c *Client) SpoolFiles(ctx context.Context) (files []recordings.SpoolFile, err error) {
	err = c.ask(ctx, http.MethodGet, pathSpool, nil, &files)
	return files, err
}

// RetrySpool has failed tarballs tried again, no names: all of them.
func (c *Client) RetrySpool(ctx context.Context, names []string) (moved []string, err error) {
	err = c.ask(ctx, http.MethodPost, pathRetry, retryRequest{Names: names, All: len(names) == 0}, &moved)
	return moved, err
}

// DropSpool removes failed tarballs for good.
func (c *Client) DropSpool(ctx context.Context, names []string) (gone []string, err error) {
	err = c.ask(ctx, http.MethodPost, pathDrop, dropRequest{names}, &gone)
	return gone, err
}

// Callbacks lists those that no front-end has taken, the oldest first.
func (c *Client) Callbacks(ctx context.Context) (all []CallbackInfo, err error) {
	err = c.ask(ctx, http.MethodGet, pathCallbacks, nil, &all)
	return all, err
}

// RetryCallback has a callback tried now, and for another day.
func (c *Client) RetryCallback(ctx context.Context, id string) (info CallbackInfo, err error) {
	err = c.ask(ctx, http.MethodPost, pathCallbackRetry, byID{id}, &info)
	return info, err
}

// DropCallback forgets a callback.
func (c *Client) DropCallback(ctx context.Context, id string) (info CallbackInfo, err error) {
	err = c.ask(ctx, http.MethodPost, pathCallbackDrop, byID{id}, &info)
	return info, err
}
