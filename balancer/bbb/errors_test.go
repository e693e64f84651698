package bbb

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestErrorXML(t *testing.T) {
	t.Parallel()
	got := string(ErrChecksum.With(io.EOF).XML())
	const want = "<response><returncode>FAILED</returncode><messageKey>checksumError</messageKey><message>You did not pass the checksum security check</message></response>"
	if got != want {
		t.Errorf("got %s", got)
	}
}

// S16: whatever a message holds, the answer is well-formed.
func TestErrorXMLEscapes(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"a<b>&\"'", "]]>", "\x00\x1b\xff", "<!--", "ü😀", "\ufffe"} {
		e := TagUnavailable(tag)
		var got struct {
			Code    string `xml:"returncode"`
			Key     string `xml:"messageKey"`
			Message string `xml:"message"`
		}
		if err := xml.Unmarshal(e.XML(), &got); err != nil {
			t.Errorf("%q: %v", tag, err)
			continue
		}
		reply, err := ParseReply("h", e.XML())
		if err != nil || reply.MessageKey != "serverTagUnavailable" || reply.Message != got.Message {
			t.Errorf("%q: %+v, %v", tag, reply, err)
		}
		if clean := strings.ToValidUTF8(tag, "\ufffd"); !strings.ContainsAny(tag, "\x00\ufffe") && got.Message != "There is no available server with the required tag="+clean+"." {
			t.Errorf("message %q", got.Message)
		}
	}
}

func TestErrorIdentity(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("create: %w", ErrCreateFailed.With(io.ErrUnexpectedEOF))
	if !errors.Is(err, ErrCreateFailed) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v is not what it was made of", err)
	}
	for _, other := range []error{ErrNoServer, ErrAccessFailed, ErrChecksum} {
		if errors.Is(err, other) {
			t.Errorf("%v is taken for %v", err, other)
		}
	}
	if errors.Is(ErrNotFound, ErrRecordingsNotFound) {
		t.Error("meetings and recordings not found are the same")
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.Key != "internalError" {
		t.Errorf("AsType = %v, %v", e, ok)
	}
	if ErrCreateFailed.Unwrap() != nil {
		t.Error("With changed the catalogue")
	}
}
