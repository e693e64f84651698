package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
)

// Info says who answers.
func (c *Client) Info(ctx context.Context) (info Info, err error) {
	err = c.ask(ctx, http.MethodGet, pathInfo, nil, &info)
	return info, err
}

// Examine tells about the daemon and its database.
func (c *Client) Examine(ctx context.Context, q ExamineQuery) (e Examination, err error) {
	err = c.ask(ctx, http.MethodPost, pathExamine, q, &e)
	return e, err
}

// Servers lists all servers by ID.
func (c *Client) Servers(ctx context.Context) (all []balancer.ServerInfo, err error) {
	err = c.ask(ctx, http.MethodGet, pathServers, nil, &all)
	return all, err
}

// Server returns one server.
func (c *Client) Server(ctx context.Context, id string) (s balancer.ServerInfo, err error) {
	err = c.ask(ctx, http.MethodPost, pathServer, byID{id}, &s)
	return s, err
}

// ProbeServer asks a server before it is added.
func (c *Client) ProbeServer(ctx context.Context, url string, secret bbb.Secret) (found bbb.ProbeResult, err error) {
	err = c.ask(ctx, http.MethodPost, pathProbe, probeRequest{url, secret}, &found)
	return found, err
}

// AddServer adds a server.
func (c *Client) AddServer(ctx context.Context, n balancer.NewServer) (s balancer.ServerInfo, err error) {
	err = c.ask(ctx, http.MethodPost, pathAdd, n, &s)
	return s, err
}

// UpdateServer changes a server, all of ch or nothing.
func (c *Client) UpdateServer(ctx context.Context, id string, ch balancer.ServerChange) (s balancer.ServerInfo, err error) {
	err = c.ask(ctx, http.MethodPost, pathUpdate, updateRequest{id, ch}, &s)
	return s, err
}

// RemoveServer removes a server and forgets its meetings.
func (c *Client) RemoveServer(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodPost, pathRemove, byID{id}, &nothing{})
}

// PanicServer ends all meetings of a server, forgets them and disables it.
func (c *Client) PanicServer(ctx context.Context, id string, o balancer.PanicOptions) (result balancer.PanicResult, err error) {
	err = c.ask(ctx, http.MethodPost, pathPanic, panicRequest{id, o}, &result)
	return result, err
}

// SyncServers makes the pool what specs say. Beside an error it returns the
// steps that were taken before.
func (c *Client) SyncServers(ctx context.Context, specs []balancer.ServerSpec, mode balancer.SyncMode, dryRun bool) (actions []balancer.SyncAction, err error) {
	err = c.ask(ctx, http.MethodPost, pathSync, syncRequest{specs, mode, dryRun}, &actions)
	return actions, err
}

// Meetings lists all known meetings, by tenant and ID.
func (c *Client) Meetings(ctx context.Context) (all []balancer.MeetingInfo, err error) {
	err = c.ask(ctx, http.MethodGet, pathMeet, nil, &all)
	return all, err
}

// EndMeetings ends the meetings with these IDs, or all.
func (c *Client) EndMeetings(ctx context.Context, ids []string) (ended []balancer.EndResult, err error) {
	err = c.ask(ctx, http.MethodPost, pathEnd, endRequest{IDs: ids, All: len(ids) == 0}, &ended)
	return ended, err
}

// Poll polls every server now.
func (c *Client) Poll(ctx context.Context) (report balancer.PollReport, err error) {
	err = c.ask(ctx, http.MethodPost, pathPoll, nothing{}, &report)
	return report, err
}

// Secrets returns those that the front-ends sign with.
func (c *Client) Secrets(ctx context.Context) (s Secrets, err error) {
	err = c.ask(ctx, http.MethodGet, pathSecrets, nil, &s)
	return s, err
}

// RotateSecret replaces the generated secret.
func (c *Client) RotateSecret(ctx context.Context) (s Secrets, err error) {
	err = c.ask(ctx, http.MethodPost, pathRotate, nothing{}, &s)
	return s, err
}

// Backup writes a consistent copy of the database to w. After an error, what w
// has got is not a copy.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, pathBackup, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		if err != nil {
			return c.broken(ctx, err)
		}
		return c.refusal(resp, body, nil)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the backup is not complete: %w", err)
	}
	return outcome(resp.Trailer.Get(resultTrailer))
}

// outcome reads the trailer of a backup.
func outcome(trailer string) error {
	if trailer == resultComplete {
		return nil
	}
	var e Error
	if err := json.Unmarshal([]byte(trailer), &e); err != nil || e.Code == "" {
		return errors.New("the backup is not complete: the daemon stopped sending")
	}
	return &e
}
