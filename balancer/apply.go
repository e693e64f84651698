package balancer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// finding is what a good poll means for the records of a server. It is made anew
// each time the transaction runs.
type finding struct {
	PolledServer
	created   map[store.MeetingKey]time.Time // of the meetings that are bound to the server
	owed      []owedEnd
	strays    map[store.MeetingKey]string // running here but bound to another server, which
	cameUp    bool
	drained   bool
	vanished  bool // the server was removed meanwhile
	forgotten []store.MeetingKey
}

// owedEnd is an end that the server, which answers again, can be asked for.
type owedEnd struct {
	store.PendingEnd
	password string // as the server reports it
	people   int
}

// applyPoll makes durable what a good poll has found, then tells the pool.
func (b *Balancer) applyPoll(ctx context.Context, s store.Server, a attempt) (PolledServer, error) {
	var f finding
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		f = finding{created: map[store.MeetingKey]time.Time{}, strays: map[store.MeetingKey]string{}}
		server, err := tx.Server(s.ID)
		if errors.Is(err, store.ErrNotFound) {
			f.vanished = true
			return nil
		}
		if err != nil {
			return err
		}
		return (&judge{b: b, tx: tx, server: server, attempt: a, finding: &f}).run()
	})
	if err != nil {
		return f.PolledServer, fmt.Errorf("store what the poll found: %w", err)
	}
	if f.vanished {
		return f.PolledServer, nil
	}
	if err := b.refresh(ctx, s.ID); err != nil {
		return f.PolledServer, err
	}
	b.pool.Polled(s.ID, a.started, a.meetings, f.created, b.now())
	b.report(s, a, f)
	b.payEnds(s, f.owed)
	return f.PolledServer, nil
}

// judge compares the meetings that a server reported with those that are bound
// to it.
type judge struct {
	b       *Balancer
	tx      *store.Tx
	server  store.Server
	attempt attempt
	finding *finding

	reported map[store.MeetingKey]bbb.Meeting
	owed     map[store.MeetingKey]store.PendingEnd
}

func (j *judge) run() error {
	j.reported = map[store.MeetingKey]bbb.Meeting{}
	for _, m := range j.attempt.meetings {
		// An ended meeting is listed for some seconds more: it counts as gone.
		if k := keyOf(m); k.ID != "" && len(k.ID) <= store.MaxMeetingID && len(k.Tenant) <= store.MaxTenant && !m.Ended {
			j.reported[k] = m
		}
	}
	bound, err := j.forgetEnded()
	if err != nil {
		return err
	}
	if err := j.loadOwed(); err != nil {
		return err
	}
	for k, m := range j.reported {
		if _, known := j.finding.created[k]; known {
			continue
		}
		if err := j.unbound(k, m); err != nil {
			return err
		}
	}
	if j.server.State == store.Cordoned && len(j.reported) == 0 && bound == 0 {
		j.finding.drained = true
		j.server.State = store.Disabled
		if err := j.tx.PutServer(j.server); err != nil {
			return err
		}
	}
	return j.putStatus()
}

// forgetEnded removes the meetings that are bound to the server but no longer
// there, and returns how many remain.
func (j *judge) forgetEnded() (remain int, err error) {
	bound, err := store.Collect(j.tx.MeetingsOf(j.server.ID))
	if err != nil {
		return 0, err
	}
	for _, m := range bound {
		_, there := j.reported[m.MeetingKey]
		if there || j.mayBeUnseen(m) {
			j.finding.created[m.MeetingKey] = m.Created
			remain++
			continue
		}
		if err := j.tx.DeleteMeeting(m.MeetingKey); err != nil {
			return 0, err
		}
		j.finding.forgotten = append(j.finding.forgotten, m.MeetingKey)
		j.finding.Ended++
	}
	return remain, nil
}

// mayBeUnseen: the poll could have missed the meeting because it is so new.
func (j *judge) mayBeUnseen(m store.Meeting) bool {
	return j.tx.Now.Sub(m.Created) < forgetAfter || m.Created.After(j.attempt.started) ||
		j.b.pool.Creating(j.server.ID, m.MeetingKey, j.attempt.started)
}

// loadOwed collects the ends that are still to be sent, and drops those that
// are settled: the meeting is bound here again, began later, or is not there,
// unless it may still appear because the server was slow to create it.
func (j *judge) loadOwed() error {
	owed, err := store.Collect(j.tx.PendingEnds(j.server.ID))
	if err != nil {
		return err
	}
	j.owed = map[store.MeetingKey]store.PendingEnd{}
	for _, e := range owed {
		m, there := j.reported[e.MeetingKey]
		_, bound := j.finding.created[e.MeetingKey]
		later := m.CreateTime.After(e.Since.Add(forgetAfter))
		if there && !bound && !later {
			j.owed[e.MeetingKey] = e
			continue
		}
		if !there && !bound && (j.tx.Now.Sub(e.Since) < forgetAfter || e.Since.After(j.attempt.started)) {
			continue
		}
		if err := j.tx.DeletePendingEnd(j.server.ID, e.MeetingKey); err != nil {
			return err
		}
	}
	return nil
}

// unbound decides about a meeting that the server runs although it is not bound
// to it: it is owed an end, runs elsewhere too, has just been ended, or is one
// that we do not know and adopt.
func (j *judge) unbound(k store.MeetingKey, m bbb.Meeting) error {
	is, err := j.tx.Meeting(k)
	elsewhere := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if e, ok := j.owed[k]; ok && (!e.Moved || m.Participants == 0) {
		j.finding.owed = append(j.finding.owed, owedEnd{e, m.ModeratorPW, m.Participants})
		return nil
	}
	switch {
	case elsewhere:
		j.finding.strays[k] = is.Server
		return nil
	case j.b.recent.has(j.server.ID, k, j.b.now()):
		return nil
	}
	return j.adopt(k, m)
}

// adopt binds a meeting that was found on the server to it.
func (j *judge) adopt(k store.MeetingKey, m bbb.Meeting) error {
	record := store.Meeting{
		MeetingKey: k, Server: j.server.ID, ModeratorPW: m.ModeratorPW,
		Created: m.CreateTime, Adopted: true,
	}
	if record.Created.IsZero() || record.Created.After(j.tx.Now) {
		record.Created = j.tx.Now
	}
	if usableBridge(m.VoiceBridge) {
		free, err := bridgeIsFree(j.tx, k, m.VoiceBridge)
		if err != nil {
			return err
		}
		if free {
			record.VoiceBridge = m.VoiceBridge
		}
	}
	if err := j.tx.DeletePendingEnd(j.server.ID, k); err != nil {
		return err
	}
	j.finding.created[k] = record.Created
	j.finding.Adopted++
	return j.tx.PutMeeting(record)
}

func (j *judge) putStatus() error {
	st, err := j.tx.Status(j.server.ID)
	if err != nil {
		return err
	}
	cfg := j.b.cfg()
	st.Successes, st.Failures, st.Error = st.Successes+1, 0, ""
	if !st.Online && st.Successes >= cfg.HealthyThreshold {
		st.Online, j.finding.cameUp = true, true
	}
	st.Polled, st.Tried, st.Duration = j.attempt.started, j.attempt.started, j.attempt.took
	if j.attempt.asked {
		st.Version, st.VersionAt = j.attempt.version, j.attempt.started
	}
	j.count(&st, cfg.loadRule())
	j.finding.Meetings, j.finding.Users = st.Meetings, st.Users
	return j.tx.PutStatus(j.server.ID, st)
}

// count sums up what the poll saw. Breakout rooms are no meetings of their own.
func (j *judge) count(st *store.Status, rule LoadRule) {
	st.Weight, st.Meetings, st.Users, st.LargestMeeting, st.Videos = 0, 0, 0, 0, 0
	for k, m := range j.reported {
		began := m.CreateTime
		if at, ok := j.finding.created[k]; ok {
			began = at
		}
		st.Weight += rule.weight(rule.polledTally(m, began, j.tx.Now))
		st.Videos += m.Videos
		if m.Breakout {
			continue
		}
		st.Meetings++
		st.Users += m.Participants
		st.LargestMeeting = max(st.LargestMeeting, m.Participants)
	}
}

// report logs what changed.
func (b *Balancer) report(s store.Server, a attempt, f finding) {
	if f.cameUp {
		b.log.Info("server is online", "server", s.ID, "meetings", f.Meetings, "users", f.Users)
	}
	if f.drained {
		b.log.Info("cordoned server is empty: disabled", "server", s.ID)
	}
	if f.Adopted > 0 {
		b.log.Info("meetings adopted", "server", s.ID, "count", f.Adopted)
	}
	for k, other := range b.strays.update(s.ID, f.strays) {
		b.log.Warn("meeting runs on two servers and somebody is in both; it is left alone",
			"meeting", k.ID, "server", s.ID, "bound_to", other)
	}
}
