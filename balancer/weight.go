package balancer

import (
	"time"

	"scalelite/balancer/bbb"
)

// LoadRule says what a meeting weighs, in users.
type LoadRule struct {
	MinUsers int           // a young meeting counts at least so many
	Young    time.Duration // how long a meeting is young
	PerVideo float64       // what a video stream adds
}

func (c Config) loadRule() LoadRule {
	return LoadRule{MinUsers: c.LoadMinUserCount, Young: c.LoadJoinBuffer, PerVideo: c.LoadPerVideo}
}

// tally is what the pool knows of one meeting on one server.
type tally struct {
	users    int // participants + moderators, as the last poll saw them
	people   int // participants
	videos   int
	joins    int // through us, since the poll that set users
	joinsAt  int // joins when the running poll began
	young    bool
	breakout bool
	// joinsOnly: nothing but the joins is known, as of a meeting that a restart
	// lost the tally of. It is no meeting more.
	joinsOnly bool

	placed time.Time // when the meeting was bound to the server; zero if only polls know it
	// settled is when the server answered the create: zero while it is asked.
	settled time.Time
}

// weight is the meeting's share of the load: joins count once they exceed what
// a young meeting weighs anyway. Breakout rooms weigh nothing: their people are
// counted in the main room.
func (r LoadRule) weight(t tally) float64 {
	if t.breakout {
		return 0
	}
	return r.sum(r.users(t), t.videos)
}

// users is the weight of a meeting without its videos.
func (r LoadRule) users(t tally) int {
	users := t.users + t.joins
	if t.young {
		users = max(users, r.MinUsers)
	}
	return users
}

// sum is the weight of so many users and videos. Sums are kept as whole numbers:
// what is over leaves no rounding error behind.
func (r LoadRule) sum(users, videos int) float64 {
	return float64(users) + r.PerVideo*float64(videos)
}

// expected is how many people the meeting may have, for the cap on a server's
// users.
func (r LoadRule) expected(t tally) int {
	if t.breakout {
		return 0
	}
	people := t.people + t.joins
	if t.young {
		people = max(people, r.MinUsers)
	}
	return people
}

// polledTally is the tally of a meeting as a poll sees it. created is when it
// began, zero if that is not known.
func (r LoadRule) polledTally(m bbb.Meeting, created, now time.Time) tally {
	return tally{
		users:    m.Participants + m.Moderators,
		people:   m.Participants,
		videos:   m.Videos,
		young:    !created.IsZero() && now.Sub(created) < r.Young,
		breakout: m.Breakout,
	}
}
