package doctor

import (
	"context"
	"time"
)

// callbackNotice is how long a message may be tried in vain before it is told
// of: front-ends are upgraded now and then.
const callbackNotice = time.Hour

// callbacks looks whether front-ends take what they asked to be told. Of their
// addresses only the host is shown: the rest may hold a secret.
func (p *patient) callbacks(context.Context) []Finding {
	if !p.cfg.Recordings.Enabled {
		return []Finding{good("", "recordings are switched off")}
	}
	c := p.exam.Callbacks
	const why = "The front-end does not know of the recording: Greenlight shows it as being processed, Moodle sends no mail."
	remedy := "mend the front-end, or the way to it, and send them again"
	commands := []string{p.asOperator("callbacks"), p.asOperator("callbacks", "retry", "--all")}
	since := age(p.sys.Now().Sub(c.Oldest))
	switch {
	case c.Failed > 0:
		return []Finding{fail(c.Host, "%s given up, %d more are tried in vain; the oldest is %s old and goes to %s: %s",
			countWere(c.Failed, "message"), c.Retried, since, c.Host, firstLine(c.Error)).because(why).
			do(remedy+"; one that nobody wants any more: "+p.asOperator("callbacks", "drop", c.ID), commands...)}
	case c.Retried > 0 && p.sys.Now().Sub(c.Oldest) > callbackNotice:
		return []Finding{warn(c.Host, "%s tried in vain; the oldest is %s old and goes to %s: %s",
			countAre(c.Retried, "message"), since, c.Host, firstLine(c.Error)).because(why+" After 24 hours it is given up.").do(remedy, commands...)}
	case c.Pending > 0:
		return []Finding{good("", "%s on the way", countAre(c.Pending, "message"))}
	}
	return []Finding{good("", "every front-end that asked to be told of its recordings was told")}
}
