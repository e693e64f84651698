package bbb

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const okReply = "<response><returncode>SUCCESS</returncode></response>"

func TestScanAccepts(t *testing.T) {
	t.Parallel()
	docs := []string{
		okReply,
		"\ufeff" + okReply,
		"<?xml version=\"1.0\"?>" + okReply,
		"<?xml version='1.0' encoding='utf-8' standalone=\"yes\" ?>\r\n" + okReply + "\n",
		"<!-- a - b --><?pi?><?p x?y?>" + okReply + "<!----> ",
		"<response ><returncode >SUCCESS</returncode ></response >",
		"<response a='1' b=\"&lt;'>\" ><returncode>SUCCESS</returncode><x/><y z = '1' /></response>",
		"<response><returncode>&#83;U&#x43;CESS</returncode></response>",
		"<response><returncode><![CDATA[SUCC]]>ESS</returncode></response>",
		"<response><returncode><!-- x -->SUCCESS<?x?></returncode></response>",
		"<response>]] > ]]&gt; <![CDATA[<&]]]]><returncode>SUCCESS</returncode></response>",
		"<response><Größe/><x:y/><returncode>SUCCESS</returncode></response>",
		"<response>" + strings.Repeat("<a>", maxDepth-1) + strings.Repeat("</a>", maxDepth-1) + "<returncode>SUCCESS</returncode></response>",
		"<response><a>&#1114111;&#xD;\u0085</a><returncode>\r\nSUCCESS\t</returncode></response>",
	}
	for _, doc := range docs {
		reply, err := ParseReply("h", []byte(doc))
		if err != nil || !reply.OK {
			t.Errorf("%q: OK %v, %v", doc, reply.OK, err)
		}
		if err := oracle([]byte(doc)); err != nil {
			t.Errorf("%q: encoding/xml: %v", doc, err)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	wrap := func(inside string) string {
		return "<response><returncode>SUCCESS</returncode>" + inside + "</response>"
	}
	rows := []struct {
		doc  string
		want error
	}{
		{wrap("<a>"), errEndTag},
		{wrap("</a>"), errEndTag},
		{wrap("<a></b>"), errEndTag},
		{wrap("< a/>"), errName},
		{wrap("</ a>"), errName},
		{wrap("<1a/>"), errName},
		{wrap("<a:b:c/>"), errName},
		{wrap("<a\u00d7/>"), errName},
		{wrap("<a b/>"), errAttribute},
		{wrap("<a b=c/>"), errAttribute},
		{wrap("<a b='1' b='2'/>"), errAttribute},
		{wrap("<a b='1'c='2'/>"), errAttribute},
		{wrap("<a b='<'/>"), errAttribute},
		{wrap("<a " + attributes(maxAttributes+1) + "/>"), errAttribute},
		{wrap("<a / >"), errMarkup},
		{wrap("<a b='&x;'/>"), errReference},
		{wrap("&nbsp;"), errReference},
		{wrap("a & b"), errReference},
		{wrap("&#0;"), errReference},
		{wrap("&#xD800;"), errReference},
		{wrap("&#x110000;"), errReference},
		{wrap("&#99999999999999999999;"), errReference},
		{wrap("&#X41;"), errReference},
		{wrap("&#;"), errReference},
		{wrap("&#x;"), errReference},
		{wrap("&;"), errReference},
		{wrap("]]>"), errMarkup},
		{wrap("<!-- -- -->"), errMarkup},
		{wrap("<!ELEMENT a>"), errMarkup},
		{wrap("<![cdata[]]>"), errMarkup},
		{wrap("<?xml version='1.0'?>"), errDeclaration},
		{wrap("<?XML x?>"), errDeclaration},
		{wrap("<?a\"b?>"), errMarkup},
		{wrap("\x01"), errCharacter},
		{wrap("<![CDATA[\x0b]]>"), errCharacter},
		{wrap("\xff"), errCharacter},
		{wrap("\uffff"), errCharacter},
		{wrap("<!-- \ufffe -->"), errCharacter},
		{wrap(strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth)), errDepth},
		{"<?xml version='1.1'?>" + okReply, errDeclaration},
		{"<?xml version='1.0' encoding='latin1'?>" + okReply, errDeclaration},
		{"<?xml encoding='utf-8' version='1.0'?>" + okReply, errDeclaration},
		{" <?xml version='1.0'?>" + okReply, errDeclaration},
		{"<?xml version='1.0'" + strings.Repeat(" ", 300) + "?>" + okReply, errDeclaration},
		{"<!DOCTYPE response>" + okReply, errDoctype},
		{"<!DOCTYPE r [<!ENTITY a 'b'>]>" + okReply, errDoctype},
		{okReply + okReply, errOutside},
		{okReply + "x", errOutside},
		{okReply + "<![CDATA[]]>", errOutside},
		{"x" + okReply, errOutside},
		{okReply + "</response>", errEndTag},
		{"<response/>", errNoCode},
		{wrap("<returncode>FAILED</returncode>"), errTwoCodes},
		{"<a><returncode>SUCCESS</returncode></a>", errRoot},
		{"<response><a><returncode>SUCCESS</returncode></a></response>", errNoCode},
	}
	for _, row := range rows {
		if _, err := parseReply([]byte(row.doc)); !errors.Is(err, row.want) {
			t.Errorf("%q: %v, want %v", row.doc, err, row.want)
		}
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d='1'", i)
	}
	return b.String()
}

// A document that lacks its end is always said to end in the middle, wherever
// it was cut, and never accepted.
func TestScanTruncated(t *testing.T) {
	t.Parallel()
	doc := "<?xml version='1.0' encoding='utf-8'?><!-- a --><?p q?><response a='&amp;' b=\"c\"><returncode>SUCCESS</returncode><x>&#65;<![CDATA[y]]></x ><z/></response>"
	for i := 1; i < len(doc); i++ {
		if _, err := parseReply([]byte(doc[:i])); !errors.Is(err, errTruncated) {
			t.Errorf("%q: %v", doc[:i], err)
		}
	}
}

// oracle reads a document with encoding/xml.
func oracle(doc []byte) error {
	_, _, err := oracleHeading(doc)
	return err
}

// oracleHeading returns the first returncode and messageKey below the root.
func oracleHeading(doc []byte) (code, key string, err error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.Strict = true
	texts := map[string]*strings.Builder{}
	var path []string
	var into *strings.Builder
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			if len(path) == 2 && texts[token.Name.Local] == nil && token.Name.Space == "" {
				into = &strings.Builder{}
				texts[token.Name.Local] = into
			}
		case xml.EndElement:
			if len(path) == 2 {
				into = nil
			}
			path = path[:len(path)-1]
		case xml.CharData:
			if len(path) == 2 && into != nil {
				into.Write(token)
			}
		}
	}
	text := func(name string) string {
		if b := texts[name]; b != nil {
			return strings.TrimSpace(b.String())
		}
		return ""
	}
	return text("returncode"), text("messageKey"), nil
}

// Whatever is accepted, encoding/xml accepts too, and reads the same in it.
func FuzzParseReply(f *testing.F) {
	for _, seed := range []string{
		okReply, meetingsReply, errorsReply,
		"\ufeff<?xml version='1.0' encoding=\"UTF-8\"?>\r\n" + okReply,
		"<response a='&#65;'><returncode><![CDATA[x]]>&amp;\r\n</returncode><messageKey>a<b/>c</messageKey><é:b c:d=''/><?p ?><!-- - --></response>",
		"<html><title>502</title></html>", "<!DOCTYPE x>", "{}", "]]>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		before := bytes.Clone(doc)
		reply, err := ParseReply("bbb1.example.org", doc)
		if !bytes.Equal(before, doc) {
			t.Fatal("the document was changed")
		}
		if err != nil {
			if text := err.Error(); len(text) > 400 || strings.ContainsAny(text, "\n\r\x00\x1b") {
				t.Errorf("%q is explained as %q", doc, text)
			}
			return
		}
		code, key, err := oracleHeading(doc)
		if err != nil {
			t.Fatalf("%q: encoding/xml says %v", doc, err)
		}
		if (code == "SUCCESS") != reply.OK || key != "" && key != reply.MessageKey {
			t.Errorf("%q: OK %v, key %q; encoding/xml has %q, %q", doc, reply.OK, reply.MessageKey, code, key)
		}
		for _, m := range reply.Meetings() {
			if oracle(m.Raw) != nil || !bytes.HasPrefix(m.Raw, []byte("<meeting")) {
				t.Errorf("%q: a meeting of it is %q", doc, m.Raw)
			}
			m.Meta("tenant-id")
		}
		_, _ = ParseMeetingInfo(reply)
	})
}
