package bbb

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseServerURL(t *testing.T) {
	t.Parallel()
	const want = "https://h.example.org/bigbluebutton/api"
	for _, in := range []string{
		"https://h.example.org/bigbluebutton/",
		"https://h.example.org/bigbluebutton",
		"https://h.example.org/bigbluebutton/api",
		"https://h.example.org/bigbluebutton/api/",
		"https://h.example.org/bigbluebutton/api/?",
		"https://h.example.org/bigbluebutton/api?",
		"https://h.example.org",
		"https://h.example.org/",
		"h.example.org",
		"h.example.org/bigbluebutton",
		"//h.example.org/",
		"HTTPS://H.Example.ORG/bigbluebutton/",
		"https://h.example.org:443/bigbluebutton/",
		"https://h.example.org//bigbluebutton//api//",
		"  https://h.example.org/bigbluebutton/ \n",
		"\"https://h.example.org/bigbluebutton/\"",
		"'https://h.example.org/bigbluebutton/'",
		"“https://h.example.org/bigbluebutton/”",
		"<https://h.example.org/bigbluebutton/>",
		"    URL: https://h.example.org/bigbluebutton/",
		"url:\"https://h.example.org/bigbluebutton/\"",
	} {
		if got, err := ParseServerURL(in); err != nil || got != want {
			t.Errorf("%q: %s, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"http://127.0.0.1:8081/bigbluebutton/api": "http://127.0.0.1:8081/bigbluebutton/api",
		"http://h:80":  "http://h/bigbluebutton/api",
		"http://h:443": "http://h:443/bigbluebutton/api",
		"h:8443":       "https://h:8443/bigbluebutton/api",
		"https://[2001:DB8::1]:8443/bigbluebutton": "https://[2001:db8::1]:8443/bigbluebutton/api",
		"[::1]": "https://[::1]/bigbluebutton/api",
		"https://h/School-A/pool.1/bigbluebutton/":     "https://h/School-A/pool.1/bigbluebutton/api",
		"https://h/bigbluebutton/bigbluebutton/api/":   "https://h/bigbluebutton/bigbluebutton/api",
		"https://xn--schne-jua.example/bigbluebutton/": "https://xn--schne-jua.example/bigbluebutton/api",
		"https://h_1.internal./bigbluebutton/api/":     "https://h_1.internal./bigbluebutton/api",
	} {
		if got, err := ParseServerURL(in); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestParseServerURLRefuses(t *testing.T) {
	t.Parallel()
	rows := []struct{ in, wrong, right string }{
		{"", "empty", "https://bbb.example.org/bigbluebutton/api"},
		{" \" ", "empty", "https://"},
		{"ftp://h/bigbluebutton", `"ftp://"`, "https://"},
		{"https://", "no host", "https://bbb.example.org/bigbluebutton/api"},
		{"https://user:hunter2@h/bigbluebutton", "user name or password", "without"},
		{"https://h/bigbluebutton/#top", "fragment", "leave it out"},
		{"https://h/bigbluebutton/api?checksum=hunter2", "query", "up to /bigbluebutton/api"},
		{"https://h:99999/", `port "99999"`, "1 to 65535"},
		{"https://h:0/", `port "0"`, "1 to 65535"},
		{"https://h:/", `port ""`, "1 to 65535"},
		{"https://bbb.schöne.example/", "host", "xn--"},
		{"https://a b/", "host", "letters, digits"},
		{"https://a..b/", "host", "letters, digits"},
		{"https://[::1/", "IPv6", "[2001:db8::1]"},
		{"https://[fe80::1%25eth0]/", "IPv6", "[2001:db8::1]"},
		{"https://h/b", `"/b"`, "https://h/bigbluebutton/api"},
		{"https://h/api", `"/api"`, "https://h/bigbluebutton/api"},
		{"https://h/x/bigbluebutton/api/getMeetings", "getMeetings", "https://h/x/bigbluebutton/api"},
		{"https://h/BigBlueButton/api", "BigBlueButton", "https://h/bigbluebutton/api"},
		{"https://h/a/../bigbluebutton", `".."`, "https://h/bigbluebutton/api"},
		{"https://h/%2e%2e/bigbluebutton", "path", "https://h/bigbluebutton/api"},
	}
	for _, row := range rows {
		got, err := ParseServerURL(row.in)
		if err == nil {
			t.Errorf("%q: accepted as %s", row.in, got)
			continue
		}
		for _, part := range []string{row.wrong, row.right} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v, want %q in it", row.in, err, part)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v tells a secret", row.in, err)
		}
	}
}

func FuzzParseServerURL(f *testing.F) {
	for _, seed := range []string{"h", "https://h:8443/bigbluebutton/api/?", "URL: 'http://[::1]:80/x/bigbluebutton'", "a://b@c#d?e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseServerURL(in)
		if err != nil {
			if len(err.Error()) > 600+2*len(in) {
				t.Errorf("%q: %v", in, err)
			}
			return
		}
		if again, err := ParseServerURL(got); err != nil || again != got {
			t.Errorf("%q: %s becomes %s, %v", in, got, again, err)
		}
		u, err := url.Parse(got)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || !strings.HasSuffix(u.Path, apiPath) || u.String() != got {
			t.Errorf("%q: %s is no base URL: %v", in, got, err)
		}
	})
}
