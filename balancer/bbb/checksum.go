package bbb

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Algorithm is a digest that checksums are made with. The zero value counts
// as SHA256 wherever something is signed.
type Algorithm string

// The algorithms of the protocol, from the weakest to the strongest.
const (
	SHA1   Algorithm = "sha1"
	SHA256 Algorithm = "sha256"
	SHA384 Algorithm = "sha384"
	SHA512 Algorithm = "sha512"
)

var byStrength = [...]Algorithm{SHA1, SHA256, SHA384, SHA512}

// maxDigest is the size of the longest digest in bytes.
const maxDigest = sha512.Size

// ParseAlgorithm reads the name of an algorithm in any letter case, with or
// without the dash: "sha256", "SHA-256".
func ParseAlgorithm(s string) (Algorithm, error) {
	a := Algorithm(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), "-", ""))
	if !slices.Contains(byStrength[:], a) {
		return "", fmt.Errorf("unknown checksum algorithm %q, must be one of sha1, sha256, sha384, sha512", s)
	}
	return a, nil
}

// Strongest returns the strongest of the given algorithms, SHA256 if there is
// none.
func Strongest(among []Algorithm) Algorithm {
	for _, a := range slices.Backward(byStrength[:]) {
		if slices.Contains(among, a) {
			return a
		}
	}
	return SHA256
}

// algorithmOfLength returns the algorithm whose checksums have n hex digits.
// The protocol has no other way to tell which one was used.
func algorithmOfLength(n int) (Algorithm, bool) {
	switch n {
	case 2 * sha1.Size:
		return SHA1, true
	case 2 * sha256.Size:
		return SHA256, true
	case 2 * sha512.Size384:
		return SHA384, true
	case 2 * sha512.Size:
		return SHA512, true
	}
	return "", false
}

// sum appends the digest of data to dst.
func (a Algorithm) sum(dst, data []byte) []byte {
	switch a {
	case SHA1:
		d := sha1.Sum(data)
		return append(dst, d[:]...)
	case SHA384:
		d := sha512.Sum384(data)
		return append(dst, d[:]...)
	case SHA512:
		d := sha512.Sum512(data)
		return append(dst, d[:]...)
	}
	d := sha256.Sum256(data)
	return append(dst, d[:]...)
}

// Checksum returns the checksum of a call: the digest, in lower-case hex, of
// the call's name, the query as it is sent and the secret, one after another.
func Checksum(a Algorithm, call, query string, s Secret) string {
	data := make([]byte, 0, len(call)+len(query)+len(s))
	data = append(data, call...)
	data = append(data, query...)
	data = append(data, s...)
	var digest [maxDigest]byte
	return hex.EncodeToString(a.sum(digest[:0], data))
}

// Sign returns the query with its checksum at the end.
func Sign(a Algorithm, call, query string, s Secret) string {
	sum := Checksum(a, call, query, s)
	if query == "" {
		return checksumName + "=" + sum
	}
	return query + "&" + checksumName + "=" + sum
}
