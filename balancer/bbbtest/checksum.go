package bbbtest

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// algorithmOf tells the algorithm by the length of a hex checksum, "" if there
// is none of that length.
func algorithmOf(checksum string) string {
	switch len(checksum) {
	case 40:
		return "sha1"
	case 64:
		return "sha256"
	case 96:
		return "sha384"
	case 128:
		return "sha512"
	}
	return ""
}

func digest(algorithm, text string) string {
	b := []byte(text)
	switch algorithm {
	case "sha1":
		sum := sha1.Sum(b)
		return hex.EncodeToString(sum[:])
	case "sha256":
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:])
	case "sha384":
		sum := sha512.Sum384(b)
		return hex.EncodeToString(sum[:])
	case "sha512":
		sum := sha512.Sum512(b)
		return hex.EncodeToString(sum[:])
	}
	return ""
}

// cutChecksum removes the checksum from a raw query the way BigBlueButton
// does: as a literal text with one adjoining "&", wherever it stands. All other
// bytes stay as they were sent.
func cutChecksum(query, checksum string) string {
	query = strings.ReplaceAll(query, "&checksum="+checksum, "")
	query = strings.ReplaceAll(query, "checksum="+checksum+"&", "")
	return strings.ReplaceAll(query, "checksum="+checksum, "")
}

// verify checks the request's signature and returns the algorithm that its
// checksum claims. Exactly one checksum must be given, in the query or the
// form; it covers the raw query only, but see Options.Legacy.
func (s *Server) verify(c *call, secret string) (algorithm string, ok bool) {
	given := c.params["checksum"]
	if len(given) != 1 {
		return "", false
	}
	algorithm = algorithmOf(given[0])
	if !s.algorithms[algorithm] {
		return algorithm, false
	}
	signed := cutChecksum(c.rawQuery, given[0])
	if s.opts.Legacy && c.method == "POST" && c.rawQuery == "" {
		signed = legacyQuery(c.form)
	}
	want := digest(algorithm, c.name+signed+secret)
	got := strings.ToLower(given[0])
	return algorithm, subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}

// legacyQuery builds the query that older servers verify when all parameters
// came in the body: sorted by name, without the checksum, encoded as Java does.
func legacyQuery(form url.Values) string {
	names := make([]string, 0, len(form))
	for name := range form {
		if name != "checksum" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = javaEncode(name) + "=" + javaEncode(form.Get(name))
	}
	return strings.Join(pairs, "&")
}

// javaEncode is java.net.URLEncoder, which differs from url.QueryEscape in
// leaving "*" and encoding "~".
func javaEncode(s string) string {
	return strings.NewReplacer("%2A", "*", "~", "%7E").Replace(url.QueryEscape(s))
}
