package balancer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// Servers returns all servers by ID, with what is known about them.
func (b *Balancer) Servers(ctx context.Context) ([]ServerInfo, error) {
	var all []ServerInfo
	err := b.store.View(ctx, func(tx *store.Tx) error {
		all = nil
		for s, err := range tx.Servers() {
			if err != nil {
				return err
			}
			st, err := tx.Status(s.ID)
			if err != nil {
				return err
			}
			all = append(all, b.info(s, st))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the servers: %w", err)
	}
	return all, nil
}

// Server returns one server, or ErrNoSuchServer.
func (b *Balancer) Server(ctx context.Context, id string) (ServerInfo, error) {
	var info ServerInfo
	err := b.store.View(ctx, func(tx *store.Tx) error {
		s, err := tx.Server(id)
		if err != nil {
			return noSuchServer(err, id)
		}
		st, err := tx.Status(id)
		info = b.info(s, st)
		return err
	})
	return info, err
}

// noSuchServer names the server that was not found.
func noSuchServer(err error, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %q", ErrNoSuchServer, id)
	}
	return err
}

func (b *Balancer) info(s store.Server, st store.Status) ServerInfo {
	info := ServerInfo{
		ID: s.ID, URL: s.URL, Secret: s.Secret, Tag: s.Tag, LoadMultiplier: s.LoadMultiplier,
		MaxMeetings: s.MaxMeetings, MaxUsers: s.MaxUsers, Standby: s.Standby,
		State: s.State, Online: st.Online,
		Meetings: st.Meetings, Users: st.Users, LargestMeeting: st.LargestMeeting, Videos: st.Videos,
		BBBVersion: st.Version, Polled: st.Polled, PollDuration: st.Duration,
		Failures: st.Failures, Error: st.Error,
	}
	if load, ok := b.pool.Load(s.ID); ok {
		info.Load = &load
	}
	return info
}

// ProbeServer asks a server before it is added; see bbb.Client.Probe.
func (b *Balancer) ProbeServer(ctx context.Context, rawURL string, secret bbb.Secret) (bbb.ProbeResult, error) {
	api, err := parseURL(rawURL)
	if err != nil {
		return bbb.ProbeResult{}, err
	}
	return b.client.Probe(ctx, bbb.Endpoint{URL: api, Secret: secret, Algorithm: b.algo})
}

// AddServer adds a server, disabled unless Enable is set, and has it polled. The
// errors for people are ErrInvalid and ErrExists.
func (b *Balancer) AddServer(ctx context.Context, n NewServer) (ServerInfo, error) {
	s, err := b.newServer(n)
	if err != nil {
		return ServerInfo{}, err
	}
	err = b.store.Update(ctx, func(tx *store.Tx) error {
		s.Created = tx.Now
		return tx.AddServer(s)
	})
	if errors.Is(err, store.ErrConflict) {
		return ServerInfo{}, fmt.Errorf("%w: a server with id %q is there already", ErrExists, s.ID)
	}
	if err != nil {
		return ServerInfo{}, fmt.Errorf("store server %s: %w", s.ID, err)
	}
	return b.changed(ctx, s.ID)
}

// changed brings the pool up to date after a change and has the server polled.
func (b *Balancer) changed(ctx context.Context, id string) (ServerInfo, error) {
	if err := b.refresh(context.WithoutCancel(ctx), id); err != nil {
		return ServerInfo{}, err
	}
	b.kick(id)
	return b.Server(ctx, id)
}

func (b *Balancer) newServer(n NewServer) (store.Server, error) {
	api, err := parseURL(n.URL)
	if err != nil {
		return store.Server{}, err
	}
	s := store.Server{
		ID: strings.TrimSpace(n.ID), URL: strings.TrimSpace(n.URL), API: api, Secret: n.Secret,
		Tag: strings.TrimSpace(n.Tag), LoadMultiplier: n.LoadMultiplier,
		MaxMeetings: n.MaxMeetings, MaxUsers: n.MaxUsers, Standby: n.Standby, State: store.Disabled,
	}
	if s.LoadMultiplier == 0 {
		s.LoadMultiplier = 1
	}
	if n.Enable {
		s.State = store.Enabled
	}
	switch {
	case s.ID != "":
	case b.cfg().ServerIDIsHostname:
		s.ID = hostOf(api)
	default:
		s.ID = uuid.NewString()
	}
	return s, checkServer(s)
}

// parseURL is bbb.ParseServerURL with an error for people.
func parseURL(raw string) (string, error) {
	api, err := bbb.ParseServerURL(raw)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return api, nil
}

func hostOf(api string) string {
	u, err := url.Parse(api)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

const (
	maxIDBytes     = 256
	maxSecretBytes = 1024
	maxTagBytes    = 256
)

// checkServer refuses what cannot work, with ErrInvalid.
func checkServer(s store.Server) error {
	var problem string
	switch {
	case !utf8.ValidString(s.ID + s.URL + s.Tag):
		problem = "id, URL and tag must be UTF-8"
	case s.ID == "" || len(s.ID) > maxIDBytes || strings.ContainsAny(s.ID, "\x00\r\n\t/"):
		problem = fmt.Sprintf("a server's id has 1 to %d bytes and neither '/' nor control characters", maxIDBytes)
	case strings.TrimSpace(s.Secret.Reveal()) == "" || len(s.Secret.Reveal()) > maxSecretBytes:
		problem = "a server needs its secret; 'bbb-conf --secret' shows it on the BBB server"
	case !(s.LoadMultiplier > 0) || math.IsInf(s.LoadMultiplier, 0):
		problem = "the load multiplier must be a number above 0"
	case s.MaxMeetings < 0 || s.MaxUsers < 0:
		problem = "a limit must be 0 (none) or more"
	case len(s.Tag) > maxTagBytes || strings.ContainsAny(s.Tag, ";!\x00\r\n"):
		problem = "a tag has neither ';' nor '!' nor control characters"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInvalid, problem)
}

// UpdateServer changes a server, all of c or nothing.
func (b *Balancer) UpdateServer(ctx context.Context, id string, c ServerChange) (ServerInfo, error) {
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		s, err := tx.Server(id)
		if err != nil {
			return noSuchServer(err, id)
		}
		if s, err = c.applyTo(s); err != nil {
			return err
		}
		return tx.PutServer(s)
	})
	if err != nil {
		return ServerInfo{}, err
	}
	return b.changed(ctx, id)
}

func (c ServerChange) applyTo(s store.Server) (store.Server, error) {
	set(&s.Secret, c.Secret)
	set(&s.LoadMultiplier, c.LoadMultiplier)
	set(&s.MaxMeetings, c.MaxMeetings)
	set(&s.MaxUsers, c.MaxUsers)
	set(&s.Standby, c.Standby)
	set(&s.State, c.State)
	if c.Tag != nil {
		s.Tag = strings.TrimSpace(*c.Tag)
	}
	switch s.State {
	case store.Enabled, store.Cordoned, store.Disabled:
		return s, checkServer(s)
	default:
		return s, fmt.Errorf("%w: state %q is not known; enabled, cordoned or disabled", ErrInvalid, s.State)
	}
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// RemoveServer removes a server, and with it, at once, all its meetings: their
// next create places them anew.
func (b *Balancer) RemoveServer(ctx context.Context, id string) error {
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		return noSuchServer(tx.RemoveServer(id), id)
	})
	if err != nil {
		return err
	}
	b.strays.update(id, nil)
	return b.refresh(context.WithoutCancel(ctx), id)
}

// panicWorkers is how many meetings of a server are ended at once.
const panicWorkers = 8

// PanicServer ends all meetings of a server, whatever it answers, forgets them
// and disables the server. It is disabled first, so that nothing new begins
// there meanwhile.
func (b *Balancer) PanicServer(ctx context.Context, id string, o PanicOptions) (PanicResult, error) {
	ctx = context.WithoutCancel(ctx)
	if !o.KeepState {
		disabled := store.Disabled
		if _, err := b.UpdateServer(ctx, id, ServerChange{State: &disabled}); err != nil {
			return PanicResult{}, err
		}
	}
	s, bound, err := b.boundTo(ctx, id)
	if err != nil {
		return PanicResult{}, err
	}
	var reached map[store.MeetingKey]bool
	if !o.SkipEndCalls {
		reached = b.endAll(ctx, s, bound)
	}
	result := PanicResult{Ended: len(reached), Unreached: len(bound) - len(reached)}
	for _, m := range bound { // before a poll can find the record gone
		b.recent.add(id, m.MeetingKey, b.now())
	}
	err = b.store.Update(ctx, func(tx *store.Tx) error {
		for _, m := range bound {
			if err := forgetMeeting(tx, m, !o.SkipEndCalls && !reached[m.MeetingKey]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return PanicResult{}, fmt.Errorf("forget the meetings of server %s: %w", id, err)
	}
	for _, m := range bound {
		b.pool.Drop(id, m.MeetingKey)
	}
	b.kick(id)
	return result, nil
}

func (b *Balancer) boundTo(ctx context.Context, id string) (s store.Server, bound []store.Meeting, err error) {
	err = b.store.View(ctx, func(tx *store.Tx) error {
		if s, err = tx.Server(id); err != nil {
			return noSuchServer(err, id)
		}
		bound, err = store.Collect(tx.MeetingsOf(id))
		return err
	})
	return s, bound, err
}
