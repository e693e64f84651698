package balancer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"scalelite/store"
)

// SyncServers makes the pool what specs say: servers that are not there are
// added, others updated, and what happens to those that specs lack is up to
// mode. All specs are checked before anything is done. With dryRun it only
// tells what it would do.
func (b *Balancer) SyncServers(ctx context.Context, specs []ServerSpec, mode SyncMode, dryRun bool) ([]SyncAction, error) {
	if !slices.Contains([]SyncMode{SyncKeep, SyncCordon, SyncForce}, mode) {
		return nil, fmt.Errorf("%w: mode %q is not known; keep, cordon or force", ErrInvalid, mode)
	}
	listed := map[string]bool{}
	for _, spec := range specs {
		if listed[spec.ID] || spec.ID == "" {
			return nil, fmt.Errorf("%w: server %q is listed twice or has no id", ErrInvalid, spec.ID)
		}
		listed[spec.ID] = true
	}
	steps, err := b.planSync(ctx, specs, listed, mode)
	if err != nil {
		return nil, err
	}
	actions := make([]SyncAction, 0, len(steps))
	for _, step := range steps {
		if !dryRun && step.do != nil {
			if err := step.do(ctx); err != nil {
				return actions, fmt.Errorf("%s server %s: %w", step.Action, step.ID, err)
			}
		}
		actions = append(actions, step.SyncAction)
	}
	return actions, nil
}

// syncStep is an action and what carries it out; nil: nothing to do.
type syncStep struct {
	SyncAction
	do func(ctx context.Context) error
}

func (b *Balancer) planSync(ctx context.Context, specs []ServerSpec, listed map[string]bool, mode SyncMode) ([]syncStep, error) {
	var present []store.Server
	busy := map[string]bool{}
	err := b.store.View(ctx, func(tx *store.Tx) (err error) {
		if present, err = store.Collect(tx.Servers()); err != nil {
			return err
		}
		for _, s := range present {
			for _, err := range tx.MeetingsOf(s.ID) {
				if err != nil {
					return err
				}
				busy[s.ID] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the servers: %w", err)
	}
	var steps []syncStep
	for _, spec := range specs {
		step, err := b.planSpec(present, spec)
		if err != nil {
			return nil, fmt.Errorf("server %q: %w", spec.ID, err)
		}
		steps = append(steps, step)
	}
	for _, s := range present {
		if !listed[s.ID] {
			steps = append(steps, b.planUnlisted(s, busy[s.ID], mode))
		}
	}
	return steps, nil
}

func (b *Balancer) planSpec(present []store.Server, spec ServerSpec) (syncStep, error) {
	at := slices.IndexFunc(present, func(s store.Server) bool { return s.ID == spec.ID })
	if at < 0 {
		return b.planAdd(spec)
	}
	was := present[at]
	want, err := spec.applyTo(was)
	if err != nil {
		return syncStep{}, err
	}
	changes := differences(was, want)
	if len(changes) == 0 {
		return syncStep{SyncAction: SyncAction{ID: spec.ID, Action: "none"}}, nil
	}
	action := "update"
	if len(changes) == 1 && was.State != want.State {
		action = map[store.State]string{store.Enabled: "enable", store.Cordoned: "cordon", store.Disabled: "disable"}[want.State]
	}
	return syncStep{
		SyncAction{ID: spec.ID, Action: action, Detail: strings.Join(changes, ", ")},
		func(ctx context.Context) error { return b.replaceServer(ctx, spec) },
	}, nil
}

func (b *Balancer) planAdd(spec ServerSpec) (syncStep, error) {
	n := NewServer{ID: spec.ID, URL: spec.URL, Secret: spec.Secret}
	set(&n.Tag, spec.Tag)
	set(&n.LoadMultiplier, spec.LoadMultiplier)
	set(&n.MaxMeetings, spec.MaxMeetings)
	set(&n.MaxUsers, spec.MaxUsers)
	set(&n.Standby, spec.Standby)
	set(&n.Enable, spec.Enabled)
	if _, err := b.newServer(n); err != nil {
		return syncStep{}, err
	}
	return syncStep{
		SyncAction{ID: spec.ID, Action: "add", Detail: n.URL},
		func(ctx context.Context) error {
			_, err := b.AddServer(ctx, n)
			return err
		},
	}, nil
}

func (b *Balancer) planUnlisted(s store.Server, busy bool, mode SyncMode) syncStep {
	switch {
	case mode == SyncForce:
		return syncStep{
			SyncAction{ID: s.ID, Action: "remove", Detail: "not listed; its meetings are ended"},
			func(ctx context.Context) error {
				if _, err := b.PanicServer(ctx, s.ID, PanicOptions{}); err != nil {
					return err
				}
				return b.RemoveServer(ctx, s.ID)
			},
		}
	case mode == SyncCordon && !busy:
		return syncStep{
			SyncAction{ID: s.ID, Action: "remove", Detail: "not listed and idle"},
			func(ctx context.Context) error { return b.removeIdle(ctx, s.ID) },
		}
	case mode == SyncCordon && s.State == store.Enabled:
		cordoned := store.Cordoned
		return syncStep{
			SyncAction{ID: s.ID, Action: "cordon", Detail: "not listed, still has meetings; a later sync removes it"},
			func(ctx context.Context) error {
				_, err := b.UpdateServer(ctx, s.ID, ServerChange{State: &cordoned})
				return err
			},
		}
	default:
		return syncStep{SyncAction: SyncAction{ID: s.ID, Action: "none", Detail: "not listed"}}
	}
}

// removeIdle removes a server that has no meetings; if it got one meanwhile it
// is cordoned.
func (b *Balancer) removeIdle(ctx context.Context, id string) error {
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		for _, err := range tx.MeetingsOf(id) {
			if err != nil {
				return err
			}
			s, err := tx.Server(id)
			if err != nil {
				return noSuchServer(err, id)
			}
			s.State = store.Cordoned
			return tx.PutServer(s)
		}
		return noSuchServer(tx.RemoveServer(id), id)
	})
	if err != nil {
		return err
	}
	return b.refresh(context.WithoutCancel(ctx), id)
}

// replaceServer brings an existing server in line with its spec.
func (b *Balancer) replaceServer(ctx context.Context, spec ServerSpec) error {
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		s, err := tx.Server(spec.ID)
		if err != nil {
			return noSuchServer(err, spec.ID)
		}
		if s, err = spec.applyTo(s); err != nil {
			return err
		}
		return tx.PutServer(s)
	})
	if err != nil {
		return err
	}
	_, err = b.changed(ctx, spec.ID)
	return err
}

// applyTo returns the server as the spec wants it. A server that is enabled or
// cordoned by an operator is only disabled if the spec says so.
func (spec ServerSpec) applyTo(s store.Server) (store.Server, error) {
	change := ServerChange{
		LoadMultiplier: spec.LoadMultiplier, Tag: spec.Tag,
		MaxMeetings: spec.MaxMeetings, MaxUsers: spec.MaxUsers, Standby: spec.Standby,
	}
	if spec.Secret != "" {
		change.Secret = &spec.Secret
	}
	if spec.URL != "" && spec.URL != s.URL {
		moved, err := parseURL(spec.URL)
		if err != nil {
			return s, err
		}
		s.URL, s.API = spec.URL, moved
	}
	if spec.Enabled != nil {
		state := store.Disabled
		if *spec.Enabled {
			state = store.Enabled
		}
		change.State = &state
	}
	return change.applyTo(s)
}

// differences names the fields in which two records of a server differ, for
// people; a secret is named only.
func differences(was, want store.Server) []string {
	var found []string
	add := func(name string, a, b any) {
		if a != b {
			found = append(found, fmt.Sprintf("%s %v → %v", name, a, b))
		}
	}
	add("url", was.URL, want.URL)
	if was.Secret != want.Secret {
		found = append(found, "secret")
	}
	add("state", was.State, want.State)
	add("load multiplier", was.LoadMultiplier, want.LoadMultiplier)
	add("tag", was.Tag, want.Tag)
	add("max meetings", was.MaxMeetings, want.MaxMeetings)
	add("max users", was.MaxUsers, want.MaxUsers)
	add("standby", was.Standby, want.Standby)
	return found
}
