package recordings

import (
	"log/slog"
	"time"
)

// urgency is how soon the directory should be looked at.
type urgency time.Duration

const (
	never urgency = 0
	soon          = urgency(20 * time.Millisecond)
	later         = urgency(time.Second)
)

// lookShare bounds the time that is spent on looking: after a look nothing is
// looked at for so many times as long as it took.
const lookShare = 4

// pace tells when the directory is to be looked at. One look serves all the
// events before it, so thousands of them cost no more than a few looks.
type pace struct {
	at      time.Time // of the next look; zero: nobody wants one
	last    time.Time // when the last one ended
	cost    time.Duration
	problem string // why the last one failed
}

func (p *pace) want(now time.Time, u urgency) {
	if u == never {
		return
	}
	at := p.last.Add(max(time.Duration(u), lookShare*p.cost))
	if at.Before(now) {
		at = now
	}
	p.at = earliest(p.at, at)
}

func (p *pace) due(now time.Time) bool { return !p.at.IsZero() && !now.Before(p.at) }

// looked notes the outcome of a look. A problem is logged when it begins, when
// it changes and when it is over.
func (p *pace) looked(err error, began, ended time.Time, log *slog.Logger) {
	p.at, p.last, p.cost = time.Time{}, ended, ended.Sub(began)
	if err == nil {
		if p.problem != "" {
			log.Info("spool can be read again")
		}
		p.problem = ""
		return
	}
	if err.Error() != p.problem {
		log.Error("spool could not be read; it is tried again", "cause", err)
	}
	p.problem = err.Error()
	p.at = ended.Add(retryPauses[0])
}
