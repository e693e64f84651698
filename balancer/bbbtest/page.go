package bbbtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"time"
)

// clientPath is where a join leads, as on a real server.
const clientPath = "/html5client/"

//go:embed page.html
var pageHTML string

// pages are the simulated client, in one template set: meeting, waiting, left,
// gone and root.
var pages = template.Must(template.New("pages").Parse(pageHTML))

// view is what the pages show.
type view struct {
	Server, Version string
	Hue             int // of the page's colour: each server has its own
	Refresh         int // seconds; 0: never

	Meeting Meeting
	Created string
	You     User
	Token   string
	Waiting []User // guests, shown to moderators
	Logout  string // where the front-end wants people after the meeting

	Meetings int
	People   int
	Errors   []struct{ Key, Message string }
}

func (s *Server) newView() view {
	v := view{Server: s.opts.Name, Version: s.opts.Version}
	for _, b := range []byte(s.opts.Name) {
		// The golden angle: names that differ by one in a number look different.
		v.Hue = (v.Hue + int(b)*137) % 360
	}
	return v
}

// serveClient shows the meeting to the owner of a session, and takes what the
// buttons on that page send.
func (s *Server) serveClient(w http.ResponseWriter, r *http.Request) {
	action := r.URL.Path[len(clientPath):]
	switch {
	case action == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.showMeeting(w, r.URL.Query().Get("sessionToken"))
	case (action == "leave" || action == "admit") && r.Method == http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		s.press(w, action, r.PostFormValue("sessionToken"), r.PostFormValue("user"))
	default:
		htmlError(http.StatusNotFound).write(w)
	}
}

func (s *Server) showMeeting(w http.ResponseWriter, token string) {
	v, ok := s.viewOf(token)
	switch {
	case !ok:
		show(w, http.StatusNotFound, "gone", v)
	case v.You.Waiting:
		v.Refresh = 5
		show(w, http.StatusOK, "waiting", v)
	default:
		v.Refresh = 15
		show(w, http.StatusOK, "meeting", v)
	}
}

func (s *Server) viewOf(token string) (view, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	v := s.newView()
	se := s.sessions[token]
	if se == nil {
		return v, false
	}
	m := se.meeting
	v.Meeting = m.snapshot()
	v.Created = time.UnixMilli(m.CreateTime).UTC().Format("2006-01-02 15:04 UTC")
	v.You = *se.user
	v.Token = token
	for _, u := range m.users {
		if u.Waiting && v.You.Moderator {
			v.Waiting = append(v.Waiting, *u)
		}
	}
	if target := m.Params.Get("logoutURL"); target != "" && isURL(target) {
		v.Logout = target
	}
	return v, true
}

// press carries out a button: to leave, or to let a guest in.
func (s *Server) press(w http.ResponseWriter, action, token, user string) {
	v, ok := s.viewOf(token)
	if !ok {
		show(w, http.StatusNotFound, "gone", v)
		return
	}
	if action == "leave" {
		s.leaveBy(token)
		show(w, http.StatusOK, "left", v)
		return
	}
	if v.You.Moderator {
		_ = s.Admit(v.Meeting.MeetingID, user) // who has gone meanwhile need not be let in
	}
	w.Header().Set("Location", clientPath+"?sessionToken="+url.QueryEscape(token))
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Server) leaveBy(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if se := s.sessions[token]; se != nil {
		s.leave(se.meeting, se.user)
	}
}

// serveRoot is the page that a refused join leads to when the front-end has
// named none.
func (s *Server) serveRoot(w http.ResponseWriter, r *http.Request) {
	v := s.newView()
	for _, m := range s.Meetings() {
		v.Meetings++
		v.People += m.Users
	}
	// Whatever is no list of errors is not shown.
	_ = json.Unmarshal([]byte(r.URL.Query().Get("errors")), &v.Errors)
	show(w, http.StatusOK, "root", v)
}

func show(w http.ResponseWriter, status int, name string, v view) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, v); err != nil {
		htmlError(http.StatusInternalServerError).write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the session token
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}
