package metadata

import (
	"cmp"
	"strconv"
	"strings"
)

// endPlayback takes over what a playback said, unless it is empty. A <download>
// does not replace a <playback>.
func (p *parser) endPlayback() {
	play := p.play
	p.play = playback{}
	if play.empty() || p.played && p.path[1] == "download" {
		return
	}
	p.played = p.path[1] == "playback"
	p.doc.Format, p.doc.Link = play.format, play.link
	p.doc.LengthMS, p.doc.ProcessingMS, p.doc.Size = play.length, play.processing, play.size
	p.doc.Images = play.images
}

// finish sets what depends on several elements, which may come in any order.
func (p *parser) finish() {
	d := &p.doc
	d.MeetingID = cmp.Or(p.metaID, p.meeting.externalID)
	d.Name = cmp.Or(p.metaName, p.meeting.name)
	d.InternalMeetingID = cmp.Or(p.meeting.id, d.RecordID)
	switch {
	case p.breakout.set:
		d.IsBreakout = p.breakout.value
	case p.meeting.breakout.set:
		d.IsBreakout = p.meeting.breakout.value
	default:
		d.IsBreakout = d.Breakout != nil
	}
	if !d.PublishedSet && (d.State == "published" || d.State == "unpublished") {
		d.Published, d.PublishedSet = d.State == "published", true
	}
	if d.Start == 0 {
		d.Start = created(d.RecordID)
	}
	if d.End < d.Start {
		d.End = d.Start + min(d.LengthMS, maxTime-d.Start)
	}
}

// created reads the time of creation from a record id, which is made of 40
// hexadecimal digits, "-" and milliseconds since 1970 in 13. It returns 0 for
// other ids.
func created(recordID string) int64 {
	_, digits, ok := strings.Cut(recordID, "-")
	if !ok || len(digits) != 13 {
		return 0
	}
	ms, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0
	}
	return int64(ms)
}
