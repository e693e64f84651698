package metadata

import (
	"strings"
)

// maxLink bounds a link in bytes.
const maxLink = 4096

// localLink reduces a link to the path and query that are left of it on our
// own host. False means that it is none that could be: it has a scheme other
// than http, names no path, or is too long.
func localLink(raw string) (string, bool) {
	link := unfold(raw)
	if len(link) > maxLink {
		return "", false
	}
	link, _, _ = strings.Cut(link, "#")
	path, query, asked := strings.Cut(link, "?")
	path = strings.ReplaceAll(path, `\`, "/") // as browsers read it
	if scheme, rest, ok := cutScheme(path); ok {
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") || !strings.HasPrefix(rest, "/") {
			return "", false
		}
		path = rest
	}
	if host, ok := strings.CutPrefix(path, "//"); ok {
		_, path, _ = strings.Cut(host, "/")
	}
	path = "/" + resolve(escape(path, pathBytes))
	if asked && query != "" {
		path += "?" + escape(query, queryBytes)
	}
	return path, path != "/" && len(path) <= maxLink
}

// unfold undoes what pretty-printing did to a link: white space around it goes,
// and so does any within it that has more than blanks.
func unfold(raw string) string {
	var b strings.Builder
	for raw = strings.TrimSpace(raw); raw != ""; {
		end := strings.IndexAny(raw, " \t\n\r")
		if end < 0 {
			b.WriteString(raw)
			break
		}
		b.WriteString(raw[:end])
		rest := strings.TrimLeft(raw[end:], " \t\n\r")
		if gap := raw[end : len(raw)-len(rest)]; strings.Trim(gap, " ") == "" {
			b.WriteString(gap)
		}
		raw = rest
	}
	return b.String()
}

// cutScheme cuts off the scheme of a URL.
func cutScheme(link string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(link, ":")
	if !ok || scheme == "" || strings.ContainsAny(scheme, "/%") {
		return "", link, false
	}
	return scheme, rest, true
}

// Bytes that may stand in a path and in a query as they are, besides letters
// and digits (RFC 3986, 3.3 and 3.4). The quote could be kept, but is the one
// that breaks out of carelessly written HTML.
const (
	pathBytes  = "-._~!$&()*+,;=:@/"
	queryBytes = pathBytes + "?"
)

// escape percent-encodes all that a URL may not hold, and a "%" that begins no
// escape.
func escape(s, allowed string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		if isWord(c) || strings.IndexByte(allowed, c) >= 0 || c == '%' && isEscape(s[i:]) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func isEscape(s string) bool { return len(s) > 2 && isHex(s[1]) && isHex(s[2]) }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// resolve takes empty, "." and ".." segments out of a path, also where dots are
// escaped. It returns it without the slash before it; one at its end stays.
func resolve(path string) string {
	var kept []string
	slash := false
	for segment := range strings.SplitSeq(path, "/") {
		slash = true
		switch dots.Replace(segment) {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
			slash = false
		}
	}
	if slash && len(kept) > 0 {
		return strings.Join(kept, "/") + "/"
	}
	return strings.Join(kept, "/")
}

var dots = strings.NewReplacer("%2e", ".", "%2E", ".")
