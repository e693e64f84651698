package bbbtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// What BigBlueButton takes for parameters that create does not give.
const (
	defaultDialNumber      = "613-555-1234"
	defaultExpireIfNobody  = 5 // minutes
	defaultExpireWhenEmpty = 1 // minutes
	noParent               = "bbb-none"
)

// metaName is what the name of a metadata parameter must look like; others are
// ignored.
var metaName = regexp.MustCompile(`^meta_[a-zA-Z][a-zA-Z0-9-]*$`)

// create makes a meeting, or answers with the one that is there if the request
// could have been its own.
func (s *Server) create(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if len(s.meetings) >= maxMeetings {
		return htmlError(http.StatusServiceUnavailable)
	}
	if err := checkCreate(c.params); err != nil {
		return failed(err)
	}
	if m := s.newest[c.get("meetingID")]; m != nil && !m.ended {
		if !samePasswords(m, c.params) {
			return failed(&apiError{key: "idNotUnique",
				message: "A meeting already exists with that meeting ID.  Please use a different meeting ID."})
		}
		return created(m, "duplicateWarning", "This conference was already in existence and may currently be in progress.")
	}
	m, err := s.newMeeting(c.params)
	if err != nil {
		return failed(err)
	}
	if c.media == mediaXML || c.media == mediaTextXML {
		m.insert(c.body)
	}
	return created(m, "", "")
}

// Create makes a meeting on the server itself, as if another front-end had
// done so, with any parameters of create: meetingID and name at least. Nothing
// is recorded and no misbehaviour applies.
func (s *Server) Create(params map[string]string) (Meeting, error) {
	values := make(url.Values)
	for name, value := range params {
		values.Set(name, value)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	if err := checkCreate(values); err != nil {
		return Meeting{}, err
	}
	if m := s.newest[values.Get("meetingID")]; m != nil && !m.ended {
		return Meeting{}, fmt.Errorf("meeting %q exists", m.MeetingID)
	}
	m, err := s.newMeeting(values)
	if err != nil {
		return Meeting{}, err
	}
	return m.snapshot(), nil
}

// samePasswords tells whether a repeated create may have the existing meeting:
// with both passwords as they are, or with none.
func samePasswords(m *meeting, p url.Values) bool {
	attendee, moderator := p.Get("attendeePW"), p.Get("moderatorPW")
	if attendee == "" && moderator == "" {
		return true
	}
	return attendee == m.AttendeePW && moderator == m.ModeratorPW
}

// checkCreate is the validation of single parameters.
func checkCreate(p url.Values) *apiError {
	if err := checkMeetingID(p); err != nil {
		return err
	}
	switch name := p.Get("name"); {
	case name == "":
		return invalid("You must provide a meeting name")
	case units(name) < 2 || units(name) > 256:
		return invalid("Meeting name must be between 2 and 256 characters")
	case strings.Contains(name, ","):
		return invalid("Meeting name cannot contain ','")
	}
	if !isDigits(p.Get("voiceBridge")) {
		return invalid("Voice bridge must be an integral value")
	}
	if !isBoolean(p.Get("record")) {
		return invalid("Record must be a boolean value (true or false)")
	}
	for _, name := range []string{"attendeePW", "moderatorPW"} {
		if pw := p.Get(name); pw != "" && (units(pw) < 2 || units(pw) > 64) {
			return &apiError{key: "invalidPassword", message: "Invalid password"}
		}
	}
	if !isURL(p.Get("presentationUploadExternalUrl")) {
		return invalid("Param 'presentationUploadExternalUrl' is not a valid URL")
	}
	if p.Get("isBreakout") == "true" && p.Get("parentMeetingID") == "" {
		return &apiError{key: "parentMeetingIDMissing", message: "No parent meeting ID was provided for the breakout room"}
	}
	return nil
}

// checkMeetingID is the validation that all calls about one meeting share.
func checkMeetingID(p url.Values) *apiError {
	switch id := p.Get("meetingID"); {
	case id == "":
		return &apiError{key: "missingParamMeetingID", message: "You must provide a meeting ID"}
	case units(id) < 2 || units(id) > 256:
		return invalid("Meeting ID must be between 2 and 256 characters")
	case strings.Contains(id, ","):
		return invalid("Meeting ID cannot contain ','")
	}
	return nil
}

// newMeeting puts a meeting into the tables. The parameters have been checked
// one by one; what is left are those that depend on other meetings.
func (s *Server) newMeeting(p url.Values) (*meeting, *apiError) {
	var parent *meeting
	if p.Get("isBreakout") == "true" {
		// The real server names the parent by its internal ID.
		parent = s.meetings[p.Get("parentMeetingID")]
		if parent == nil {
			parent = s.newest[p.Get("parentMeetingID")]
		}
		if parent == nil || parent.ended {
			return nil, &apiError{key: "parentMeetingDoesNotExist", message: "No parent meeting exists for the breakout room"}
		}
	}
	bridge := p.Get("voiceBridge")
	if bridge == "" {
		bridge = s.freeBridge()
	}
	if bridge == "" || s.bridges[bridge] != nil {
		return nil, &apiError{key: "nonUniqueVoiceBridge", message: "The selected voice bridge is already in use.", list: true}
	}
	now := s.opts.Now()
	s.lastCreate = max(s.lastCreate+1, now.UnixMilli())
	m := s.build(p, now)
	m.VoiceBridge = bridge
	if parent != nil {
		m.parent, m.IsBreakout, m.ParentID = parent, true, parent.InternalID
		parent.breakouts = append(parent.breakouts, m)
	}
	s.meetings[m.InternalID] = m
	s.newest[m.MeetingID] = m
	s.bridges[bridge] = m
	s.note(m)
	return m, nil
}

// build fills a meeting from the parameters of create.
func (s *Server) build(p url.Values, now time.Time) *meeting {
	params := maps.Clone(p)
	delete(params, "checksum")
	id := p.Get("meetingID")
	minutes := func(name string, otherwise int) time.Duration {
		return time.Duration(atoi(p.Get(name), otherwise)) * time.Minute
	}
	return &meeting{
		Meeting: Meeting{
			MeetingID:   id,
			InternalID:  sha1hex(id) + "-" + strconv.FormatInt(s.lastCreate, 10),
			Name:        p.Get("name"),
			CreateTime:  s.lastCreate,
			AttendeePW:  p.Get("attendeePW"),
			ModeratorPW: p.Get("moderatorPW"),
			Metadata:    metadata(p),
			Params:      params,
		},
		created:     now,
		marked:      p.Get("autoStartRecording") == "true",
		duration:    minutes("duration", 0),
		ifNobody:    minutes("meetingExpireIfNoUserJoinedInMinutes", defaultExpireIfNobody),
		ifEmpty:     minutes("meetingExpireWhenLastUserLeftInMinutes", defaultExpireWhenEmpty),
		maxUsers:    atoi(p.Get("maxParticipants"), s.opts.MaxParticipants),
		sequence:    atoi(p.Get("sequence"), 0),
		freeJoin:    p.Get("freeJoin") == "true",
		recording:   strings.EqualFold(p.Get("record"), "true"),
		guestPolicy: p.Get("guestPolicy"),
	}
}

// metadata collects the parameters that are metadata, keys in lower case.
func metadata(p url.Values) map[string]string {
	meta := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if metaName.MatchString(name) {
			meta[strings.ToLower(strings.TrimPrefix(name, "meta_"))] = p.Get(name)
		}
	}
	return meta
}

// freeBridge finds a voice bridge of five digits, "" if ten tries found none.
func (s *Server) freeBridge() string {
	for range 10 {
		bridge := strconv.Itoa(10000 + rand.IntN(90000))
		if s.bridges[bridge] == nil {
			return bridge
		}
	}
	return ""
}

// created is the success answer of create.
func created(m *meeting, key, message string) *answer {
	return success(func(d *document) {
		d.text("meetingID", m.MeetingID)
		d.text("internalMeetingID", m.InternalID)
		if m.IsBreakout {
			d.text("parentMeetingID", m.ParentID)
		} else {
			d.text("parentMeetingID", noParent)
		}
		d.optional("attendeePW", m.AttendeePW)
		d.optional("moderatorPW", m.ModeratorPW)
		d.int("createTime", m.CreateTime)
		d.text("voiceBridge", m.VoiceBridge)
		d.text("dialNumber", m.dialNumber())
		d.text("createDate", m.createDate())
		d.bool("hasUserJoined", !m.started.IsZero())
		d.int("duration", int64(m.duration/time.Minute))
		d.bool("hasBeenForciblyEnded", m.forced)
		d.text("messageKey", key)
		d.text("message", message)
	})
}

func (m *meeting) dialNumber() string {
	if n := m.Params.Get("dialNumber"); n != "" {
		return n
	}
	return defaultDialNumber
}

// createDate is the time of creation as Java prints a date.
func (m *meeting) createDate() string {
	return time.UnixMilli(m.CreateTime).UTC().Format("Mon Jan 02 15:04:05 MST 2006")
}

// units is the length of a string as Java counts it.
func units(s string) int { return len(utf16.Encode([]rune(s))) }

// isDigits, isBoolean and isURL take a parameter that is not given for good.
func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func isBoolean(s string) bool {
	return s == "" || strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
}

func isURL(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
