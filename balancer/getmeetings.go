package balancer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// GetMeetings asks every online server that is not disabled at the same time
// and puts their meetings together, byte for byte. A server that fails or takes
// longer than balancer.aggregate_timeout is answered for by its last good poll,
// up to two intervals old, or left out. If all are left out the error is
// bbb.ErrAccessFailed: a front-end takes an empty list for the end of all
// meetings. shown tells which meetings belong to the caller.
func (b *Balancer) GetMeetings(ctx context.Context, shown func(bbb.Meeting) bool) (bbb.Reply, error) {
	asked := b.liveServers()
	answers := b.askAll(ctx, asked)
	stale := b.pool.Reports(b.now().Add(-2 * b.cfg().PollInterval))

	var elements []byte
	silent := 0
	for i, s := range asked {
		meetings := answers[i]
		if meetings == nil {
			report, polled := stale[s.ID]
			if !polled {
				silent++
			}
			meetings = report
		}
		for _, m := range meetings {
			if shown(m) {
				elements = append(elements, m.Raw...)
			}
		}
	}
	if silent > 0 && silent == len(asked) {
		return bbb.Reply{}, bbb.ErrAccessFailed.With(errNoneAnswered)
	}
	return meetingsReply(elements), nil
}

var errNoneAnswered = errors.New("no server answered getMeetings")

// NoMeetings is the answer of getMeetings when there are none, or the call is
// switched off.
func NoMeetings() bbb.Reply { return meetingsReply(nil) }

func meetingsReply(elements []byte) bbb.Reply {
	var out bytes.Buffer
	out.Grow(len(elements) + 256)
	out.WriteString("<response><returncode>SUCCESS</returncode>")
	if len(elements) == 0 {
		out.WriteString("<meetings/><messageKey>noMeetings</messageKey><message>no meetings were found on this server</message>")
	} else {
		out.WriteString("<meetings>")
		out.Write(elements)
		out.WriteString("</meetings>")
	}
	out.WriteString("</response>")
	return bbb.Reply{Body: out.Bytes(), OK: true}
}

// liveServers are those whose meetings are shown.
func (b *Balancer) liveServers() []store.Server {
	return slices.DeleteFunc(b.pool.Servers(), func(s store.Server) bool {
		_, status, ok := b.pool.Server(s.ID)
		return !ok || !status.Online || s.State == store.Disabled
	})
}

// askAll returns the meetings of each server, nil for those that did not answer
// in time. A server without any has an empty list.
func (b *Balancer) askAll(ctx context.Context, servers []store.Server) [][]bbb.Meeting {
	ctx, cancel := context.WithTimeout(ctx, b.cfg().AggregateTimeout)
	defer cancel()
	answers := make([][]bbb.Meeting, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		all.Go(func() {
			meetings, err := b.meetingsOf(ctx, s)
			if err != nil {
				b.log.Warn("server left out of getMeetings", "server", s.ID, "cause", err)
				return
			}
			answers[i] = meetings
		})
	}
	all.Wait()
	return answers
}

// meetingsOf calls getMeetings of one server. The list is not nil if err is.
func (b *Balancer) meetingsOf(ctx context.Context, s store.Server) ([]bbb.Meeting, error) {
	reply, err := b.client.Call(ctx, b.endpoint(s), "getMeetings", bbb.Params{}, nil)
	if err != nil {
		return nil, err
	}
	if !reply.OK {
		return nil, &refusal{reply.MessageKey, reply.Message}
	}
	return append([]bbb.Meeting{}, reply.Meetings()...), nil
}

// refusal is a FAILED answer to a call that the balancer made on its own
// account.
type refusal struct{ key, message string }

func (r *refusal) Error() string {
	return strings.TrimSpace("the server refused: " + r.key + " " + r.message)
}

// BBBVersion returns the version of the servers if all that are online show the
// same, else "".
func (b *Balancer) BBBVersion() string {
	var version string
	for _, s := range b.liveServers() {
		_, st, _ := b.pool.Server(s.ID)
		switch {
		case st.Version == "":
		case version == "":
			version = st.Version
		case version != st.Version:
			return ""
		}
	}
	return version
}
