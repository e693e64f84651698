package bbb

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// A create as Greenlight sends it, about 250 bytes.
const benchQuery = "guestPolicy=ALWAYS_ACCEPT&loginURL=https%3A%2F%2Fgl.example.org&logoutURL=https%3A%2F%2Fgl.example.org%2Frooms%2Fabc" +
	"&meetingID=ffbfc4cc24428694e8b53a4e144f414052431693&meta_bbb-origin=greenlight&meta_endCallbackUrl=https%3A%2F%2Fgl.example.org%2Fend&muteOnStart=true&name=Maths+7b&record=false"

func BenchmarkVerifyQuery(b *testing.B) {
	v := Verifier{Secrets: []Secret{"another-secret-of-the-usual-length", testSecret}, Algorithms: everyAlgorithm}
	for _, a := range everyAlgorithm {
		sent := Sign(a, "create", benchQuery, testSecret)
		b.Run(string(a), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.VerifyQuery("create", sent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchReplies() map[string][]byte {
	info := strings.TrimSuffix(strings.TrimPrefix(fullMeeting, "<meeting>"), "</meeting>")
	return map[string][]byte{
		"getMeetingInfo": []byte("<response><returncode>SUCCESS</returncode>" + info + "</response>"),
		"getMeetings":    []byte("<response><returncode>SUCCESS</returncode><meetings>" + strings.Repeat(fullMeeting, 100) + "</meetings></response>"),
	}
}

func BenchmarkParseReply(b *testing.B) {
	for name, doc := range benchReplies() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseReply("h", doc); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding-xml", func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				d := xml.NewDecoder(bytes.NewReader(doc))
				for {
					if _, err := d.Token(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkMeetings(b *testing.B) {
	reply, err := ParseReply("h", benchReplies()["getMeetings"])
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(reply.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if len(reply.Meetings()) != 100 {
			b.Fatal("not 100 meetings")
		}
	}
}
