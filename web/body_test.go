package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"scalelite/balancer/bbb"
	"scalelite/balancer/bbbtest"
)

const slides = `<?xml version="1.0" encoding="UTF-8"?>
<modules>
   <module name="presentation">
      <document name="plan.pdf" current="true">JVBERi0xLjQK</document> <!-- kept -->
   </module>
   <module name="clientSettingsOverride"><![CDATA[{"a": "<b>"}]]></module>
</modules>
`

// TestSlides (T52): XML goes on byte for byte with its type.
func TestSlides(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	for i, contentType := range []string{"application/xml", "text/xml", "application/xml; charset=utf-8", `Text/XML;  charset="UTF-8"`} {
		for _, chunked := range []bool{false, true} {
			id := fmt.Sprintf("room-%d-%t", i, chunked)
			var body io.Reader = strings.NewReader(slides)
			if chunked {
				body = struct{ io.Reader }{body}
			}
			a := s.fetch("POST", s.link("create", "meetingID", id, "name", "Algebra"), http.Header{"Content-Type": {contentType}}, body)
			if !a.OK {
				t.Fatalf("create: %s", a.body)
			}
			got := s.asked(0, "create")
			if string(got.Body) != slides || got.ContentType != contentType || got.Method != http.MethodPost || got.Refused {
				t.Errorf("the server got %s %q %q", got.Method, got.ContentType, got.Body)
			}
			if m, _ := s.servers[0].Meeting(id); len(m.Documents) != 1 {
				t.Errorf("%d documents", len(m.Documents))
			}
		}
	}
	if a := s.postXML("insertDocument", slides, "meetingID", "room-0-true"); !a.OK {
		t.Fatalf("insertDocument: %s", a.body)
	}
	if got := s.asked(0, "insertDocument"); string(got.Body) != slides || got.ContentType != "application/xml" {
		t.Errorf("the server got %q %q", got.ContentType, got.Body)
	}
}

// TestXMLThatIsNone goes on as it is: it is for the server to judge.
func TestXMLThatIsNone(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	for i, body := range []string{"<", strings.Repeat("<a>", 100_000), "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", "\x00\xff", "meetingID=evil"} {
		id := fmt.Sprintf("room%d", i)
		if a := s.postXML("create", body, "meetingID", id, "name", "Algebra"); !a.OK {
			t.Errorf("create: %s", a.body)
		}
		if got := s.asked(0, "create"); string(got.Body) != body || got.Params.Get("meetingID") != id {
			t.Errorf("the server got %q for %q", got.Params, id)
		}
	}
}

// TestSlidesFindTheNextServer: the body is sent anew to each server that is
// tried, from memory and from a file.
func TestSlidesFindTheNextServer(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1 << 10, 1 << 20} {
		s := newSystem(t, settings{servers: 2, noSync: true})
		for _, server := range s.servers {
			server.Misbehave(bbbtest.Misbehaviour{Call: "create", Kind: bbbtest.HTML, Times: 1})
		}
		body := "<modules>" + strings.Repeat(" ", size) + "</modules>"
		s.postXML("create", body, "meetingID", "room", "name", "Algebra").wantFailed(t, "internalError", createMessage)
		s.servers[0].Misbehave(bbbtest.Misbehaviour{Call: "create", Kind: bbbtest.HTML, Times: 1})
		if a := s.postXML("create", body, "meetingID", "room", "name", "Algebra"); !a.OK {
			t.Fatalf("create: %s", a.body)
		}
		for i := range s.servers {
			if got := s.asked(i, "create"); string(got.Body) != body {
				t.Errorf("server %d got %d bytes of %d", i, got.BodySize, len(body))
			}
		}
	}
}

// TestSizes: what is at the limit passes, what is above is refused in words.
func TestSizes(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{noSync: true})
	created := make(chan []byte, 10)
	s.addBackend("bbb1", map[string]http.HandlerFunc{"create": func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		created <- body
		answers("text/xml", "<response><returncode>SUCCESS</returncode></response>")(w, r)
	}})
	full := append(bytes.Repeat([]byte(" "), maxXML-len("<modules/>")), "<modules/>"...)
	for _, chunked := range []bool{false, true} {
		send := func(body []byte) answer {
			var r io.Reader = bytes.NewReader(body)
			if chunked {
				r = struct{ io.Reader }{r}
			}
			return s.fetch("POST", s.link("create", "meetingID", fmt.Sprintf("room-%t", chunked), "name", "Algebra"), http.Header{"Content-Type": {"application/xml"}}, r)
		}
		if a := send(full); !a.OK {
			t.Fatalf("create with 32 MiB: %s", a.body)
		}
		if got := <-created; !bytes.Equal(got, full) {
			t.Errorf("the server got other bytes, %d of %d", len(got), len(full))
		}
		send(append(full[:len(full):len(full)], ' ')).wantFailed(t, "validationError", "The body of this request must not be larger than 32 MiB")
	}
	form := "meetingID=room&name=Algebra&x="
	form += strings.Repeat("x", maxForm-len(form))
	if a := s.post("create", "checksum="+bbb.Checksum(bbb.SHA256, "create", form, testSecret), typeForm, form); !a.OK {
		t.Errorf("a form of 2 MiB: %s", a.body)
	}
	form += "x"
	s.post("create", "checksum="+bbb.Checksum(bbb.SHA256, "create", form, testSecret), typeForm, form).
		wantFailed(t, "validationError", "The body of this request must not be larger than 2 MiB")
	s.post("create", "checksum="+bbb.Checksum(bbb.SHA256, "create", "", testSecret), "multipart/form-data; boundary=b", multipartOf("name", strings.Repeat("x", maxForm))).
		wantFailed(t, "validationError", "The body of this request must not be larger than 2 MiB")
	if n := len(created); n != 1 {
		t.Errorf("the server was asked %d times more, want once", n)
	}
}

// TestFilesOfAForm are passed over; the fields count.
func TestFilesOfAForm(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	body := multipartOf("meetingID", "room", "name", "no", "name", "Algebra")
	body = strings.TrimSuffix(body, "--b--\r\n") + "--b\r\nContent-Disposition: form-data; name=\"meetingID\"; filename=\"x\"\r\n\r\nevil\r\n--b--\r\n"
	a := s.post("create", "checksum="+bbb.Checksum(bbb.SHA256, "create", "", testSecret), "multipart/form-data; boundary=b", body)
	if !a.OK || a.Field("meetingID") != "room" {
		t.Fatalf("create: %s", a.body)
	}
	if got := s.asked(0, "create").Params["name"]; len(got) != 1 || got[0] != "Algebra" {
		t.Errorf("name %q", got)
	}
	for _, broken := range []string{"no part", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ncut"} {
		a := s.post("create", "checksum="+bbb.Checksum(bbb.SHA256, "create", "", testSecret), "multipart/form-data; boundary=b", broken)
		a.wantFailed(t, "validationError", "The body of this request could not be read")
	}
	s.post("create", "checksum="+bbb.Checksum(bbb.SHA256, "create", "", testSecret), "multipart/form-data", body).
		wantFailed(t, "validationError", "The body of this request could not be read")
}

// TestXMLLabelledAsForm: one library does so. The parameters are in the query,
// what else comes is dropped.
func TestXMLLabelledAsForm(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	query := bbb.Sign(bbb.SHA1, "create", "meetingID=room&name=Algebra", testSecret)
	for _, body := range []string{slides, strings.Repeat(slides, 20_000)} {
		if a := s.post("create", query, typeForm, body); !a.OK {
			t.Fatalf("create: %s", a.body)
		}
		if got := s.asked(0, "create"); got.BodySize != 0 || got.Params.Get("name") != "Algebra" {
			t.Errorf("the server got %d bytes, %v", got.BodySize, got.Params)
		}
	}
}

// TestManyParameters: a long query becomes a form for the server; too many
// parameters are refused.
func TestManyParameters(t *testing.T) {
	t.Parallel()
	s := newSystem(t, settings{servers: 1, noSync: true})
	pairs := []string{"meetingID", "room", "name", "Algebra"}
	for i := range 900 {
		pairs = append(pairs, fmt.Sprintf("meta_key-%d", i), strings.Repeat("ä", 8))
	}
	form := params(pairs...).Encode()
	if a := s.post("create", "checksum="+bbb.Checksum(bbb.SHA256, "create", form, testSecret), typeForm, form); !a.OK {
		t.Fatalf("create: %s", a.body)
	}
	if m, _ := s.servers[0].Meeting("room"); len(m.Metadata) != 900 {
		t.Errorf("%d metadata", len(m.Metadata))
	}
	many := strings.Repeat("a=b&", 20_000) + "meetingID=room"
	s.post("create", "checksum="+bbb.Checksum(bbb.SHA256, "create", many, testSecret), typeForm, many).wantFailed(t, "checksumError", checksumMessage)
}

// TestSpool keeps small bodies in memory and large ones in a file without a
// name, and gives both back as often as asked.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, size := range []int{0, 1, spoolInMemory - 1, spoolInMemory, spoolInMemory + 1, 3 * spoolInMemory} {
		want := bytes.Repeat([]byte("x"), size)
		body, err := spool(bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		if inFile := size >= spoolInMemory; (body.file != nil) != inFile || body.size != int64(size) {
			t.Errorf("%d bytes: size %d, in a file %t", size, body.size, body.file != nil)
		}
		for range 2 {
			r, err := body.open()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes: read %d, %v", size, len(got), err)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left in the directory: %v, %v", left, err)
		}
		body.close()
	}
}

// TestNoRoomForABody: that is our fault, not the client's.
func TestNoRoomForABody(t *testing.T) {
	log := &logBuffer{}
	s := newSystem(t, settings{servers: 1, noSync: true, log: log})
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	a := s.postXML("create", strings.Repeat(" ", 1<<20), "meetingID", "room", "name", "Algebra")
	if a.OK || a.MessageKey != "internalError" {
		t.Errorf("answer %s", a.body)
	}
	if !strings.Contains(log.String(), "level=ERROR") || strings.Contains(a.body, "missing") {
		t.Errorf("answer %s, log %s", a.body, log)
	}
}
