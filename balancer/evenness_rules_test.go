package balancer

import (
	"cmp"
	"slices"
	"time"

	"scalelite/balancer/bbb"
	"scalelite/store"
)

// The ways of placing that are compared. All but the oracle are the real Pool.
var rules = []struct {
	name  string
	start func(*schoolDay) placer
}{
	{"ours", func(day *schoolDay) placer {
		return newPoolPlacer(day, DefaultConfig().loadRule())
	}},
	// A placed meeting counts 1 until a poll counts it as the poller of the Ruby
	// system does; joins count when a poll sees them.
	{"count1", func(day *schoolDay) placer {
		p := newPoolPlacer(day, DefaultConfig().loadRule())
		p.Configure(LoadRule{MinUsers: 1, Young: p.rule.Young}, false)
		p.joinsUnseen, p.polledAtLeast = true, DefaultConfig().LoadMinUserCount
		return p
	}},
	// To a pool in which nothing weighs anything all servers are equal: each is
	// chosen in its turn.
	{"roundrobin", func(day *schoolDay) placer {
		p := newPoolPlacer(day, LoadRule{})
		p.joinsUnseen, p.pollsUnseen = true, true
		return p
	}},
	{"oracle", func(day *schoolDay) placer {
		return newOracle(day)
	}},
}

// poolPlacer places lessons by a Pool.
type poolPlacer struct {
	*Pool
	created                  map[store.MeetingKey]time.Time
	joinsUnseen, pollsUnseen bool
	polledAtLeast            int // what a poll counts for a young meeting, if not by the pool's rule
}

func newPoolPlacer(day *schoolDay, rule LoadRule) *poolPlacer {
	p := &poolPlacer{Pool: NewPool(rule, false), created: map[store.MeetingKey]time.Time{}}
	for _, s := range day.servers {
		p.Set(s, store.Status{Online: true})
	}
	return p
}

func (p *poolPlacer) place(l *lesson, now time.Time) string {
	s, err := p.Place(l.key, TagWish{}, nil, now)
	if err != nil {
		panic(err) // all servers are enabled and online all day
	}
	p.created[l.key] = now
	return s.ID
}

func (p *poolPlacer) answered(server string, l *lesson, now time.Time) {
	p.Settle(server, l.key, now)
}

func (p *poolPlacer) join(server string, l *lesson) {
	if !p.joinsUnseen {
		p.Join(server, l.key)
	}
}

func (p *poolPlacer) polling(server string) { p.Polling(server) }

func (p *poolPlacer) polled(server string, started time.Time, found []bbb.Meeting, now time.Time) {
	if p.pollsUnseen {
		return
	}
	for i, m := range found {
		if now.Sub(m.CreateTime) < p.rule.Young && m.Participants+m.Moderators < p.polledAtLeast {
			found[i].Participants, found[i].Moderators = p.polledAtLeast, 0
		}
	}
	p.Polled(server, started, found, p.created, now)
}

// oracle knows how many people will come to each lesson, before it opens and
// while they are still coming. Each lesson gets the place where the load will be
// lowest with it.
type oracle struct {
	day     *schoolDay
	running map[string]map[*lesson]bool // by server
}

func newOracle(day *schoolDay) *oracle {
	o := &oracle{day: day, running: map[string]map[*lesson]bool{}}
	for _, s := range day.servers {
		o.running[s.ID] = map[*lesson]bool{}
	}
	return o
}

func (o *oracle) place(l *lesson, now time.Time) string {
	load := map[string]float64{}
	for _, s := range o.day.servers {
		weight := l.weight()
		for other := range o.running[s.ID] {
			if other.ends.After(now) {
				weight += other.weight()
			}
		}
		load[s.ID] = float64(weight) * s.LoadMultiplier
	}
	best := slices.MinFunc(o.day.servers, func(a, b store.Server) int {
		return cmp.Compare(load[a.ID], load[b.ID])
	})
	o.running[best.ID][l] = true
	return best.ID
}

func (o *oracle) answered(string, *lesson, time.Time)                {}
func (o *oracle) join(string, *lesson)                               {}
func (o *oracle) polling(string)                                     {}
func (o *oracle) polled(string, time.Time, []bbb.Meeting, time.Time) {}
