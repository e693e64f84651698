package bbb

import (
	"errors"
	"strings"
	"testing"
)

const errorsReply = `<response><returncode>FAILED</returncode><errors><error><key>nonUniqueVoiceBridge</key><message>Taken &amp; gone</message></error><error><key>second</key><message/></error></errors></response>`

func TestParseReply(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, doc string
		want      Reply
	}{
		{"success", okReply, Reply{OK: true}},
		{"failed", string(ErrNotFound.XML()), Reply{MessageKey: "notFound", Message: ErrNotFound.Message}},
		{"list of errors", errorsReply, Reply{MessageKey: "nonUniqueVoiceBridge", Message: "Taken & gone"}},
		{"no key", "<response><returncode>FAILED</returncode><message> a\r\nb </message></response>", Reply{Message: "a\nb"}},
		{"key only in a child", "<response><returncode>SUCCESS</returncode><x><messageKey>a</messageKey></x></response>", Reply{OK: true}},
		{"an unknown code", "<response><returncode>PERHAPS</returncode></response>", Reply{}},
	}
	for _, row := range rows {
		got, err := ParseReply("h", []byte(row.doc))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if string(got.Body) != row.doc {
			t.Errorf("%s: Body is %q", row.name, got.Body)
		}
		if got.OK != row.want.OK || got.MessageKey != row.want.MessageKey || got.Message != row.want.Message {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
}

func TestReplyField(t *testing.T) {
	t.Parallel()
	reply, err := ParseReply("h", []byte("<response><returncode>SUCCESS</returncode><x><running>no</running></x><running> <![CDATA[tr]]>ue </running><e/></response>"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"running": "true", "returncode": "SUCCESS", "e": "", "missing": ""} {
		if got := reply.Field(name); got != want {
			t.Errorf("Field(%s) = %q, want %q", name, got, want)
		}
	}
}

func TestParseReplyExplains(t *testing.T) {
	t.Parallel()
	const token = "1fcbb0c4fc1f039f73aa6d697d2db9ba7f803f17"
	rows := []struct{ body, want string }{
		{"", "an empty answer"},
		{" \r\n", "an empty answer"},
		{"<html><head><title>502 Bad Gateway</title></head>", `an HTML page ("<title>502 Bad Gateway") instead of XML`},
		{"<!DOCTYPE html>\n<html><body>x", "an HTML page instead of XML"},
		{"<HTML><TITLE> a\x1b[31mb\n c</TITLE>", `an HTML page ("<title>a [31mb c") instead of XML`},
		{"<html><title>No " + token + " at /api/create?checksum=x&name=Alice</title>", `an HTML page ("<title>No [...] at /api/create") instead of XML`},
		{`{"response":1}`, "JSON instead of XML"},
		{"upstream gone\nsecond line", `plain text ("upstream gone") instead of XML`},
		{strings.Repeat("ab ", 5000), `plain text ("` + strings.Repeat("ab ", 20) + `...") instead of XML`},
		{"\x1f\x8b\x08xxxx", "compressed data instead of XML"},
		{okReply[:30], "XML that ends in the middle"},
		{"<response><a>&nbsp;</a></response>", "XML that has an unknown or malformed reference"},
		{"<a/>", "XML that has another root element than <response>"},
		{"<response/>", "XML that has no returncode"},
	}
	for _, row := range rows {
		_, err := ParseReply("bbb1.example.org", []byte(row.body))
		if err == nil || err.Error() != "bbb1.example.org answered "+row.want {
			t.Errorf("%.40q: %v, want %s", row.body, err, row.want)
		}
		if !errors.Is(err, ErrReply) {
			t.Errorf("%.40q: not ErrReply", row.body)
		}
	}
}
