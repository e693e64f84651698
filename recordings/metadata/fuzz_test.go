package metadata

import (
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"scalelite/recordings/metadata/charset"
)

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// checkDocument checks what Document promises.
func checkDocument(t testing.TB, d *Document) {
	t.Helper()
	if !plainWord.MatchString(d.RecordID) || d.Format != "" && !plainWord.MatchString(d.Format) {
		t.Errorf("id %q, format %q", d.RecordID, d.Format)
	}
	for _, n := range []int64{d.Start, d.End - d.Start, int64(d.Participants), d.RawSize, d.LengthMS, d.ProcessingMS, d.Size} {
		if n < 0 {
			t.Errorf("negative number: %+v", d)
		}
	}
	texts := append([]string{d.MeetingID, d.InternalMeetingID, d.Name, d.State}, d.Notes...)
	seen := map[string]bool{}
	for _, p := range d.Metadata {
		if !regexp.MustCompile(`^[a-z_][a-z0-9_.-]*$`).MatchString(p.Key) || seen[p.Key] {
			t.Errorf("key %q", p.Key)
		}
		seen[p.Key] = true
		texts = append(texts, p.Value)
	}
	for _, id := range d.BreakoutRooms {
		if !plainWord.MatchString(id) {
			t.Errorf("breakout room %q", id)
		}
	}
	if d.Breakout != nil {
		texts = append(texts, d.Breakout.MeetingID, d.Breakout.ParentMeetingID)
	}
	if d.Link != "" {
		checkLink(t, d.Link)
	}
	for _, img := range d.Images {
		checkLink(t, img.Path)
		texts = append(texts, img.Alt)
	}
	for _, s := range texts {
		checkText(t, s)
	}
}

func checkText(t testing.TB, s string) {
	t.Helper()
	bad := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }
	if !utf8.ValidString(s) || strings.ContainsFunc(s, bad) || strings.TrimSpace(s) != s || len(s) > maxValue+100 {
		t.Errorf("text %.200q", s)
	}
}

func checkLink(t testing.TB, link string) {
	t.Helper()
	if !strings.HasPrefix(link, "/") || strings.HasPrefix(link, "//") || strings.ContainsAny(link, "\\\"'<> #") || len(link) > maxLink {
		t.Errorf("link %q", link)
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		t.Errorf("link %q: %v %v", link, u, err)
		return
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
			t.Errorf("link %q has segment %q, %v", link, segment, err)
		}
	}
	base, _ := url.Parse("https://lb.example.org")
	if whole := base.ResolveReference(u).String(); whole != "https://lb.example.org"+link {
		t.Errorf("link %q is %q on our host", link, whole)
	}
	if again, ok := localLink(link); !ok || again != link {
		t.Errorf("link %q becomes %q, %v", link, again, ok)
	}
}

func addFixtures(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func FuzzParse(f *testing.F) {
	addFixtures(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(strings.NewReader(string(data)))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Errorf("error without a line: %v", err)
			}
			return
		}
		checkDocument(t, d)
	})
}

func FuzzLocalLink(f *testing.F) {
	for _, s := range []string{"https://h/a/../b?c#d", `\\h\a`, "java\tscript:x", "/%2e./a%zz", "a b/\n c?d e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if link, ok := localLink(charset.Clean(raw)); ok {
			checkLink(t, link)
		}
	})
}

// What encoding/xml accepts in its strict mode, this package's scanner splits
// in the same way.
func FuzzScanAgrees(f *testing.F) {
	addFixtures(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := readText(strings.NewReader(string(data)))
		if err != nil {
			t.Skip()
		}
		want, err := referenceTokens(doc)
		if err != nil {
			t.Skip()
		}
		got, err := ownTokens(doc)
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-encoding/xml +own)\n%s", diff)
		}
	})
}

var errUncommon = errors.New("not to be compared")

// referenceTokens lists tags, attributes and text as encoding/xml sees them.
func referenceTokens(doc string) ([]string, error) {
	// It checks the nesting only here, and takes declarations for what they say.
	for d := xml.NewDecoder(strings.NewReader(doc)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	var list tokenList
	for d := xml.NewDecoder(strings.NewReader(doc)); ; {
		token, err := d.RawToken()
		if err == io.EOF {
			return list.tokens, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			list.add("<" + rawName(token.Name))
			for _, a := range token.Attr {
				list.add(rawName(a.Name) + "=" + charset.Clean(strings.Join(strings.Fields(a.Value), " ")))
			}
		case xml.EndElement:
			list.add("</" + rawName(token.Name))
		case xml.CharData:
			list.text(charset.Clean(string(token)))
		case xml.Directive:
			return nil, errUncommon // its idea of quotes in a DOCTYPE is another
		}
	}
}

func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func ownTokens(doc string) ([]string, error) {
	var list tokenList
	for s := (scanner{doc: doc}); ; {
		token, err := s.next()
		if err != nil {
			return nil, err
		}
		switch token {
		case atEOF:
			return list.tokens, nil
		case atStart:
			list.add("<" + s.name)
			for _, a := range s.attrs {
				list.add(a.name + "=" + strings.Join(strings.Fields(a.value), " "))
			}
			if s.empty {
				list.add("</" + s.name)
			}
		case atEnd:
			list.add("</" + s.name)
		case atText:
			list.text(decode(s.text, s.literal))
		}
	}
}

// tokenList joins pieces of text, which the two scanners cut differently.
type tokenList struct {
	tokens []string
	inText bool
}

func (l *tokenList) add(s string) { l.tokens, l.inText = append(l.tokens, s), false }

func (l *tokenList) text(s string) {
	if s == "" {
		return
	}
	if !l.inText {
		l.tokens = append(l.tokens, "text ")
	}
	l.tokens[len(l.tokens)-1] += s
	l.inText = true
}
