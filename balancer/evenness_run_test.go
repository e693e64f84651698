package balancer

import (
	"slices"
	"time"

	"scalelite/balancer/bbb"
)

// placer is a way of placing lessons. It is told of a day as it happens.
type placer interface {
	place(l *lesson, now time.Time) (server string)
	answered(server string, l *lesson, now time.Time)
	join(server string, l *lesson)
	polling(server string)
	polled(server string, started time.Time, found []bbb.Meeting, now time.Time)
}

// How long things take on a simulated day.
const (
	pollEvery   = time.Minute
	pollTook    = 200 * time.Millisecond
	createTook  = 300 * time.Millisecond
	enterTook   = 4 * time.Second // from the join call to being in the meeting
	sampleEvery = 10 * time.Second
)

// evenness is how even the load of the servers was, 1 being perfect. The load of
// a server is the true one: its multiplier × what the people weigh who are in
// its meetings at that moment, with nothing added for young meetings. An
// instant's figure is the highest load of a server ÷ the mean load of the
// servers.
type evenness struct {
	// day is the mean over all instants of the day, each counting as much as
	// the pool has load: Σ highest ÷ Σ mean. Thus what counts is how loaded the
	// worst server is while the pool is busy, and an empty pool counts nothing.
	day float64
	// worst is the mean over the bells of each one's worst instant from when
	// everybody has come until the first lesson ends.
	worst float64
}

// simulation lets a day happen. It knows what truly runs where.
type simulation struct {
	day    *schoolDay
	placer placer
	events []event

	where   map[*lesson]string
	people  map[string]map[*lesson]int // by server
	weights map[string]int             // of the people, by server

	highest, mean float64   // sums over the samples
	worst         []float64 // by hour
}

// event is something that happens at a time.
type event struct {
	at time.Time
	do func(now time.Time)
}

// simulate lets a day happen and measures it.
func simulate(day *schoolDay, p placer) evenness {
	s := &simulation{
		day: day, placer: p,
		where: map[*lesson]string{}, people: map[string]map[*lesson]int{}, weights: map[string]int{},
		worst: make([]float64, len(day.bells)),
	}
	from, to := day.bells[0].Add(-10*time.Minute), day.bells[len(day.bells)-1].Add(2*time.Hour)
	for i, server := range day.servers {
		s.people[server.ID] = map[*lesson]int{}
		for at := from.Add(time.Duration(i) * time.Millisecond); at.Before(to); at = at.Add(pollEvery) {
			s.poll(server.ID, at)
		}
	}
	for _, l := range day.lessons {
		s.hold(l)
	}
	for at := from; at.Before(to); at = at.Add(sampleEvery) {
		s.at(at, func(time.Time) { s.sample() })
	}
	for hour := range day.bells {
		from, to := day.seated(hour)
		for at := from.Add(createTook + enterTook); at.Before(to); at = at.Add(sampleEvery) {
			s.at(at, func(time.Time) {
				highest, mean := s.load()
				s.worst[hour] = max(s.worst[hour], highest/mean)
			})
		}
	}
	slices.SortStableFunc(s.events, func(a, b event) int { return a.at.Compare(b.at) })
	for _, e := range s.events {
		e.do(e.at)
	}
	return evenness{day: s.highest / s.mean, worst: average(s.worst)}
}

func (s *simulation) at(at time.Time, do func(now time.Time)) {
	s.events = append(s.events, event{at, do})
}

// hold has a lesson created, joined and ended.
func (s *simulation) hold(l *lesson) {
	opens := l.opens()
	s.at(opens, func(now time.Time) { s.where[l] = s.placer.place(l, now) })
	s.at(opens.Add(createTook/2), func(time.Time) { s.people[s.where[l]][l] = 0 })
	s.at(opens.Add(createTook), func(now time.Time) { s.placer.answered(s.where[l], l, now) })
	for _, arrives := range l.arrivals {
		s.at(arrives.Add(createTook), func(time.Time) { s.placer.join(s.where[l], l) })
		s.at(arrives.Add(createTook+enterTook), func(time.Time) {
			if s.people[s.where[l]][l]++; s.people[s.where[l]][l] == 1 {
				s.weights[s.where[l]]++ // a teacher counts twice
			}
			s.weights[s.where[l]]++
		})
	}
	s.at(l.ends, func(time.Time) {
		delete(s.people[s.where[l]], l)
		s.weights[s.where[l]] -= l.weight()
	})
}

// poll has a server polled: it tells what is true halfway.
func (s *simulation) poll(server string, started time.Time) {
	var found []bbb.Meeting
	s.at(started, func(time.Time) { s.placer.polling(server) })
	s.at(started.Add(pollTook/2), func(time.Time) {
		for l, people := range s.people[server] {
			found = append(found, bbb.Meeting{
				MeetingID: l.key.ID, CreateTime: l.opens(),
				Participants: people, Moderators: min(people, 1),
			})
		}
	})
	s.at(started.Add(pollTook), func(now time.Time) { s.placer.polled(server, started, found, now) })
}

func (s *simulation) sample() {
	highest, mean := s.load()
	s.highest += highest
	s.mean += mean
}

// load returns the highest and the mean load of the servers.
func (s *simulation) load() (highest, mean float64) {
	for _, server := range s.day.servers {
		load := float64(s.weights[server.ID]) * server.LoadMultiplier
		highest = max(highest, load)
		mean += load / float64(len(s.day.servers))
	}
	return highest, mean
}

func average(figures []float64) float64 {
	var sum float64
	for _, f := range figures {
		sum += f
	}
	return sum / float64(len(figures))
}
