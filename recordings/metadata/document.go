package metadata

// Document is what the metadata.xml of one format of a recording says.
//
// All texts are valid UTF-8 without control characters but tab, line feed and
// carriage return, without white space around them, and of at most 64 KiB.
// Numbers are never negative; what is missing or no number is 0.
//
// Where an element comes twice, the later one that says something counts; a
// second playback counts as a whole. Two different ids are an error.
type Document struct {
	// RecordID is the recording's id: letters, digits, "-" and "_".
	RecordID string
	// MeetingID is the id that the front-end gave the meeting, Name the
	// meeting's name: those of <meta>, else those of <meeting>.
	MeetingID string
	Name      string
	// InternalMeetingID is BBB's own id of the meeting, the RecordID if the
	// file does not say.
	InternalMeetingID string
	// State is processing, processed, published, unpublished or deleted, or
	// empty if the file names none of them. BBB's "available" is published.
	State string
	// Published is what the file says of it, or what State says if it does
	// not. PublishedSet is false if neither says anything.
	Published    bool
	PublishedSet bool
	// Start and End are milliseconds since 1970. A missing Start is taken from
	// the RecordID, which ends in the time of the meeting's creation; an End
	// before Start is Start plus LengthMS.
	Start, End   int64
	Participants int
	RawSize      int64 // bytes of the raw recording

	IsBreakout    bool
	Breakout      *Breakout // nil but for recordings of breakout rooms
	BreakoutRooms []string  // record ids of the meeting's breakout rooms

	// Metadata holds the children of <meta> in the file's order, each key once
	// and the last value of it, without isBreakout, meetingId and meetingName.
	// Keys are XML names without a colon, in lower case, as BBB itself has them;
	// one that was in lower case in the file counts more than one that was not.
	// Values may be empty.
	Metadata []Pair

	// Format is the format's name, a plain word as RecordID is, or empty if
	// the file has no playback.
	Format string
	// Link is path and query of the page that plays the format: it begins with
	// exactly one "/", holds only characters that a URL may hold, and no "."
	// or ".." segments. Empty if the file has no link that can be used.
	Link         string
	LengthMS     int64 // length of what was recorded
	ProcessingMS int64 // time that BBB took to make the format
	Size         int64 // bytes of the format's files
	Images       []Image

	// Notes tells what of the file was put right or left out, with its line,
	// for the log. They hold no values of the document.
	Notes []string
}

// Pair is one entry of a recording's metadata.
type Pair struct{ Key, Value string }

// Image is a thumbnail of a slide. Path is path and query, as in
// Document.Link; Alt is plain text in one line.
type Image struct {
	Width, Height int
	Alt, Path     string
}

// Breakout says where a breakout room belongs. ParentMeetingID is the internal
// id of the meeting it was opened from, MeetingID that of the room.
type Breakout struct {
	ParentMeetingID string
	MeetingID       string
	Sequence        int
	FreeJoin        bool
}

// Minutes is the length of the format in minutes, rounded, as getRecordings
// tells it.
func (d *Document) Minutes() int64 { return (d.LengthMS + 30_000) / 60_000 }
