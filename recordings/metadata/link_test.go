package metadata

import (
	"strings"
	"testing"
)

func TestLocalLink(t *testing.T) {
	t.Parallel()
	rows := []struct{ raw, want string }{
		{"https://h/playback/presentation/2.3/x", "/playback/presentation/2.3/x"},
		{"HTTP://user:pw@h:8080/a/", "/a/"},
		{"//evil.example/a", "/a"},
		{"https://h//evil.example/a", "/evil.example/a"},
		{"///evil.example/a", "/evil.example/a"},
		{`\\evil.example\a`, "/a"},
		{`/\evil.example/a`, "/a"},
		{`https:\\h\a\b`, "/a/b"},
		{"http:/a", "/a"},
		{"a/b", "/a/b"},
		{"/a/b?c=d&e=//f?g#h", "/a/b?c=d&e=//f?g"},
		{"/a?", "/a"},
		{"/a/../../b/./c/..", "/b/"},
		{"/a/%2e%2E/%2e/b", "/b"},
		{"/../..", ""},
		{"/a b\"<>'{}|^`ä%zz%", "/a%20b%22%3C%3E%27%7B%7D%7C%5E%60%C3%A4%25zz%25"},
		{"/a%20b%2Fc%2e", "/a%20b%2Fc%2e"},
		{"  /a\n   b\tc  ", "/abc"},
		{"https://h/?x=1", "/?x=1"},
		{"https://h?x=1", "/?x=1"},
		{"https://h", ""},
		{"https://h/", ""},
		{"", ""},
		{"javascript:alert(1)", ""},
		{"java\nscript:alert(1)", ""},
		{"javascript://h/%0aalert(1)", ""},
		{"data:text/html,x", ""},
		{"file:///etc/passwd", ""},
		{"http:a", ""},
		{"h:8080/a", ""},
		{"/" + strings.Repeat("a", maxLink-1), "/" + strings.Repeat("a", maxLink-1)},
		{"/" + strings.Repeat("a", maxLink), ""},
		{"/" + strings.Repeat("\"", maxLink-1), ""},
	}
	for _, row := range rows {
		got, ok := localLink(row.raw)
		if !ok {
			got = ""
		}
		if got != row.want {
			t.Errorf("%.80q: %.80q, want %.80q", row.raw, got, row.want)
		}
	}
}
