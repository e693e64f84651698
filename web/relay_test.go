package web

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"scalelite/balancer"
	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
)

// answers returns a handler that answers every call with one text.
func answers(contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, text)
	}
}

// TestBytesOfAnAnswer: what a server answers comes back as it was, success or
// refusal, however odd.
func TestBytesOfAnAnswer(t *testing.T) {
	t.Parallel()
	large := 500_000
	if testing.Short() {
		large /= 10
	}
	for name, text := range map[string]string{
		"declaration":     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<response>\n  <returncode>SUCCESS</returncode>\n</response>\n",
		"CDATA":           "<response><returncode><![CDATA[SUCCESS]]></returncode><a><![CDATA[<b>&amp;]]></a></response>",
		"comment":         "<!-- a --><response><returncode>SUCCESS</returncode><!-- b --></response><!-- c -->",
		"entities":        "<response><returncode>SUCCESS</returncode><m a='&#39;'>&lt;&#x1F600;&quot;</m></response>",
		"unicode":         "<response><returncode>SUCCESS</returncode><name>Übung 😀 \u0301</name></response>",
		"empty element":   "<response><returncode>SUCCESS</returncode><a/><b></b></response>",
		"failed":          "<response><returncode>FAILED</returncode><messageKey>oddKey</messageKey><message>It &lt;failed&gt;</message></response>",
		"without key":     "<response><returncode>FAILED</returncode><message>Meeting with id [a] not found.</message></response>",
		"list of errors":  "<response><returncode>FAILED</returncode><errors><error key=\"k\" message=\"m\"/><error><key>nonUniqueVoiceBridge</key><message>m</message></error></errors></response>",
		"checksum failed": "<response><returncode>FAILED</returncode><messageKey>checksumError</messageKey><message>Checksums do not match</message></response>",
		"odd metadata":    "<response><returncode>SUCCESS</returncode><metadata><a-b.c>1</a-b.c><_x/></metadata></response>",
		"a large one":     "<response><returncode>SUCCESS</returncode><a>" + strings.Repeat("<b>x</b>", large) + "</a></response>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := answers("text/html; charset=iso-8859-1", text)
			var created atomic.Bool
			calls := map[string]http.HandlerFunc{"create": func(w http.ResponseWriter, r *http.Request) {
				if created.CompareAndSwap(false, true) {
					answers("text/xml", "<response><returncode>SUCCESS</returncode></response>")(w, r)
				} else {
					handler(w, r)
				}
			}}
			s := newSystem(t, settings{noSync: true})
			for _, call := range []string{"isMeetingRunning", "getMeetingInfo", "end", "insertDocument", "sendChatMessage"} {
				calls[call] = handler
			}
			s.addBackend("odd", calls)
			s.create("room")
			for _, a := range []answer{
				s.get("isMeetingRunning", "meetingID", "room"), s.get("getMeetingInfo", "meetingID", "room"),
				s.get("sendChatMessage", "meetingID", "room", "message", "x"),
				s.postXML("insertDocument", slides, "meetingID", "room"),
				s.get("end", "meetingID", "room"),
			} {
				if a.status != http.StatusOK || a.body != text {
					t.Errorf("answer %d %.200q", a.status, a.body)
				}
				a.wantXMLHeader(t)
			}
			if a := s.get("create", "meetingID", "room2", "name", "Algebra"); a.body != text {
				t.Errorf("create: %.200q", a.body)
			}
		})
	}
}

// TestMeetingsOfTenants are left out of getMeetings, the others come as they
// are, also those that were made on the server itself.
func TestMeetingsOfTenants(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	ours := "<meeting>\n<meetingID>made elsewhere</meetingID><metadata><a><![CDATA[<x>]]></a></metadata> </meeting>"
	theirs := "<meeting><meetingID>theirs</meetingID><metadata><tenant-id>t1</tenant-id></metadata></meeting>"
	s.addBackend("odd", map[string]http.HandlerFunc{
		"getMeetings": answers("text/xml", "<response><returncode>SUCCESS</returncode><meetings>"+theirs+ours+theirs+"</meetings></response>"),
	})
	if a, want := s.get("getMeetings", "meetingID", "x"), "<response><returncode>SUCCESS</returncode><meetings>"+ours+"</meetings></response>"; a.body != want {
		t.Errorf("got %s, want %s", a.body, want)
	}
}

// TestBadServers (S20): whatever a server does, the answer is XML of ours, in
// time, and a browser is sent nowhere.
func TestBadServers(t *testing.T) {
	t.Parallel()
	for _, kind := range []bbbtest.Kind{
		bbbtest.Hang, bbbtest.HangAfter, bbbtest.ServerError, bbbtest.Reset, bbbtest.ResetAfter, bbbtest.HTML, bbbtest.HalfXML,
		bbbtest.HalfXMLCut, bbbtest.EndlessBody, bbbtest.HugeBody, bbbtest.EmptyBody, bbbtest.Redirect, bbbtest.GzipBomb, bbbtest.BadUTF8, bbbtest.Trickle,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := newSystem(t, settings{servers: 1, noSync: true, balancer: func(c *balancer.Config) {
				c.ConnectTimeout, c.ResponseTimeout = 300*time.Millisecond, 300*time.Millisecond
			}})
			s.create("room")
			s.servers[0].Misbehave(bbbtest.Misbehaviour{Kind: kind, Location: "https://evil.example/"})
			got := map[string]answer{
				"isMeetingRunning": s.get("isMeetingRunning", "meetingID", "room"),
				"getMeetingInfo":   s.get("getMeetingInfo", "meetingID", "room"),
				"sendChatMessage":  s.get("sendChatMessage", "meetingID", "room", "message", "x"),
				"insertDocument":   s.postXML("insertDocument", slides, "meetingID", "room"),
				"end":              s.get("end", "meetingID", "room", "password", "mpw"),
				"create":           s.get("create", "meetingID", "another", "name", "Algebra"),
			}
			for call, a := range got {
				message := accessMessage
				if call == "create" {
					message = createMessage
				}
				a.wantFailed(t, "internalError", message)
				if a.header.Get("Location") != "" {
					t.Errorf("%s: a redirect to %s", call, a.header.Get("Location"))
				}
			}
			if a := s.get("getMeetings"); !a.OK {
				t.Errorf("getMeetings: %s", a.body)
			}
			s.servers[0].Behave()
			// Some of them ended it; but it is they who say so.
			if a := s.get("getMeetingInfo", "meetingID", "room"); a.body == failedXML("notFound", notFoundMessage) {
				t.Error("the meeting was forgotten")
			}
		})
	}
}

// TestHostileXML (S16): entities and depth in a server's answer do nothing.
func TestHostileXML(t *testing.T) {
	t.Parallel()
	laughs := `<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><response><returncode>SUCCESS</returncode><x>&b;</x></response>`
	for name, text := range map[string]string{
		"billion laughs": laughs,
		"external":       `<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><response><returncode>SUCCESS</returncode><x>&a;</x></response>`,
		"unknown entity": `<response><returncode>SUCCESS</returncode><x>&nbsp;</x></response>`,
		"very deep":      `<response><returncode>SUCCESS</returncode>` + strings.Repeat("<a>", 200_000) + strings.Repeat("</a>", 200_000) + `</response>`,
		"control":        "<response><returncode>SUCCESS</returncode><x>\x01</x></response>",
		"Latin-1":        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><response><returncode>SUCCESS</returncode><x>\xe4</x></response>",
		"two roots":      "<response><returncode>SUCCESS</returncode></response><response/>",
		"no returncode":  "<response><running>true</running></response>",
		"other root":     "<html><returncode>SUCCESS</returncode></html>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t, settings{noSync: true})
			s.addBackend("odd", map[string]http.HandlerFunc{
				"create":         answers("text/xml", "<response><returncode>SUCCESS</returncode></response>"),
				"getMeetingInfo": answers("text/xml", text),
			})
			s.create("room")
			s.get("getMeetingInfo", "meetingID", "room").wantFailed(t, "internalError", accessMessage)
		})
	}
}

// TestCallerLeaves: that is nobody's failure.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	s := newSystem(t, settings{noSync: true, log: log})
	arrived := make(chan struct{}, 1)
	s.addBackend("odd", map[string]http.HandlerFunc{
		"create": answers("text/xml", "<response><returncode>SUCCESS</returncode></response>"),
		"getMeetingInfo": func(_ http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-r.Context().Done()
		},
	})
	s.create("room")
	conn := s.dial(t)
	target := strings.TrimPrefix(s.link("getMeetingInfo", "meetingID", "room"), s.url)
	if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(log.String(), "call=getMeetingInfo") {
		time.Sleep(time.Millisecond)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("log:\n%s", log)
	}
}

// TestManyAtOnce: answers do not get mixed up.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 2, noSync: true})
	for i := range 20 {
		s.create(fmt.Sprintf("room-%d", i))
	}
	errs := make(chan error, 20)
	for i := range 20 {
		go func() {
			id := fmt.Sprintf("room-%d", i)
			for range 20 {
				response, err := s.client.Get(s.link("getMeetingInfo", "meetingID", id))
				if err != nil {
					errs <- err
					return
				}
				text, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if reply, bad := bbb.ParseReply("", text); err != nil || bad != nil || reply.Field("meetingID") != id {
					errs <- fmt.Errorf("%s: %s, %v", id, text, err)
					return
				}
			}
			errs <- nil
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
