package metadata

import (
	"fmt"
	"strings"
)

// target returns what takes the text of the element just opened, or nil if
// nothing of the document wants it.
func (p *parser) target() func(string) error {
	switch {
	case len(p.path) == 2:
		return p.recordingField(p.path[1])
	case len(p.path) == 3 && p.path[1] == "meta":
		return p.metaField(p.path[2])
	case len(p.path) == 3 && isPlayback(p.path[1]):
		return p.playbackField(p.path[2])
	case len(p.path) == 3 && p.path[1] == "breakoutRooms" && p.path[2] == "breakoutRoom":
		return p.room
	case len(p.path) > 3 && isPlayback(p.path[1]) && p.path[len(p.path)-2] == "images" && p.path[len(p.path)-1] == "image":
		return p.image()
	}
	return nil
}

// isPlayback tells whether an element of <recording> describes the format. The
// format mconf_encrypted has <download> in place of <playback>.
func isPlayback(name string) bool { return name == "playback" || name == "download" }

func (p *parser) recordingField(name string) func(string) error {
	switch name {
	case "id":
		return p.id
	case "state":
		return field(p, &p.doc.State, parseState)
	case "published":
		return func(v string) error {
			if value, ok := parseBool(v); ok {
				p.doc.Published, p.doc.PublishedSet = value, true
			} else if v != "" {
				p.note("<%s> is neither true nor false")
			}
			return nil
		}
	case "start_time":
		return field(p, &p.doc.Start, parseTime)
	case "end_time":
		return field(p, &p.doc.End, parseTime)
	case "participants":
		return field(p, &p.doc.Participants, parseCount)
	case "raw_size":
		return field(p, &p.doc.RawSize, parseNumber)
	}
	return nil
}

// field sets a value from text that parse can read. What it can't leaves the
// value as it is; only an empty text does so without a note.
func field[T any](p *parser, to *T, parse func(string) (T, bool)) func(string) error {
	return func(v string) error {
		if value, ok := parse(v); ok {
			*to = value
		} else if v != "" {
			p.note("<%s> has no value that can be used")
		}
		return nil
	}
}

func (p *parser) id(v string) error {
	switch {
	case v == "":
		return nil
	case !isPlainWord(v):
		return fmt.Errorf("the id %q is no plain word", cut(v, 80))
	case p.doc.RecordID != "" && p.doc.RecordID != v:
		return fmt.Errorf("there are two ids, %q and %q", p.doc.RecordID, v)
	}
	p.doc.RecordID = v
	return nil
}

func (p *parser) metaField(key string) func(string) error {
	switch key {
	case "meetingId":
		return keep(&p.metaID)
	case "meetingName":
		return keep(&p.metaName)
	case "isBreakout":
		return func(v string) error {
			p.breakout.hear(v)
			return nil
		}
	}
	lower := strings.ToLower(key)
	return func(v string) error {
		at, known := p.keys[lower]
		switch {
		case known && key != lower && p.lower[lower]:
			p.note("metadata <%s> was left out, it is there in lower case, too")
		case known:
			p.doc.Metadata[at].Value = v
			p.lower[lower] = key == lower
		case !isKey(key):
			p.note("metadata <%s> has a name that no element of an answer can have")
		case len(p.doc.Metadata) == maxMetadata:
			p.note("metadata <%s> is one too many, there are %d before", maxMetadata)
		default:
			p.keys[lower], p.lower[lower] = len(p.doc.Metadata), key == lower
			p.doc.Metadata = append(p.doc.Metadata, Pair{lower, v})
		}
		return nil
	}
}

// keep sets a text unless the new one is empty.
func keep(to *string) func(string) error {
	return func(v string) error {
		if v != "" {
			*to = v
		}
		return nil
	}
}

// hear takes what one more place says, if it can be understood.
func (s *said) hear(v string) {
	if value, ok := parseBool(v); ok {
		*s = said{value, true}
	}
}

func (p *parser) playbackField(name string) func(string) error {
	switch name {
	case "format":
		return func(v string) error {
			if v != "" && !isPlainWord(v) {
				return fmt.Errorf("the format %q is no plain word", cut(v, 80))
			}
			p.play.format = v
			return nil
		}
	case "link":
		return field(p, &p.play.link, localLink)
	case "duration":
		return field(p, &p.play.length, parseNumber)
	case "processing_time":
		return field(p, &p.play.processing, parseNumber)
	case "size":
		return field(p, &p.play.size, parseNumber)
	}
	return nil
}

func (p *parser) room(v string) error {
	switch {
	case v == "":
	case !isPlainWord(v) || len(p.doc.BreakoutRooms) == maxRooms:
		p.note("<%s> was left out")
	default:
		p.doc.BreakoutRooms = append(p.doc.BreakoutRooms, v)
	}
	return nil
}

// image reads a thumbnail: most of it is in the attributes.
func (p *parser) image() func(string) error {
	var img Image
	for _, a := range p.sc.attrs {
		switch a.name {
		case "width":
			img.Width, _ = parseCount(a.value)
		case "height":
			img.Height, _ = parseCount(a.value)
		case "alt":
			// BBB escapes it twice, so references are left after the first time.
			words := strings.Fields(decode(a.value, false))
			img.Alt = cut(strings.Join(words, " "), maxValue)
		}
	}
	return func(v string) error {
		path, ok := localLink(v)
		if !ok || len(p.play.images) == maxImages {
			p.note("<%s> was left out")
			return nil
		}
		img.Path = path
		p.play.images = append(p.play.images, img)
		return nil
	}
}

// attributes reads what the elements of <recording> have in attributes.
func (p *parser) attributes() {
	if len(p.path) != 2 {
		return
	}
	switch p.path[1] {
	case "meeting":
		p.readMeeting()
	case "breakout":
		p.readBreakout()
	}
}

func (p *parser) readMeeting() {
	for _, a := range p.sc.attrs {
		v := cut(strings.TrimSpace(a.value), maxValue)
		switch a.name {
		case "id":
			_ = keep(&p.meeting.id)(v)
		case "externalId":
			_ = keep(&p.meeting.externalID)(v)
		case "name":
			_ = keep(&p.meeting.name)(v)
		case "breakout":
			p.meeting.breakout.hear(v)
		}
	}
}

func (p *parser) readBreakout() {
	var b Breakout
	for _, a := range p.sc.attrs {
		v := cut(strings.TrimSpace(a.value), maxValue)
		switch a.name {
		case "parentMeetingId":
			b.ParentMeetingID = v
		case "meetingId":
			b.MeetingID = v
		case "sequence":
			b.Sequence, _ = parseCount(v)
		case "freeJoin":
			b.FreeJoin, _ = parseBool(v)
		}
	}
	if b != (Breakout{}) {
		p.doc.Breakout = &b
	}
}
