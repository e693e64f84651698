package bbb

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testSecret = "8cd8ef52e8e101574e400365b55e11a6"

var everyAlgorithm = []Algorithm{SHA1, SHA256, SHA384, SHA512}

func testVerifier() Verifier {
	return Verifier{Secrets: []Secret{"another", testSecret, "a third"}, Algorithms: everyAlgorithm, UnsignedBodies: true}
}

// digest is the checksum by the book, made without the package's own code.
func digest(a Algorithm, text string) string {
	switch a {
	case SHA1:
		d := sha1.Sum([]byte(text))
		return hex.EncodeToString(d[:])
	case SHA384:
		d := sha512.Sum384([]byte(text))
		return hex.EncodeToString(d[:])
	case SHA512:
		d := sha512.Sum512([]byte(text))
		return hex.EncodeToString(d[:])
	}
	d := sha256.Sum256([]byte(text))
	return hex.EncodeToString(d[:])
}

// signing is one way in which a client writes and signs a query. {C} stands
// for the checksum.
type signing struct {
	name   string
	sent   string // the query as it is sent
	signed string // what the client signed of it
	params string // the parameters, decoded, one a line
	with   Algorithm
	upper  bool
}

// T50: what clients send, each written down by hand.
var signings = []signing{
	{name: "vector", sent: vectorQuery + "&checksum={C}", signed: vectorQuery, params: "name=Test Meeting\nmeetingID=abc123\nattendeePW=111222\nmoderatorPW=333444", with: SHA1},
	{name: "plus", sent: "name=a+b&checksum={C}", signed: "name=a+b", params: "name=a b"},
	{name: "%20", sent: "name=a%20b&checksum={C}", signed: "name=a%20b", params: "name=a b"},
	{name: "%2B", sent: "name=a%2Bb&checksum={C}", signed: "name=a%2Bb", params: "name=a+b"},
	{name: "lower-case hex", sent: "name=a%2fb%3a&checksum={C}", signed: "name=a%2fb%3a", params: "name=a/b:"},
	{name: "upper-case hex", sent: "name=a%2Fb%3A&checksum={C}", signed: "name=a%2Fb%3A", params: "name=a/b:"},
	{name: "mixed hex", sent: "name=%c3%BC&checksum={C}", signed: "name=%c3%BC", params: "name=ü"},
	{name: "needless encoding", sent: "name=%41%62&checksum={C}", signed: "name=%41%62", params: "name=Ab"},
	{name: "NFC", sent: "name=J%C3%BCrgen&checksum={C}", signed: "name=J%C3%BCrgen", params: "name=J\u00fcrgen"},
	{name: "NFD", sent: "name=Ju%CC%88rgen&checksum={C}", signed: "name=Ju%CC%88rgen", params: "name=Ju\u0308rgen"},
	{name: "emoji", sent: "name=%F0%9F%8E%93&checksum={C}", signed: "name=%F0%9F%8E%93", params: "name=🎓"},
	{name: "raw UTF-8", sent: "name=Jürgen&checksum={C}", signed: "name=Jürgen", params: "name=Jürgen"},
	{name: "Latin-1", sent: "name=J%FCrgen&checksum={C}", signed: "name=J%FCrgen", params: "name=J\xfcrgen"},
	{name: "semicolon", sent: "name=a;b=c&checksum={C}", signed: "name=a;b=c", params: "name=a;b=c"},
	{name: "encoded semicolon", sent: "name=a%3Bb&checksum={C}", signed: "name=a%3Bb", params: "name=a;b"},
	{name: "encoded ampersand", sent: "name=a%26b%3Dc&checksum={C}", signed: "name=a%26b%3Dc", params: "name=a&b=c"},
	{name: "empty value", sent: "password=&name=x&checksum={C}", signed: "password=&name=x", params: "password=\nname=x"},
	{name: "no equals sign", sent: "flag&name=x&checksum={C}", signed: "flag&name=x", params: "flag=\nname=x"},
	{name: "equals in a value", sent: "meta_x=a=b==&checksum={C}", signed: "meta_x=a=b==", params: "meta_x=a=b=="},
	{name: "repeated name", sent: "a=1&b=2&a=3&checksum={C}", signed: "a=1&b=2&a=3", params: "a=3\nb=2"},
	{name: "checksum first", sent: "checksum={C}&a=1&b=2", signed: "a=1&b=2", params: "a=1\nb=2"},
	{name: "checksum in the middle", sent: "a=1&checksum={C}&b=2", signed: "a=1&b=2", params: "a=1\nb=2"},
	{name: "checksum last", sent: "a=1&b=2&checksum={C}", signed: "a=1&b=2", params: "a=1\nb=2"},
	{name: "checksum alone", sent: "checksum={C}", signed: ""},
	{name: "php without parameters", sent: "&checksum={C}", signed: ""},
	{name: "leading ampersand", sent: "&a=1&checksum={C}", signed: "&a=1", params: "a=1"},
	{name: "leading ampersand, checksum first", sent: "&checksum={C}&a=1", signed: "&a=1", params: "a=1"},
	{name: "trailing ampersand", sent: "a=1&checksum={C}&", signed: "a=1&", params: "a=1"},
	{name: "doubled ampersand", sent: "a=1&&checksum={C}", signed: "a=1&", params: "a=1"},
	{name: "doubled ampersand between", sent: "a=1&&b=2&checksum={C}", signed: "a=1&&b=2", params: "a=1\nb=2"},
	{name: "upper-case digest", sent: "a=1&checksum={C}", signed: "a=1", params: "a=1", upper: true},
	{name: "sha1", sent: "a=1&checksum={C}", signed: "a=1", params: "a=1", with: SHA1},
	{name: "sha384", sent: "a=1&checksum={C}", signed: "a=1", params: "a=1", with: SHA384},
	{name: "sha512", sent: "a=1&checksum={C}", signed: "a=1", params: "a=1", with: SHA512},
	{name: "sha512 in upper case, first", sent: "checksum={C}&a=1", signed: "a=1", params: "a=1", with: SHA512, upper: true},
	{name: "sorted (ruby)", sent: "fullName=A+B&meetingID=m&password=&role=Viewer&checksum={C}", signed: "fullName=A+B&meetingID=m&password=&role=Viewer", params: "fullName=A B\nmeetingID=m\npassword=\nrole=Viewer", with: SHA1},
	{name: "Moodle's IDs", sent: "meetingID=a1b2-3-4%5B0%5D&checksum={C}", signed: "meetingID=a1b2-3-4%5B0%5D", params: "meetingID=a1b2-3-4[0]"},
	{name: "raw brackets", sent: "meetingID=a-3[0]&checksum={C}", signed: "meetingID=a-3[0]", params: "meetingID=a-3[0]"},
	{name: "a URL as a value", sent: "logoutURL=https%3A%2F%2Fh%2F%3Fa%3D1%26b%3D2&checksum={C}", signed: "logoutURL=https%3A%2F%2Fh%2F%3Fa%3D1%26b%3D2", params: "logoutURL=https://h/?a=1&b=2"},
	{name: "a question mark in a value", sent: "logoutURL=https://h/?a=1&checksum={C}", signed: "logoutURL=https://h/?a=1", params: "logoutURL=https://h/?a=1"},
	{name: "list with a trailing comma", sent: "meetingID=a,b,&checksum={C}", signed: "meetingID=a,b,", params: "meetingID=a,b,"},
	{name: "encoded comma", sent: "meetingID=a%2Cb&checksum={C}", signed: "meetingID=a%2Cb", params: "meetingID=a,b"},
	{name: "undecodable", sent: "name=100%&x=%zz&checksum={C}", signed: "name=100%&x=%zz", params: "name=100%\nx=%zz"},
	{name: "double encoding", sent: "name=a%2520b&checksum={C}", signed: "name=a%2520b", params: "name=a%20b"},
	{name: "tilde and star", sent: "name=~*'()!&checksum={C}", signed: "name=~*'()!", params: "name=~*'()!"},
	{name: "line break", sent: "welcome=a%0D%0Ab&checksum={C}", signed: "welcome=a%0D%0Ab", params: "welcome=a\r\nb"},
	{name: "right to left", sent: "name=%D7%A9%D7%9C%D7%95%D7%9D&checksum={C}", signed: "name=%D7%A9%D7%9C%D7%95%D7%9D", params: "name=שלום"},
	{name: "encoded parameter name", sent: "meta%5Fa=1&checksum={C}", signed: "meta%5Fa=1", params: "meta_a=1"},
	{name: "blank before a name", sent: "+meetingID=m&checksum={C}", signed: "+meetingID=m", params: "meetingID=m"},
	{name: "a name that ends like it", sent: "xchecksum=1&checksum={C}", signed: "xchecksum=1", params: "xchecksum=1"},
	{name: "a name that begins like it", sent: "checksum2=1&checksum={C}", signed: "checksum2=1", params: "checksum2=1"},
	{name: "checksum as a value", sent: "a=checksum%3D1&checksum={C}", signed: "a=checksum%3D1", params: "a=checksum=1"},
	{name: "another letter case is another name", sent: "CHECKSUM=1&checksum={C}", signed: "CHECKSUM=1", params: "CHECKSUM=1"},
	{name: "encoded checksum name", sent: "a=1&check%73um={C}", signed: "a=1", params: "a=1"},
	{name: "blanks around the digest", sent: "a=1&checksum=+{C}%20", signed: "a=1", params: "a=1"},
}

func TestVerifyQueryEncodings(t *testing.T) {
	t.Parallel()
	if len(signings) < 40 {
		t.Fatalf("T50 asks for 40 encodings, there are %d", len(signings))
	}
	for _, row := range signings {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			secret := testSecret
			v := testVerifier()
			if row.name == "vector" {
				v.Secrets, secret = []Secret{vectorSecret}, string(vectorSecret)
			}
			sum := digest(row.with, "create"+row.signed+secret)
			if row.upper {
				sum = strings.ToUpper(sum)
			}
			sent := strings.Replace(row.sent, "{C}", sum, 1)
			signed, err := v.VerifyQuery("create", sent)
			if err != nil {
				t.Fatalf("%s: %v", sent, err)
			}
			if got := strings.Join(pairs(signed.Params), "\n"); got != row.params {
				t.Errorf("params %q, want %q", got, row.params)
			}
			if signed.Secret.Reveal() != secret || signed.BodyParams {
				t.Errorf("signed by the wrong secret, or from the body (%v)", signed.BodyParams)
			}
			if _, err := v.VerifyQuery("end", sent); !errors.Is(err, ErrChecksum) {
				t.Errorf("passes for another call: %v", err)
			}
			if _, err := v.VerifyQuery("create", sent+"&x=1"); !errors.Is(err, ErrChecksum) {
				t.Errorf("passes with a parameter added: %v", err)
			}
		})
	}
}

func TestVerifyQueryRefuses(t *testing.T) {
	t.Parallel()
	good := digest(SHA256, "create"+"a=1"+testSecret)
	old := digest(SHA1, "create"+"a=1"+testSecret)
	rows := []struct{ name, query, reason string }{
		{"nothing", "", "no checksum"},
		{"no checksum", "a=1", "no checksum"},
		{"empty checksum", "a=1&checksum=", "no checksum"},
		{"bare checksum", "a=1&checksum", "no checksum"},
		{"wrong digest", "a=1&checksum=" + strings.Repeat("0", 64), "no secret matches"},
		{"twice the same", "a=1&checksum=" + good + "&checksum=" + good, "more than one checksum"},
		{"twice, one empty", "a=1&checksum=" + good + "&checksum=", "more than one checksum"},
		{"twice, one encoded", "a=1&checksum=" + good + "&check%73um=" + good, "more than one checksum"},
		{"twice, one with a blank", "+checksum=1&a=1&checksum=" + good, "more than one checksum"},
		{"twice, one with a control character", "%00checksum=1&a=1&checksum=" + good, "more than one checksum"},
		{"MD5", "a=1&checksum=" + good[:32], "no algorithm has checksums of length 32"},
		{"a digit short", "a=1&checksum=" + good[1:], "no algorithm has checksums of length 63"},
		{"not hex", "a=1&checksum=" + strings.Repeat("z", 64), "checksum is not hexadecimal"},
		{"algorithm", "a=1&checksum=" + old, "sha1 not accepted"},
		{"changed value", "a=2&checksum=" + good, "no secret matches"},
		{"other encoding of the same", "%61=1&checksum=" + good, "no secret matches"},
		{"empty secret", "a=1&checksum=" + digest(SHA256, "createa=1"), "no secret matches"},
		{"too many", strings.Repeat("a&", maxParams) + "checksum=" + good, "more than 10000 parameters"},
	}
	v := Verifier{Secrets: []Secret{"", testSecret}, Algorithms: []Algorithm{SHA256, SHA512}}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := v.VerifyQuery("create", row.query)
			if !errors.Is(err, ErrChecksum) || Reason(err) != row.reason {
				t.Errorf("error %v, want ErrChecksum because of %q", err, row.reason)
			}
			if text := fmt.Sprintf("%+v", err); strings.Contains(text, good) || strings.Contains(text, testSecret) {
				t.Errorf("the error tells too much: %s", text)
			}
		})
	}
	if _, err := v.VerifyQuery("create", "a=1&checksum="+good); err != nil {
		t.Errorf("the good one: %v", err)
	}
	if _, err := (Verifier{}).VerifyQuery("create", "a=1&checksum="+good); !errors.Is(err, ErrChecksum) {
		t.Errorf("the zero Verifier: %v", err)
	}
}

// form is one form POST, {C} standing for the checksum.
type form struct {
	name, query, body string
	signed            string // what the checksum covers
	params            string // "" for refused
	strict            string // the same with UnsignedBodies off
	body2             bool   // the parameters came from the body
}

// S1: parameters that the checksum does not cover.
var forms = []form{
	{name: "query signed, body ignored", query: "a=1&checksum={C}", body: "b=2&a=9", signed: "a=1", params: "a=1", strict: "a=1"},
	{name: "query signed, checksum in the body", query: "a=1", body: "b=2&checksum={C}", signed: "a=1", params: "a=1", strict: "a=1"},
	{name: "query present, only the body signed", query: "a=1&checksum={C}", body: "b=2", signed: "b=2"},
	{name: "raw body, checksum in the body", body: "b=2&a=%7e&checksum={C}", signed: "b=2&a=%7e", params: "b=2\na=~", strict: "b=2\na=~", body2: true},
	{name: "raw body, checksum first", body: "checksum={C}&b=2", signed: "b=2", params: "b=2", strict: "b=2", body2: true},
	{name: "raw body, checksum in the query", query: "checksum={C}", body: "b=2&a=1", signed: "b=2&a=1", params: "b=2\na=1", strict: "b=2\na=1", body2: true},
	{name: "raw body, php's query", query: "&checksum={C}", body: "b=2&a=1", signed: "b=2&a=1", params: "b=2\na=1", strict: "b=2\na=1", body2: true},
	{name: "sorted body", body: "b=x%20y&a=~*&checksum={C}", signed: "a=%7E*&b=x+y", params: "b=x y\na=~*", strict: "b=x y\na=~*", body2: true},
	{name: "sorted body, checksum in the query", query: "checksum={C}", body: "b=2&a=%c3%bc", signed: "a=%C3%BC&b=2", params: "b=2\na=ü", strict: "b=2\na=ü", body2: true},
	{name: "sorted body, last value counts", body: "a=1&a=2&checksum={C}", signed: "a=2", params: "a=2", strict: "a=2", body2: true},
	{name: "a name that passes for two", body: "a%3D1%26b=2&checksum={C}", signed: "a=1&b=2"},
	{name: "empty query signed", query: "checksum={C}", body: "b=2", signed: "", params: "b=2", body2: true},
	{name: "empty query signed, all in the body", body: "b=2&checksum={C}", signed: "", params: "b=2", body2: true},
	{name: "no parameters at all", query: "checksum={C}", body: "", signed: "", params: "-", strict: "-"},
	{name: "two checksums", query: "checksum={C}", body: "b=2&checksum={C}", signed: "b=2"},
	{name: "two checksums, query signed", query: "a=1&checksum={C}", body: "checksum={C}", signed: "a=1"},
	{name: "two checksums, one encoded", query: "checksum={C}", body: "b=2&check%73um=1", signed: "b=2"},
	{name: "no checksum", query: "", body: "b=2", signed: "b=2"},
	{name: "another body", body: "b=3&checksum={C}", signed: "b=2"},
	{name: "one parameter more", body: "b=2&c=3&checksum={C}", signed: "b=2"},
}

func TestVerifyForm(t *testing.T) {
	t.Parallel()
	for _, row := range forms {
		for _, unsigned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%v", row.name, unsigned), func(t *testing.T) {
				t.Parallel()
				v := testVerifier()
				v.UnsignedBodies = unsigned
				want := row.strict
				if unsigned {
					want = row.params
				}
				sum := digest(SHA1, "create"+row.signed+testSecret)
				query, body := strings.ReplaceAll(row.query, "{C}", sum), strings.ReplaceAll(row.body, "{C}", sum)
				signed, err := v.VerifyForm("create", query, []byte(body))
				if want == "" {
					if !errors.Is(err, ErrChecksum) || Reason(err) == "" {
						t.Fatalf("accepted with %q, error %v", pairs(signed.Params), err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(pairs(signed.Params), "\n"); got != strings.Trim(want, "-") {
					t.Errorf("params %q, want %q", got, want)
				}
				if signed.BodyParams != row.body2 || signed.Secret != testSecret {
					t.Errorf("BodyParams %v, right secret %v", signed.BodyParams, signed.Secret == testSecret)
				}
			})
		}
	}
}

func TestVerifyFields(t *testing.T) {
	t.Parallel()
	sum := func(signed string) string { return digest(SHA256, "create"+signed+testSecret) }
	fields := func(raw string) Params { return ParseQuery(raw) }
	rows := []struct {
		name, query string
		fields      Params
		repeated    []string
		want        string
		strict      bool
	}{
		{name: "query signed", query: "a=1&checksum=" + sum("a=1"), fields: fields("b=2"), want: "a=1", strict: true},
		{name: "sorted", fields: fields("b=2&a=1&checksum=" + sum("a=1&b=2")), want: "b=2\na=1", strict: true},
		{name: "sorted, checksum in the query", query: "checksum=" + sum("a=1&b=2"), fields: fields("b=2&a=1"), want: "b=2\na=1", strict: true},
		{name: "empty query", query: "checksum=" + sum(""), fields: fields("b=2&a=1"), want: "b=2\na=1"},
		{name: "not in this order", fields: fields("b=2&a=1&checksum=" + sum("b=2&a=1"))},
		{name: "two checksums", query: "checksum=" + sum(""), fields: fields("a=1&checksum=" + sum(""))},
		{name: "a field twice", fields: fields("a=1&checksum=" + sum("a=1")), repeated: []string{"a"}, want: "a=1", strict: true},
		{name: "the checksum twice", fields: fields("a=1&checksum=" + sum("a=1")), repeated: []string{" checksum"}},
	}
	for _, row := range rows {
		for _, unsigned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%v", row.name, unsigned), func(t *testing.T) {
				t.Parallel()
				v := testVerifier()
				v.UnsignedBodies = unsigned
				before := pairs(row.fields)
				signed, err := v.VerifyFields("create", row.query, row.fields, row.repeated...)
				if good := row.want != "" && (unsigned || row.strict); good != (err == nil) {
					t.Fatalf("error %v", err)
				} else if good && strings.Join(pairs(signed.Params), "\n") != row.want {
					t.Errorf("params %q", pairs(signed.Params))
				}
				if diff := cmp.Diff(before, pairs(row.fields)); diff != "" {
					t.Errorf("the caller's fields changed:\n%s", diff)
				}
			})
		}
	}
}

// Cutting agrees with what BBB does for a query with one checksum as clients
// write it: three literal replacements.
func FuzzCut(f *testing.F) {
	for _, seed := range [][2]string{{"", ""}, {"a=1", ""}, {"", "a=1"}, {"&", "&"}, {"a=1&", "&b=2"}} {
		f.Add(seed[0], seed[1])
	}
	const pair = "checksum=0123456789abcdef0123456789abcdef01234567"
	f.Fuzz(func(t *testing.T, before, behind string) {
		raw := before + pair + behind
		u := cut(raw)
		apart := (before == "" || strings.HasSuffix(before, "&")) && (behind == "" || strings.HasPrefix(behind, "&"))
		if u.count != 1 || strings.Count(raw, pair) != 1 || !apart {
			return // other checksums in it, or ours is part of another parameter
		}
		want := strings.Replace(raw, "&"+pair, "", 1)
		want = strings.Replace(want, pair+"&", "", 1)
		want = strings.Replace(want, pair, "", 1)
		if got := u.head + u.tail; got != want {
			t.Errorf("%q is cut to %q, BBB cuts to %q", raw, got, want)
		}
	})
}

// A body that was changed after it was signed never verifies.
func FuzzVerifyForm(f *testing.F) {
	f.Add("name=Test+Meeting&meetingID=abc", 3, byte(1))
	f.Add("a=1&b=2", 0, byte(0x20))
	f.Add("a=%20&a=+", 4, byte(0xff))
	v := Verifier{Secrets: []Secret{testSecret}, Algorithms: everyAlgorithm}
	f.Fuzz(func(t *testing.T, body string, at int, flip byte) {
		query := "checksum=" + digest(SHA256, "create"+body+testSecret)
		if cut(body).count > 0 {
			return
		}
		signed, err := v.VerifyForm("create", query, []byte(body))
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if diff := cmp.Diff(pairs(ParseQuery(body)), pairs(signed.Params)); diff != "" {
			t.Errorf("what was signed is not what counts:\n%s", diff)
		}
		if len(body) == 0 || flip == 0 {
			return
		}
		changed := []byte(body)
		changed[uint(at)%uint(len(body))] ^= flip
		if cut(string(changed)).count > 0 {
			return
		}
		// Only a body that says the very same may pass, by the sorted rule.
		same := sortedQuery(ParseQuery(string(changed))) == body
		if _, err := v.VerifyForm("create", query, changed); (err == nil) != same {
			t.Errorf("%q, signed %q: %v", changed, body, err)
		}
	})
}
