package bbb

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const apiPath = "/bigbluebutton/api"

// ParseServerURL reads a server's address in any form that `bbb-conf --secret`
// prints or people write: "https://h/bigbluebutton/", ".../api", ".../api/",
// "h", "h:8443", in quotes, behind "URL:", with a "?" at the end. It returns
// the base of its API, "https://h/bigbluebutton/api", without a slash at the
// end, with the host in lower case and without the scheme's own port. A path
// in front of /bigbluebutton stays. Where no scheme is given it is https.
//
// The error says what is wrong and what would be right. It quotes nothing of
// a user info or query.
func ParseServerURL(s string) (string, error) {
	scheme, rest, err := splitScheme(trimURL(s))
	if err != nil {
		return "", err
	}
	if strings.Contains(rest, "#") {
		return "", errors.New("server URL has a fragment (#...): leave it out")
	}
	if strings.Contains(rest, "?") {
		return "", errors.New("server URL has a query (?...): give the address up to /bigbluebutton/api only")
	}
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(authority, "@") {
		return "", errors.New("server URL has a user name or password: give it without, BBB's API needs only its secret")
	}
	host, err := canonicalHost(scheme, authority)
	if err != nil {
		return "", err
	}
	path, err = canonicalPath(scheme+"://"+host, path)
	if err != nil {
		return "", err
	}
	return scheme + "://" + host + path, nil
}

// trimURL takes off what comes along when a URL is copied.
func trimURL(s string) string {
	const around = " \t\r\n\v\f\u00a0\"'`<>\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
	s = strings.Trim(s, around)
	if len(s) >= 4 && strings.EqualFold(s[:4], "url:") {
		s = strings.Trim(s[4:], around)
	}
	return strings.TrimRight(s, "?")
}

func splitScheme(s string) (scheme, rest string, err error) {
	if s == "" {
		return "", "", errors.New("server URL is empty: give it like https://bbb.example.org/bigbluebutton/api")
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || strings.ContainsAny(scheme, "/?#@") {
		return "https", strings.TrimPrefix(s, "//"), nil
	}
	scheme = strings.ToLower(scheme)
	if scheme != "https" && scheme != "http" {
		return "", "", fmt.Errorf("server URL begins with %q: it must be https:// (or http://)", excerpt(scheme)+"://")
	}
	return scheme, rest, nil
}

// canonicalHost checks host and port.
func canonicalHost(scheme, authority string) (string, error) {
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", fmt.Errorf("server URL has the port %q: it must be a number from 1 to 65535", excerpt(port))
		}
		port = strconv.FormatUint(n, 10)
	}
	host = strings.ToLower(host)
	if err := checkHost(host); err != nil {
		return "", err
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return host, nil
	}
	return host + ":" + port, nil
}

func checkHost(host string) error {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if addr, err := netip.ParseAddr(inner); !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return errors.New("server URL has a malformed IPv6 address: it must be like [2001:db8::1]")
		}
		return nil
	}
	if host == "" {
		return errors.New("server URL has no host: give it like https://bbb.example.org/bigbluebutton/api")
	}
	for _, label := range strings.Split(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInHost) {
			return fmt.Errorf("server URL has the host %q: a host name has letters, digits, dots and dashes (other letters in their xn-- form)", excerpt(host))
		}
	}
	return nil
}

func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// canonicalPath completes a path to that of the API.
func canonicalPath(origin, path string) (string, error) {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			continue
		}
		if part == "." || part == ".." || strings.ContainsFunc(part, notInPath) {
			return "", fmt.Errorf("server URL has %q in its path: it would be %s%s", excerpt(part), origin, apiPath)
		}
		parts = append(parts, part)
	}
	full := strings.Join(append([]string{""}, parts...), "/")
	switch {
	case full == "":
		return apiPath, nil
	case strings.HasSuffix(full, apiPath):
		return full, nil
	case strings.HasSuffix(full, "/bigbluebutton"):
		return full + "/api", nil
	}
	prefix, _, _ := strings.Cut(full, "/bigbluebutton")
	if prefix == full {
		prefix = ""
	}
	return "", fmt.Errorf("server URL has the path %q, where BBB's API is not: it would be %s%s%s",
		excerpt(full), origin, prefix, apiPath)
}

func notInPath(r rune) bool {
	return notInHost(r) && (r < 'A' || r > 'Z') && r != '.' && r != '~'
}

// hostOf returns the host, with its port if any, of a canonical URL: the name
// of the server in errors.
func hostOf(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return excerpt(url)
	}
	host, _, _ := strings.Cut(rest, "/")
	return host
}
