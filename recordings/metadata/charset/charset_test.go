package charset

import "testing"

func TestMarked(t *testing.T) {
	t.Parallel()
	rows := []struct {
		data, want string
		ok         bool
	}{
		{"\xef\xbb\xbfä", "ä", true},
		{"\xff\xfeA\x00=\xd8\x00\xde", "A\U0001F600", true},
		{"\xfe\xff\x00A\xd8=\xde\x00", "A\U0001F600", true},
		{"<\x00a\x00", "<a", true},
		{"\x00<\x00a", "<a", true},
		{"\xff\xfeA\x00B", "A\uFFFD", true},
		{"\xff\xfe\x00\xd8", "\uFFFD", true},
		{"\xef\xbb\xbf", "", true},
		{"ä", "", false},
		{"<", "", false},
		{"", "", false},
	}
	for _, row := range rows {
		if got, ok := Marked([]byte(row.data)); got != row.want || ok != row.ok {
			t.Errorf("%q: %q, %v", row.data, got, ok)
		}
	}
}

func TestWindows1252(t *testing.T) {
	t.Parallel()
	got := Windows1252([]byte("a\x80\x84\x8a\x93\x9f\xa0\xe4\xff"))
	if want := "a€„Š“Ÿ\u00a0äÿ"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	got := Clean("a\x00\t\r\n\x1b\x7f\u0085\u009f\ufffe\uffff\ufffdb\xff\xfec\u202e")
	if want := "a\t\r\n\ufffdb\ufffdc\u202e"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	rows := []struct{ text, want string }{
		{"plain", "plain"},
		{"&lt;&gt;&amp;&quot;&apos;", `<>&"'`},
		{"&amp;amp; &amp;lt;", "&amp; &lt;"},
		{"&nbsp;&uuml;&lrm;", "\u00a0ü\u200e"},
		{"&#65;&#x41;&#X41;", "AAA"},
		{"&#0;&#1;&#127;&#xFFFF;", ""},
		{"&#xD800;&#x110000;&#99999999999999;", "\ufffd\ufffd\ufffd"},
		{"&#;&#x;&#xx41;&#-1;&#+1;&#1_0;", "&#;&#x;&#xx41;&#-1;&#+1;&#1_0;"},
		{"R&D & &;&nosuchname;&amp", "R&D & &;&nosuchname;&amp"},
		{"&" + "averyverylongnamethatnobodyhasheardof;&lt;", "&averyverylongnamethatnobodyhasheardof;<"},
	}
	for _, row := range rows {
		if got := Unescape(row.text); got != row.want {
			t.Errorf("%q: %q, want %q", row.text, got, row.want)
		}
	}
}
