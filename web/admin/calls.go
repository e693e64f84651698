package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
)

// call is one method of Service over HTTP.
type call struct {
	method  string
	changes bool // something: worth a line in the log
	partial bool // its result tells something beside an error, too
	// run decodes the request and carries it out; about is for the log.
	run func(ctx context.Context, body []byte) (result any, about string, err error)
}

// get is a call without parameters.
func get[R any](do func(context.Context) (R, error)) call {
	return call{method: http.MethodGet, run: func(ctx context.Context, _ []byte) (any, string, error) {
		result, err := do(ctx)
		return result, "", err
	}}
}

// post is a call whose parameters are a Q; about tells of a change what it is
// about, nil: it is none.
func post[Q, R any](do func(context.Context, Q) (R, error), about func(Q, R) string) call {
	return call{method: http.MethodPost, changes: about != nil, run: func(ctx context.Context, body []byte) (any, string, error) {
		var q Q
		if err := decode(body, &q); err != nil {
			return nil, "", &Error{Invalid, "the request makes no sense: " + err.Error()}
		}
		result, err := do(ctx, q)
		if err != nil || about == nil {
			return result, "", err
		}
		return result, about(q, result), nil
	}}
}

func (c call) withPartial() call {
	c.partial = true
	return c
}

// decode reads one JSON value. Fields that are not known are refused: they are
// misspelt, or of another version, and would be lost in silence.
func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("there is something behind the JSON")
	}
	return nil
}

// calls are the methods of s by path; those that stream are not among them.
func calls(s Service) map[string]call {
	all := poolCalls(s)
	maps.Copy(all, recordingCalls(s))
	maps.Copy(all, spoolCalls(s))
	all[pathExamine] = post(s.Examine, nil)
	return all
}

func poolCalls(s Service) map[string]call {
	return map[string]call{
		pathInfo:    get(s.Info),
		pathServers: get(s.Servers),
		pathMeet:    get(s.Meetings),
		pathSecrets: get(s.Secrets),
		pathServer:  post(func(ctx context.Context, q byID) (balancer.ServerInfo, error) { return s.Server(ctx, q.ID) }, nil),
		pathProbe: post(func(ctx context.Context, q probeRequest) (bbb.ProbeResult, error) {
			return s.ProbeServer(ctx, q.URL, q.Secret)
		}, nil).withPartial(),
		pathPoll: post(func(ctx context.Context, _ nothing) (balancer.PollReport, error) { return s.Poll(ctx) }, nil).withPartial(),
		pathAdd:  post(s.AddServer, func(_ balancer.NewServer, added balancer.ServerInfo) string { return added.ID }),
		pathUpdate: post(func(ctx context.Context, q updateRequest) (balancer.ServerInfo, error) {
			return s.UpdateServer(ctx, q.ID, q.Change)
		}, func(q updateRequest, _ balancer.ServerInfo) string { return q.ID }),
		pathRemove: post(func(ctx context.Context, q byID) (nothing, error) { return nothing{}, s.RemoveServer(ctx, q.ID) },
			func(q byID, _ nothing) string { return q.ID }),
		pathPanic: post(func(ctx context.Context, q panicRequest) (balancer.PanicResult, error) {
			return s.PanicServer(ctx, q.ID, q.Options)
		}, func(q panicRequest, _ balancer.PanicResult) string { return q.ID }),
		pathSync: post(func(ctx context.Context, q syncRequest) ([]balancer.SyncAction, error) {
			return s.SyncServers(ctx, q.Servers, q.Mode, q.DryRun)
		}, aboutSync).withPartial(),
		pathEnd:    post(endOver(s), func(_ endRequest, ended []balancer.EndResult) string { return fmt.Sprintf("%d meetings", len(ended)) }),
		pathRotate: post(func(ctx context.Context, _ nothing) (Secrets, error) { return s.RotateSecret(ctx) }, func(nothing, Secrets) string { return "secret" }),
	}
}

func endOver(s Service) func(context.Context, endRequest) ([]balancer.EndResult, error) {
	return func(ctx context.Context, q endRequest) ([]balancer.EndResult, error) {
		if q.All == (len(q.IDs) > 0) {
			return nil, &Error{Invalid, "give the ids of meetings, or all: true"}
		}
		return s.EndMeetings(ctx, q.IDs)
	}
}

func aboutSync(q syncRequest, actions []balancer.SyncAction) string {
	if q.DryRun {
		return "dry run"
	}
	var done []string
	for _, a := range actions {
		if a.Action != "none" {
			done = append(done, a.Action+" "+a.ID)
		}
	}
	return strings.Join(done, ", ")
}
