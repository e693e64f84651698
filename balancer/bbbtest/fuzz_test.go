package bbbtest

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzAnswers sends anything, properly signed: the answer must be well-formed,
// and so must that of getMeetings afterwards.
func FuzzAnswers(f *testing.F) {
	f.Add("create", "meetingID=ab&name=ab&meta_x-1=%00%FF&attendeePW=%3C", mediaTextXML, `<modules><module name="presentation"><document name="x">QQ==</document></module></modules>`)
	f.Add("create", "&meetingID=%F0%9F%98%80", mediaForm, "name=a+b&name=%zz&;=")
	f.Add("join", "meetingID=seed&fullName=%1B%3Cb%3E&role=VIEWER&redirect=false&userdata-x.y=%EF%BF%BF", "", "")
	f.Add("join", "meetingID=seed&fullName=x&logoutURL=http://%5B::1%5D/%3F&createTime=-1", "", "")
	f.Add("insertDocument", "meetingID=seed", mediaXML, "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
	f.Add("sendChatMessage", "meetingID=seed&message=]]>", "", "")
	f.Add("end", "meetingID=seed&password=x", mediaMultipart+"; boundary=x", "--x\r\n\r\n--x--")
	f.Fuzz(func(t *testing.T, name, query, contentType, body string) {
		s := New(Options{Secret: "s"})
		defer s.Close()
		if _, err := s.Create(map[string]string{"meetingID": "seed", "name": "seed"}); err != nil {
			t.Fatal(err)
		}
		for _, c := range [][4]string{{name, query, contentType, body}, {"getMeetings"}} {
			method := "GET"
			if c[3] != "" {
				method = "POST"
			}
			r := httptest.NewRequest(method, "/", strings.NewReader(c[3]))
			r.URL.Path = "/bigbluebutton/api/" + c[0]
			r.URL.RawQuery = c[1] + "&checksum=" + digest("sha1", c[0]+c[1]+"s")
			r.Header.Set("Content-Type", c[2])
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") || w.Body.Len() == 0 {
				continue
			}
			for dec := xml.NewDecoder(w.Body); ; {
				if _, err := dec.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v", c[0], err)
				}
			}
		}
	})
}
