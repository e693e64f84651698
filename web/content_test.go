package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"scalelite/balancer/bbb"
)

// TestContentTypes sends every call a body of every type. A type that the call
// takes is followed by the checksum, which is wrong.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	form := map[string]bool{
		"application/x-www-form-urlencoded": true, "application/x-www-form-urlencoded; charset=UTF-8": true,
		"Application/X-WWW-Form-URLEncoded": true, "multipart/form-data; boundary=x": true,
	}
	xml := map[string]bool{"application/xml": true, "text/xml": true, "application/xml; charset=utf-8": true, "TEXT/XML;charset=ISO-8859-1": true}
	types := []string{"", "application/json", "text/plain", "text/html", "application/octet-stream", "application/xhtml+xml", "nonsense", ";", "multipart/mixed; boundary=x"}
	for _, set := range []map[string]bool{form, xml} {
		for name := range set {
			types = append(types, name)
		}
	}
	for _, call := range []string{"create", "isMeetingRunning", "getMeetingInfo", "end", "insertDocument", "sendChatMessage", "getMeetings"} {
		for _, contentType := range types {
			takes := form[contentType] && call != "insertDocument" || xml[contentType] && (call == "create" || call == "insertDocument")
			wantKey, wantMessage := "unsupportedContentType", typeMessage
			if takes {
				wantKey, wantMessage = "checksumError", checksumMessage
			}
			header := http.Header{}
			if contentType != "" {
				header.Set("Content-Type", contentType)
			}
			target := s.base + "/" + call + "?x=y&checksum=" + strings.Repeat("0", 40)
			for name, body := range map[string]io.Reader{
				"length": strings.NewReader("x"), "chunked": struct{ io.Reader }{strings.NewReader("x")},
			} {
				t.Run(call+"/"+contentType+"/"+name, func(t *testing.T) {
					s.fetch("POST", target, header, body).wantFailed(t, wantKey, wantMessage)
				})
			}
			// Without a body its type says nothing.
			s.fetch("POST", target, header, nil).wantFailed(t, "checksumError", checksumMessage)
			s.fetch("GET", strings.Replace(target, "insertDocument", "end", 1), header, nil).wantFailed(t, "checksumError", checksumMessage)
		}
	}
}

// TestBodyOfAGet: the type of a body counts whatever the method; a body that
// may be there adds nothing.
func TestBodyOfAGet(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	s.fetch("GET", s.link("getMeetingInfo", "meetingID", "room"), http.Header{"Content-Type": {"application/json"}}, strings.NewReader("{}")).
		wantFailed(t, "unsupportedContentType", typeMessage)
	s.fetch("GET", s.link("getMeetingInfo"), http.Header{"Content-Type": {typeForm}}, strings.NewReader("meetingID=room")).
		wantFailed(t, "missingParamMeetingID", missingIDMessage)
	a := s.fetch("GET", s.link("join", "meetingID", "room", "fullName", "a"), http.Header{"Content-Type": {typeForm}}, strings.NewReader("role=MODERATOR"))
	if a.status != http.StatusFound || strings.Contains(a.header.Get("Location"), "MODERATOR") {
		t.Errorf("join: %d %s", a.status, a.header.Get("Location"))
	}
}

// TestEmptyChunkedBody: a body that only its header announces has a type.
func TestEmptyChunkedBody(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	query := bbb.Sign(bbb.SHA1, "getMeetings", "", testSecret)
	for contentType, want := range map[string]string{"text/plain": "unsupportedContentType", typeForm: "noMeetings"} {
		got := s.raw(t, "POST /bigbluebutton/api/getMeetings?"+query+" HTTP/1.1\r\nHost: h\r\nContent-Type: "+contentType+
			"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n")
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s", contentType, got)
		}
	}
}

// raw sends bytes over a connection of its own and returns all that comes back.
func (s *system) raw(t testing.TB, request string) string {
	t.Helper()
	conn := s.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *system) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestLateReader: a client that sends a body that is too large, or whose
// checksum is wrong, and looks at the answer only when all of it is out, finds
// the answer there and no reset.
func TestLateReader(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	s.create("room")
	signed := bbb.Sign(bbb.SHA256, "create", "meetingID=room&name=Algebra", testSecret)
	for name, test := range map[string]struct {
		query, contentType string
		size               int
		want               string
	}{
		"wrong checksum":  {"meetingID=room&checksum=" + strings.Repeat("0", 40), "application/xml", 4 << 20, failedXML("checksumError", checksumMessage)},
		"XML too large":   {signed, "application/xml", 34 << 20, "must not be larger than 32 MiB"},
		"form too large":  {"", typeForm, 4 << 20, "must not be larger than 2 MiB"},
		"form ignored":    {signed, typeForm, 8 << 20, "duplicateWarning"},
		"type is refused": {signed, "text/plain", 4 << 20, failedXML("unsupportedContentType", typeMessage)},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunked %t", name, chunked), func(t *testing.T) {
				t.Parallel()
				conn := s.dial(t)
				defer conn.Close()
				w := bufio.NewWriter(conn)
				length := fmt.Sprintf("Content-Length: %d", test.size)
				if chunked {
					length = "Transfer-Encoding: chunked"
				}
				fmt.Fprintf(w, "POST /bigbluebutton/api/create?%s HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\n%s\r\n\r\n", test.query, test.contentType, length)
				block := strings.Repeat("x", 64<<10)
				for range test.size / len(block) {
					if chunked {
						fmt.Fprintf(w, "%x\r\n%s\r\n", len(block), block)
					} else {
						_, _ = w.WriteString(block)
					}
				}
				if chunked {
					_, _ = w.WriteString("0\r\n\r\n")
				}
				if err := w.Flush(); err != nil {
					t.Fatalf("the body could not be sent: %v", err)
				}
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), test.want) {
					t.Errorf("%d %s, %v", response.StatusCode, text, err)
				}
			})
		}
	}
}

// TestExpectContinue: a client that asks before it sends is answered before it
// sends.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	signed := bbb.Sign(bbb.SHA256, "create", "meetingID=room&name=Algebra", testSecret)
	for query, want := range map[string]string{
		signed:                   "must not be larger than 32 MiB",
		"meetingID=a&checksum=0": "checksumError",
	} {
		got := s.raw(t, "POST /bigbluebutton/api/create?"+query+" HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\nContent-Length: 40000000\r\nExpect: 100-continue\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 200 OK") || !strings.Contains(got, want) {
			t.Errorf("answer %s", got)
		}
	}
}
