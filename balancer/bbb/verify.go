package bbb

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxParams bounds the parameters of one request; servlet containers have a
// similar bound. A create of the largest front-ends has about 100.
const maxParams = 10_000

// Verifier checks the signatures of requests. It holds no state; the zero
// value accepts nothing.
type Verifier struct {
	// Secrets are those that may have signed. Empty ones are passed over.
	Secrets []Secret
	// Algorithms are those that are accepted.
	Algorithms []Algorithm
	// UnsignedBodies accepts a form whose query has no parameters when it is
	// signed over the empty query, as BBB 3 does: its body is not covered.
	UnsignedBodies bool
}

// Signed is a request whose signature is good.
type Signed struct {
	// Params are the parameters that count, without the checksum: nothing
	// beside them may be looked at or sent on.
	Params Params
	// Secret is the one that signed.
	Secret Secret
	// BodyParams tells that Params came from the body.
	BodyParams bool
}

// piece is a text that may have been signed, in two parts.
type piece struct{ head, tail string }

// VerifyQuery checks a GET, or a POST whose body is not a form (XML, JSON) and
// so is not covered by the checksum. rawQuery is the query exactly as it was
// sent. The error is ErrChecksum with a Reason.
func (v Verifier) VerifyQuery(call, rawQuery string) (Signed, error) {
	q := cut(rawQuery)
	if err := bounded(rawQuery); err != nil {
		return Signed{}, err
	}
	secret, err := v.match(call, q.checksum, q.count, piece{q.head, q.tail})
	if err != nil {
		return Signed{}, err
	}
	return Signed{Params: parsePairs(rawQuery, false), Secret: secret}, nil
}

// VerifyForm checks a POST of type application/x-www-form-urlencoded.
//
// If the query has a parameter beside the checksum, it alone is signed and the
// body is ignored, so that a signed link can not be extended. Otherwise the
// body holds the parameters, and the checksum covers the body as it was sent,
// without its checksum parameter; or (BBB 2.4 to 2.6) the parameters sorted by
// name and encoded anew; or, if UnsignedBodies allows it, the empty query.
// There must be exactly one checksum in query and body together. The error is
// ErrChecksum with a Reason.
func (v Verifier) VerifyForm(call, rawQuery string, body []byte) (Signed, error) {
	raw := string(body)
	if err := bounded(rawQuery, raw); err != nil {
		return Signed{}, err
	}
	b := cut(raw)
	return v.verifyBody(call, rawQuery, parsePairs(raw, false), b, piece{b.head, b.tail})
}

// VerifyFields is VerifyForm for a multipart/form-data whose fields were read
// already: there is no raw body that could have been signed, so only the other
// two rules remain. repeated are the names of fields that came more than once;
// the checksum may not be among them.
func (v Verifier) VerifyFields(call, rawQuery string, fields Params, repeated ...string) (Signed, error) {
	if err := bounded(rawQuery); err != nil {
		return Signed{}, err
	}
	var inBody unsigned
	if value, ok := fields.Lookup(checksumName); ok {
		inBody.checksum, inBody.count = clean(value), 1
	}
	for _, name := range repeated {
		if clean(name) == checksumName {
			inBody.count++
		}
	}
	params := fields.Clone()
	params.Del(checksumName)
	return v.verifyBody(call, rawQuery, params, inBody)
}

// verifyBody checks a POST that may have its parameters in the body: body are
// those, without the checksum; raw is the body's text if there is one.
func (v Verifier) verifyBody(call, rawQuery string, body Params, inBody unsigned, raw ...piece) (Signed, error) {
	q := cut(rawQuery)
	checksum, count := q.checksum, q.count+inBody.count
	if q.count == 0 {
		checksum = inBody.checksum
	}
	signed := Signed{Params: parsePairs(rawQuery, false)}
	texts := []piece{{q.head, q.tail}}
	if signed.Params.Len() == 0 {
		signed = Signed{Params: body, BodyParams: body.Len() > 0}
		texts = v.bodies(body, raw)
	}
	var err error
	if signed.Secret, err = v.match(call, checksum, count, texts...); err != nil {
		return Signed{}, err
	}
	return signed, nil
}

// bodies returns what the sender of the parameters in a body may have signed.
func (v Verifier) bodies(params Params, raw []piece) []piece {
	texts := append(raw, piece{head: sortedQuery(params)})
	if v.UnsignedBodies {
		texts = append(texts, piece{})
	}
	return texts
}

// sortedQuery is the query that BBB 2.4 to 2.6 builds from a form: parameters
// sorted by name, encoded as Java does. Names are encoded too: a name with
// an "=" or "&" inside would otherwise pass for other parameters.
func sortedQuery(params Params) string {
	list := slices.Clone(params.list)
	slices.SortFunc(list, func(a, b param) int { return strings.Compare(a.name, b.name) })
	var b []byte
	for i, e := range list {
		if i > 0 {
			b = append(b, '&')
		}
		b = appendJava(b, e.name)
		b = append(b, '=')
		b = appendJava(b, e.value)
	}
	return string(b)
}

// match returns the secret that made the given checksum over one of the texts.
// Every secret is tried on every text and compared in constant time, so that
// the time taken tells nothing about which one came close.
func (v Verifier) match(call, checksum string, count int, texts ...piece) (Secret, error) {
	given, algorithm, err := v.decode(checksum, count)
	if err != nil {
		return "", err
	}
	longest := 0
	for _, s := range v.Secrets {
		longest = max(longest, len(s))
	}
	text := 0
	for _, t := range texts {
		text = max(text, len(t.head)+len(t.tail))
	}
	data := make([]byte, 0, len(call)+text+longest)
	found := -1
	for _, t := range texts {
		data = append(append(append(data[:0], call...), t.head...), t.tail...)
		end := len(data)
		for i, s := range v.Secrets {
			if s == "" {
				continue // it would let anybody sign
			}
			data = append(data[:end], s...)
			var sum [maxDigest]byte
			equal := subtle.ConstantTimeCompare(algorithm.sum(sum[:0], data), given)
			found = subtle.ConstantTimeSelect(equal, i, found)
		}
	}
	if found < 0 {
		return "", refused("no secret matches")
	}
	return v.Secrets[found], nil
}

// decode reads the one checksum of a request.
func (v Verifier) decode(checksum string, count int) ([]byte, Algorithm, error) {
	if count > 1 {
		return nil, "", refused("more than one checksum")
	}
	if checksum == "" {
		return nil, "", refused("no checksum")
	}
	algorithm, ok := algorithmOfLength(len(checksum))
	if !ok {
		return nil, "", refused(fmt.Sprintf("no algorithm has checksums of length %d", len(checksum)))
	}
	if !slices.Contains(v.Algorithms, algorithm) {
		return nil, "", refused(string(algorithm) + " not accepted")
	}
	given, err := hex.DecodeString(checksum)
	if err != nil {
		return nil, "", refused("checksum is not hexadecimal")
	}
	return given, algorithm, nil
}

func bounded(raw ...string) error {
	for _, s := range raw {
		if strings.Count(s, "&") >= maxParams {
			return refused(fmt.Sprintf("more than %d parameters", maxParams))
		}
	}
	return nil
}

// reason says, for the log, why a checksum was refused.
type reason string

// Error returns the reason.
func (r reason) Error() string { return string(r) }

func refused(why string) error { return ErrChecksum.With(reason(why)) }

// Reason returns why a request was refused, for the log: "no secret matches",
// "sha1 not accepted". It holds no secret and no digest. "" if err has none.
func Reason(err error) string {
	if r, ok := errors.AsType[reason](err); ok {
		return string(r)
	}
	return ""
}
