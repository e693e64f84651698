package doctor

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/recordings"
	"scalelite/store"
	"scalelite/web/admin"
)

const (
	// arrivalGrace is what a recording may take from the end of the meeting until
	// it is here: BBB works on them one after the other, at night in many places.
	arrivalGrace = 24 * time.Hour
	// arrivalMemory is how far back a recording is missed: what is older was there
	// before the pool, perhaps.
	arrivalMemory = 30 * 24 * time.Hour
	// asked is how many of its recordings a server is asked for.
	asked = 100
)

// listed is a recording as a BBB server lists it.
type listed struct {
	ID  string `xml:"recordID"`
	End int64  `xml:"endTime"` // ms since 1970
}

// arrivals asks each server what it has recorded, and looks what of that is here.
func (p *patient) arrivals(ctx context.Context) []Finding {
	switch {
	case !p.cfg.Recordings.Enabled:
		return []Finding{good("", "recordings are switched off")}
	case !p.live():
		return []Finding{skip("", "nothing can come in while the service does not run")}
	}
	return p.each(ctx, p.arrivedFrom)
}

func (p *patient) arrivedFrom(ctx context.Context, s balancer.ServerInfo, e bbb.Endpoint) []Finding {
	hook := p.hook(s.ID)
	ended, err := p.recorded(ctx, e)
	if err != nil {
		return []Finding{skip(s.ID, "it does not tell what it has recorded: %s; %s", firstLine(err.Error()), hook)}
	}
	var ids []string
	for id := range ended {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return []Finding{good(s.ID, "it has no recording of the last %s that should be here; %s", age(arrivalMemory), hook)}
	}
	exam, err := p.pool.Examine(ctx, admin.ExamineQuery{Records: ids, Brief: true})
	if err != nil {
		return []Finding{skip(s.ID, "the service does not tell which recordings it has: %s", firstLine(err.Error()))}
	}
	missing := exam.Unknown
	if len(missing) == 0 {
		return []Finding{good(s.ID, "%s of the last %s that it lists, and that should be here, came; %s", count(len(ids), "recording"), age(arrivalMemory), hook)}
	}
	slices.SortFunc(missing, func(a, b string) int { return ended[a].Compare(ended[b]) })
	return []Finding{warn(s.ID, "%d of %s of the last %s did not come here, the oldest is %s of %s; %s", len(missing), count(len(ids), "recording"),
		age(arrivalMemory), missing[0], ended[missing[0]].UTC().Format(time.DateOnly), hook).
		because("People do not find them. Where the BBB server deletes its copies some day, they are lost then.").
		do("look whether they wait or failed here; if not, set the sending up on the BBB server with what the second line prints, and have it send what it has",
			p.asOperator("recordings", "spool"), p.asOperator("bbb-script", "--server", s.ID))}
}

// hook is what can be told from here of how a server sends its recordings.
func (p *patient) hook(id string) string {
	upload, ok := p.exam.Uploads[id]
	if !ok {
		return p.caller(id)
	}
	how := "imported"
	if upload.State != store.ImportImported {
		how = string(upload.State)
	}
	return fmt.Sprintf("its hook is ours, the last upload came %s ago and is %s", age(p.sys.Now().Sub(upload.Time)), how)
}

// caller is what the calls of a server tell that has uploaded nothing: our hook
// asks after each recording, also if that comes through the spool.
func (p *patient) caller(id string) string {
	call, ok := p.exam.Calls[id]
	switch {
	case !ok:
		return "it has uploaded nothing that is remembered, and asked nothing since the service started, so whether its hook is ours cannot be told from here: tarballs that come through the spool do not say from which server they are"
	case !call.Ours:
		return fmt.Sprintf("what asked for its recordings last, %s ago, is not our hook", age(p.sys.Now().Sub(call.Time)))
	}
	return fmt.Sprintf("its hook is ours, and asked for its recordings last %s ago; they come through the spool", age(p.sys.Now().Sub(call.Time)))
}

// recorded returns when those of a server's recordings ended that should be here
// by now.
func (p *patient) recorded(ctx context.Context, e bbb.Endpoint) (map[string]time.Time, error) {
	var params bbb.Params
	params.Set("state", "published,unpublished")
	params.Set("limit", fmt.Sprint(asked)) // since BBB 2.6; others list all
	reply, err := p.client.Call(ctx, e, "getRecordings", params, nil)
	if err != nil {
		return nil, err
	}
	if !reply.OK {
		return nil, fmt.Errorf("getRecordings was refused: %s", firstLine(reply.MessageKey))
	}
	var answer struct {
		Recordings []listed `xml:"recordings>recording"`
	}
	if err := xml.Unmarshal(reply.Body, &answer); err != nil {
		return nil, fmt.Errorf("its list of recordings makes no sense")
	}
	now, ended := p.sys.Now(), map[string]time.Time{}
	for _, r := range answer.Recordings {
		at := time.UnixMilli(r.End)
		if past := now.Sub(at); recordings.PlainWord(r.ID) && past > arrivalGrace && past < arrivalMemory && len(ended) < admin.MaxExamined {
			ended[r.ID] = at
		}
	}
	return ended, nil
}
