package balancer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// Meetings lists all known meetings by tenant and ID, with what the last polls
// saw of them.
func (b *Balancer) Meetings(ctx context.Context) ([]MeetingInfo, error) {
	var known []store.Meeting
	err := b.store.View(ctx, func(tx *store.Tx) (err error) {
		known, err = store.Collect(tx.Meetings())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the meetings: %w", err)
	}
	seen := map[ending]bbb.Meeting{}
	for server, meetings := range b.pool.Reports(time.Time{}) {
		for _, m := range meetings {
			seen[ending{server, keyOf(m)}] = m
		}
	}
	all := make([]MeetingInfo, 0, len(known))
	for _, m := range known {
		_, st, _ := b.pool.Server(m.Server)
		info := MeetingInfo{
			MeetingKey: m.MeetingKey, Server: m.Server, ServerOnline: st.Online,
			VoiceBridge: m.VoiceBridge, Created: m.Created, Adopted: m.Adopted,
		}
		if is, ok := seen[ending{m.Server, m.MeetingKey}]; ok {
			info.Seen, info.Name, info.Running = true, is.Name, is.Running && st.Online
			info.Users, info.Moderators, info.Videos = is.Participants, is.Moderators, is.Videos
		}
		all = append(all, info)
	}
	return all, nil
}

// EndMeetings ends the meetings with these IDs, of all tenants; without IDs, all
// meetings. If an ID is not known it ends nothing and returns ErrNoSuchMeeting.
func (b *Balancer) EndMeetings(ctx context.Context, ids []string) ([]EndResult, error) {
	chosen, err := b.choose(ctx, ids)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	results := make([]EndResult, len(chosen))
	work := make(chan int)
	var workers sync.WaitGroup
	for range min(panicWorkers, len(chosen)) {
		workers.Go(func() {
			for i := range work {
				results[i] = b.endMeeting(ctx, chosen[i])
			}
		})
	}
	for i := range chosen {
		work <- i
	}
	close(work)
	workers.Wait()
	return results, nil
}

func (b *Balancer) choose(ctx context.Context, ids []string) ([]store.Meeting, error) {
	var chosen []store.Meeting
	err := b.store.View(ctx, func(tx *store.Tx) error {
		chosen = nil
		missing := slices.Clone(ids)
		for m, err := range tx.Meetings() {
			if err != nil {
				return err
			}
			if len(ids) == 0 || slices.Contains(ids, m.ID) {
				chosen = append(chosen, m)
				missing = slices.DeleteFunc(missing, func(id string) bool { return id == m.ID })
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("%w: %q", ErrNoSuchMeeting, missing[0])
		}
		return nil
	})
	return chosen, err
}

func (b *Balancer) endMeeting(ctx context.Context, m store.Meeting) EndResult {
	result := EndResult{MeetingKey: m.MeetingKey, Server: m.Server}
	s, st, ok := b.pool.Server(m.Server)
	result.Pending = !ok || !st.Online
	var err error
	if !result.Pending {
		err = b.endOn(ctx, s, m.MeetingKey, m.ModeratorPW)
	}
	if err == nil {
		err = b.forget(ctx, m, result.Pending)
	}
	if err != nil {
		result.Pending, result.Error = false, err.Error()
	}
	return result
}

// endAll ends meetings on a server side by side and returns those that it took
// the end of.
func (b *Balancer) endAll(ctx context.Context, s store.Server, meetings []store.Meeting) map[store.MeetingKey]bool {
	var mu sync.Mutex
	reached := map[store.MeetingKey]bool{}
	slots := make(chan struct{}, panicWorkers)
	var calls sync.WaitGroup
	for _, m := range meetings {
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			err := b.endOn(ctx, s, m.MeetingKey, m.ModeratorPW)
			if err != nil {
				b.log.Warn("meeting could not be ended", "server", s.ID, "meeting", m.ID, "cause", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			reached[m.MeetingKey] = true
		})
	}
	calls.Wait()
	return reached
}

// endOn ends a meeting on a server on our own account. If the password that we
// know is not that of the meeting, the server is asked for it.
func (b *Balancer) endOn(ctx context.Context, s store.Server, k store.MeetingKey, password string) error {
	reply, err := b.callEnd(ctx, s, k, password)
	if err != nil {
		return err
	}
	if !over(reply) {
		info, err := b.client.Call(ctx, b.endpoint(s), "getMeetingInfo", idParams(k), nil)
		if err != nil {
			return err
		}
		if m, err := bbb.ParseMeetingInfo(info); err == nil && m.ModeratorPW != password {
			if reply, err = b.callEnd(ctx, s, k, m.ModeratorPW); err != nil {
				return err
			}
		}
	}
	if !over(reply) {
		return &refusal{reply.MessageKey, reply.Message}
	}
	return nil
}

func (b *Balancer) callEnd(ctx context.Context, s store.Server, k store.MeetingKey, password string) (bbb.Reply, error) {
	p := idParams(k)
	if password != "" {
		p.Set("password", password)
	}
	return b.client.Call(ctx, b.endpoint(s), "end", p, nil)
}

// over: the server will end the meeting, or has none.
func over(r bbb.Reply) bool { return r.OK || r.MessageKey == bbb.ErrNotFound.Key }

func idParams(k store.MeetingKey) bbb.Params {
	var p bbb.Params
	p.Set("meetingID", k.ID)
	return p
}
