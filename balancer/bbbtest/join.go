package bbbtest

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// entrance is somebody about to enter a meeting.
type entrance struct {
	meeting    *meeting
	name       string
	externalID string
	moderator  bool
	waiting    bool
	existing   *User // who comes back, nil for somebody new
	customdata map[string]string
}

// join lets somebody in. That counts at once, before a browser has followed the
// redirect.
func (s *Server) join(c *call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	e, refusal, redirected := s.mayJoin(c.params)
	if refusal != nil && redirected {
		return s.refuseJoin(c, refusal)
	}
	if refusal != nil {
		return failed(refusal)
	}
	token, user := s.enter(e)
	target := s.base(c) + clientPath + "?sessionToken=" + token
	if c.get("enforceLayout") != "" {
		target = s.base(c) + clientPath + "?waitLayout=1&sessionToken=" + token
	}
	a := redirect(target)
	if strings.EqualFold(c.get("redirect"), "false") {
		a = joined(e, user, token, target)
	}
	a.header.Set("Set-Cookie", "JSESSIONID="+randomID(32)+"; Path=/bigbluebutton; HttpOnly")
	return a
}

// mayJoin goes through the checks of join in their order. redirected tells that
// the refusal goes to the front-end's page; the others are XML.
func (s *Server) mayJoin(p url.Values) (e entrance, refusal *apiError, redirected bool) {
	if err := checkJoin(p); err != nil {
		return e, err, true
	}
	m := s.newest[p.Get("meetingID")]
	if m == nil {
		return e, errNotFound(), true
	}
	if m.ended {
		return e, &apiError{key: "meetingForciblyEnded",
			message: "You can not join a meeting that has already been forcibly ended"}, true
	}
	if t := p.Get("createTime"); t != "" && t != strconv.FormatInt(m.CreateTime, 10) {
		return e, &apiError{key: "mismatchCreateTimeParam",
			message: "The createTime parameter submitted mismatches with the current meeting."}, true
	}
	moderator, err := m.roleFor(p)
	if err != nil {
		return e, err, false
	}
	e = entrance{
		meeting:    m,
		name:       p.Get("fullName"),
		externalID: p.Get("userID"),
		moderator:  moderator,
		existing:   m.user(p.Get("existingUserID")),
		customdata: customdata(p),
	}
	if e.existing == nil && m.full() {
		return e, &apiError{key: "maxParticipantsReached",
			message: "The number of participants allowed for this meeting has been reached."}, true
	}
	waiting, err := m.guest(p, moderator)
	e.waiting = waiting
	return e, err, true
}

func checkJoin(p url.Values) *apiError {
	if err := checkMeetingID(p); err != nil {
		return err
	}
	if p.Get("fullName") == "" {
		return invalid("You must provide your name")
	}
	if !isBoolean(p.Get("guest")) {
		return invalid("Guest must be a boolean value (true or false)")
	}
	return nil
}

// roleFor finds the role: the one asked for if it is one, else by password.
func (m *meeting) roleFor(p url.Values) (moderator bool, err *apiError) {
	switch strings.ToLower(p.Get("role")) {
	case "moderator":
		return true, nil
	case "viewer":
		return false, nil
	}
	refuse := func(message string) (bool, *apiError) {
		return false, &apiError{key: "Params required", message: message}
	}
	switch pw := p.Get("password"); {
	case pw == "":
		return refuse("You must either send the valid role of the user, or the password, sould the meeting has one.")
	case m.ModeratorPW == "" && m.AttendeePW == "":
		return refuse("You must send the 'role' parameter, since this meeting doesn't have any password.")
	case pw == m.ModeratorPW:
		return true, nil
	case pw == m.AttendeePW:
		return false, nil
	}
	return refuse("You must enter a valid password")
}

// full tells whether nobody new may enter.
func (m *meeting) full() bool {
	return len(m.users) >= maxUsers || m.maxUsers > 0 && len(m.present()) >= m.maxUsers
}

// guest applies the guest policy to a guest who is no moderator.
func (m *meeting) guest(p url.Values, moderator bool) (waiting bool, err *apiError) {
	if moderator || !strings.EqualFold(p.Get("guest"), "true") {
		return false, nil
	}
	switch m.guestPolicy {
	case "ALWAYS_DENY":
		return false, &apiError{key: "guestDeniedAccess",
			message: "You have been denied access to this meeting based on the meeting's guest policy"}
	case "ASK_MODERATOR":
		return true, nil
	case "ALWAYS_ACCEPT_AUTH":
		return !strings.EqualFold(p.Get("auth"), "true"), nil
	}
	return false, nil
}

// customdata collects the userdata parameters whose names can be elements.
func customdata(p url.Values) map[string]string {
	data := make(map[string]string)
	for name := range p {
		if key, ok := strings.CutPrefix(name, "userdata-"); ok && isName(key) {
			data[key] = p.Get(name)
		}
	}
	return data
}

// joined is the answer to redirect=false.
func joined(e entrance, u *User, token, target string) *answer {
	return success(func(d *document) {
		d.text("messageKey", "successfullyJoined")
		d.text("message", "You have joined successfully.")
		d.text("meeting_id", e.meeting.InternalID)
		d.text("user_id", u.ID)
		d.text("auth_token", randomID(12))
		d.text("session_token", token)
		if u.Waiting {
			d.text("guestStatus", "WAIT")
		} else {
			d.text("guestStatus", "ALLOW")
		}
		d.text("url", target)
	})
}

// refuseJoin sends the browser to the front-end's page with the error in the
// query, or else to this server's own.
func (s *Server) refuseJoin(c *call, e *apiError) *answer {
	type entry struct {
		Key     string `json:"key"`
		Message string `json:"message"`
	}
	list, err := json.Marshal([]entry{{e.key, e.message}})
	if err != nil {
		return failed(e)
	}
	wanted := cmp.Or(c.get("errorRedirectUrl"), c.get("redirectErrorUrl"), c.get("logoutURL"))
	target, err := url.Parse(wanted)
	if err != nil || wanted == "" || !isURL(wanted) {
		target = &url.URL{Scheme: "http", Host: strings.TrimPrefix(s.base(c), "http://"), Path: "/"}
	}
	if target.RawQuery != "" {
		target.RawQuery += "&"
	}
	target.RawQuery += "errors=" + url.QueryEscape(string(list))
	return redirect(target.String())
}

// base is the root of this server's addresses, without a slash at its end.
func (s *Server) base(c *call) string {
	if addr := s.net.addr.Load(); addr != nil {
		return "http://" + *addr
	}
	return "http://" + c.host
}

// enter puts somebody into the meeting, or gives somebody who is in it another
// session.
func (s *Server) enter(e entrance) (token string, u *User) {
	m := e.meeting
	u = e.existing
	if u == nil {
		u = &User{
			ID:         "w_" + randomID(12),
			ExternalID: e.externalID,
			Name:       e.name,
			Moderator:  e.moderator,
			Waiting:    e.waiting,
			JoinedAt:   s.opts.Now(),
			customdata: e.customdata,
		}
		m.users = append(m.users, u)
		if !u.Waiting {
			s.arrive(m, u)
		}
	}
	token = randomID(16)
	s.sessions[token] = &session{m, u}
	m.tokens = append(m.tokens, token)
	if len(m.tokens) > 2*maxUsers { // the same few coming back for ever
		delete(s.sessions, m.tokens[0])
		m.tokens = m.tokens[1:]
	}
	return token, u
}

// arrive is the moment somebody is really in.
func (s *Server) arrive(m *meeting, u *User) {
	if m.started.IsZero() {
		m.started = s.opts.Now()
	}
	m.emptySince = time.Time{}
	presenter := false
	for _, other := range m.users {
		presenter = presenter || other.presenter
	}
	u.presenter = u.Moderator && !presenter
	s.note(m)
}
