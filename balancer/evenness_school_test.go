package balancer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"scalelite/store"
)

// lesson is one online lesson of a school day. Its first visitor, the teacher,
// opens the meeting and is its moderator.
type lesson struct {
	key      store.MeetingKey
	hour     int         // index of the bell that begins it
	arrivals []time.Time // of all its people in order, the teacher first
	ends     time.Time
}

func (l *lesson) opens() time.Time { return l.arrivals[0] }

// weight is what the lesson weighs with all its people, by PRODUCT.md 6.6: the
// teacher counts twice.
func (l *lesson) weight() int { return len(l.arrivals) + 1 }

// schoolDay is what a pool of servers has to carry on one day.
type schoolDay struct {
	servers []store.Server
	bells   []time.Time
	lessons []*lesson // in the order in which they open
}

// What every school day has in common. The busiest hours have ten lessons a
// server, some 230 people, which is what BBB servers are commonly built for.
const (
	firstBell    = 8 // o'clock
	poolSize     = 20
	smallestRoom = 3
	medianRoom   = 18
	roomSpread   = 0.65 // of the logarithm
	largestRoom  = 150
	joiningTime  = 10 * time.Minute
	shortest     = 30 * time.Minute
	longest      = 90 * time.Minute
	punctuality  = 90 * time.Second // standard deviation of a teacher from the bell
)

// newSchoolDay makes up a day with a bell at every full hour from 8 to 15; the
// same seed gives the same day. A quarter of the servers is twice as strong as
// the usual one, a quarter half as strong.
func newSchoolDay(seed uint64) *schoolDay {
	rnd := rand.New(rand.NewPCG(seed, 0))
	day := &schoolDay{}
	for i := range poolSize {
		day.servers = append(day.servers, store.Server{
			ID: fmt.Sprintf("server-%02d", i), State: store.Enabled,
			LoadMultiplier: [...]float64{1, 0.5, 1, 2}[i%4],
		})
	}
	bell := time.Date(2026, time.March, 3, firstBell, 0, 0, 0, time.UTC)
	for hour, lessons := range []int{140, 180, 200, 200, 160, 120, 140, 100} {
		for i := range lessons {
			l := newLesson(rnd, bell)
			l.hour = hour
			l.key = store.MeetingKey{ID: fmt.Sprintf("lesson-%d-%03d", hour, i)}
			day.lessons = append(day.lessons, l)
		}
		day.bells = append(day.bells, bell)
		bell = bell.Add(time.Hour)
	}
	slices.SortStableFunc(day.lessons, func(a, b *lesson) int { return a.opens().Compare(b.opens()) })
	return day
}

// newLesson makes up a lesson. Most rooms are about a class, some a small group,
// a few a lecture. Half of the people come in the first quarter of the joining
// time.
func newLesson(rnd *rand.Rand, bell time.Time) *lesson {
	size := int(math.Round(medianRoom * math.Exp(roomSpread*rnd.NormFloat64())))
	size = min(max(size, smallestRoom), largestRoom)
	late := min(max(rnd.NormFloat64(), -2), 2)
	opens := bell.Add(time.Duration(late * float64(punctuality)))
	l := &lesson{arrivals: []time.Time{opens}}
	for range size - 1 {
		u := rnd.Float64()
		l.arrivals = append(l.arrivals, opens.Add(time.Duration(u*u*float64(joiningTime))))
	}
	slices.SortFunc(l.arrivals, time.Time.Compare)
	l.ends = opens.Add(shortest + time.Duration(rnd.Int64N(int64(longest-shortest))))
	return l
}

// seated returns the span of an hour in which all people of its lessons have
// come and none of its lessons is over.
func (d *schoolDay) seated(hour int) (from, to time.Time) {
	for _, l := range d.lessons {
		if l.hour != hour {
			continue
		}
		if last := l.arrivals[len(l.arrivals)-1]; last.After(from) {
			from = last
		}
		if to.IsZero() || l.ends.Before(to) {
			to = l.ends
		}
	}
	return from, to
}
