package store_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store"
)

// Random operations, several in a transaction, going on after conflicts: the
// store must agree with a model and with itself.
func TestRandomOperationsKeepTheIndexes(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := withServers(t)
			model := newOracle()
			random := rand.New(rand.NewPCG(seed, 7))
			for range 60 {
				s1, s2 := random.Uint64(), random.Uint64()
				abort := random.IntN(6) == 0
				var next *oracle
				err := s.Update(t.Context(), func(tx *store.Tx) error { // may run twice: same numbers each time
					next = model.clone()
					steps := rand.New(rand.NewPCG(s1, s2))
					for range 1 + steps.IntN(12) {
						if err := next.step(t, tx, steps); err != nil {
							return err
						}
					}
					if abort {
						return errAborted
					}
					return nil
				})
				switch {
				case err == nil:
					model = next
				case !errors.Is(err, errAborted):
					t.Fatal(err)
				}
				if err := s.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			model.compare(t, s)
		})
	}
}

var errAborted = errors.New("aborted")

type oracle struct {
	servers  map[string]bool
	meetings map[store.MeetingKey]store.Meeting
	ends     map[string]bool
}

func newOracle() *oracle {
	return &oracle{map[string]bool{}, map[store.MeetingKey]store.Meeting{}, map[string]bool{}}
}

func (m *oracle) clone() *oracle {
	return &oracle{maps.Clone(m.servers), maps.Clone(m.meetings), maps.Clone(m.ends)}
}

func (m *oracle) step(t *testing.T, tx *store.Tx, random *rand.Rand) error {
	server := []string{"a", "ab", "b", "\x00"}[random.IntN(4)]
	k := store.MeetingKey{Tenant: []string{"", "t", "t\x00"}[random.IntN(3)], ID: []string{"m", "m\x00", "n", "o"}[random.IntN(4)]}
	var want error
	var err error
	switch random.IntN(7) {
	case 0:
		if m.servers[server] {
			want = store.ErrConflict
		}
		m.servers[server] = true
		err = tx.AddServer(store.Server{ID: server})
	case 1:
		if random.IntN(3) > 0 { // not too often
			return nil
		}
		if !m.servers[server] {
			want = store.ErrNotFound
		}
		delete(m.servers, server)
		maps.DeleteFunc(m.meetings, func(_ store.MeetingKey, x store.Meeting) bool { return x.Server == server })
		maps.DeleteFunc(m.ends, func(e string, _ bool) bool { return hasServer(e, server) })
		err = tx.RemoveServer(server)
	case 2, 3, 4:
		meeting := store.Meeting{MeetingKey: k, Server: server, VoiceBridge: []string{"", "1", "2", "3", "4"}[random.IntN(5)]}
		holder := slices.ContainsFunc(slices.Collect(maps.Values(m.meetings)), func(x store.Meeting) bool {
			return x.VoiceBridge == meeting.VoiceBridge && x.VoiceBridge != "" && x.MeetingKey != k
		})
		switch {
		case !m.servers[server]:
			want = store.ErrNotFound
		case holder:
			want = store.ErrConflict
		default:
			m.meetings[k] = meeting
		}
		err = tx.PutMeeting(meeting)
	case 5:
		delete(m.meetings, k)
		err = tx.DeleteMeeting(k)
	case 6:
		if !m.servers[server] {
			want = store.ErrNotFound
		} else {
			m.ends[endName(server, k)] = true
		}
		err = tx.PutPendingEnd(store.PendingEnd{MeetingKey: k, Server: server})
	}
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("got %v, want %v", err, want)
		return errAborted
	}
	return nil
}

func endName(server string, k store.MeetingKey) string {
	return fmt.Sprintf("%q %q %q", server, k.Tenant, k.ID)
}

func hasServer(end, server string) bool {
	name := fmt.Sprintf("%q ", server)
	return len(end) > len(name) && end[:len(name)] == name
}

func (m *oracle) compare(t *testing.T, s *store.Store) {
	t.Helper()
	view(t, s, func(tx *store.Tx) error {
		got := newOracle()
		for x, err := range tx.Servers() {
			if err != nil {
				return err
			}
			got.servers[x.ID] = true
			owed, err := store.Collect(tx.PendingEnds(x.ID))
			if err != nil {
				return err
			}
			for _, e := range owed {
				got.ends[endName(e.Server, e.MeetingKey)] = true
			}
		}
		for x, err := range tx.Meetings() {
			if err != nil {
				return err
			}
			got.meetings[x.MeetingKey] = x
		}
		if diff := cmp.Diff(m, got, cmp.AllowUnexported(oracle{})); diff != "" {
			t.Errorf("the store differs from the model:\n%s", diff)
		}
		return nil
	})
}
