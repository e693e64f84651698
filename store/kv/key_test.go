package kv

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// awkward are strings whose order and ends an encoding gets wrong first.
var awkward = []string{
	"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "\x01\x00", "a", "a\x00", "a\x00\x01",
	"a\x00\xff", "a\x01", "aa", "ab", "b", "\xff", "\xff\x00", "\xff\xff", "ключ", "a\x00b\x00",
}

func TestKeyOrderIsTupleOrder(t *testing.T) {
	numbers := []uint64{0, 1, 255, 256, math.MaxUint32, math.MaxInt64, math.MaxUint64}
	type tuple struct {
		a string
		n uint64
		b string
	}
	var tuples []tuple
	for _, a := range awkward {
		for _, n := range numbers {
			for _, b := range awkward {
				tuples = append(tuples, tuple{a, n, b})
			}
		}
	}
	key := func(x tuple) Key { return NewKey("t").String(x.a).Uint64(x.n).String(x.b) }
	for i := range tuples {
		// A stride that shares no factor with the count pairs all kinds.
		x, y := tuples[i], tuples[(i*37+11)%len(tuples)]
		want := cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.n, y.n), cmp.Compare(x.b, y.b))
		if got := bytes.Compare(key(x), key(y)); got != want {
			t.Fatalf("%+v and %+v compare as %d, their keys as %d", x, y, want, got)
		}
	}
}

func TestKeysFromOneBeginningAreIndependent(t *testing.T) {
	for _, k := range []Key{NewKey("t"), NewKey("t").String("x"), NewKey("t").Uint64(7), NewKey("t").StringPrefix("pre"), append(make(Key, 0, 64), 'k')} {
		before := bytes.Clone(k)
		first := []Key{k.String("aaaa"), k.Bytes([]byte("aaaa")), k.Uint64(1), k.StringPrefix("aaaa")}
		copies := []Key{}
		for _, f := range first {
			copies = append(copies, bytes.Clone(f))
		}
		_, _, _, _ = k.String("bbbb"), k.Bytes([]byte("bbbb")), k.Uint64(2), k.StringPrefix("bbbb")
		if diff := gocmp.Diff(copies, first); diff != "" {
			t.Errorf("keys changed when others were built from the same beginning:\n%s", diff)
		}
		if !bytes.Equal(k, before) {
			t.Errorf("key changed from %q to %q", before, k)
		}
	}
}

func TestTablesAreDisjoint(t *testing.T) {
	for _, a := range awkward {
		for _, b := range awkward {
			if a != b && bytes.HasPrefix(NewKey(b), NewKey(a)) {
				t.Errorf("table %q lies inside table %q", b, a)
			}
		}
	}
}

func TestStringPrefixFindsExactlyWhatBeginsWithIt(t *testing.T) {
	for _, p := range awkward {
		for _, s := range awkward {
			got := bytes.HasPrefix(NewKey("t").String(s), NewKey("t").StringPrefix(p))
			if want := bytes.HasPrefix([]byte(s), []byte(p)); got != want {
				t.Errorf("prefix %q finds %q: %v, want %v", p, s, got, want)
			}
		}
	}
}

func TestReaderRefusesWhatIsNoKey(t *testing.T) {
	for _, in := range []string{"", "a", "a\x00", "a\x00\x02", "\x00\x00", "a\x00\xff"} {
		r := ParseKey([]byte(in))
		if s, err := r.String(); !errors.Is(err, ErrKeyFormat) {
			t.Errorf("String of %q: %q, %v", in, s, err)
		}
	}
	if _, err := ParseKey([]byte("1234567")).Uint64(); !errors.Is(err, ErrKeyFormat) {
		t.Errorf("Uint64 of seven bytes: %v", err)
	}
	if err := ParseKey([]byte{0}).End(); !errors.Is(err, ErrKeyFormat) {
		t.Errorf("End before the end: %v", err)
	}
}

func FuzzKeyRoundTrip(f *testing.F) {
	for i, s := range awkward {
		f.Add("table", s, uint64(i), []byte(awkward[len(awkward)-1-i]))
	}
	f.Fuzz(func(t *testing.T, table, s string, n uint64, b []byte) {
		r := ParseKey(NewKey(table).String(s).Uint64(n).Bytes(b))
		gotTable, err1 := r.String()
		gotS, err2 := r.String()
		gotN, err3 := r.Uint64()
		gotB, err4 := r.Bytes()
		if err := errors.Join(err1, err2, err3, err4, r.End()); err != nil {
			t.Fatal(err)
		}
		if gotTable != table || gotS != s || gotN != n || !bytes.Equal(gotB, b) {
			t.Fatalf("got %q %q %d %q, want %q %q %d %q", gotTable, gotS, gotN, gotB, table, s, n, b)
		}
	})
}

func FuzzKeyOrder(f *testing.F) {
	for i, s := range awkward {
		f.Add(s, uint64(i), "x", awkward[(i+1)%len(awkward)], uint64(1), "")
	}
	f.Fuzz(func(t *testing.T, a1 string, n1 uint64, b1, a2 string, n2 uint64, b2 string) {
		k1, k2 := NewKey("t").String(a1).Uint64(n1).String(b1), NewKey("t").String(a2).Uint64(n2).String(b2)
		want := cmp.Or(cmp.Compare(a1, a2), cmp.Compare(n1, n2), cmp.Compare(b1, b2))
		if got := bytes.Compare(k1, k2); got != want {
			t.Fatalf("keys compare as %d, tuples as %d", got, want)
		}
		if want != 0 && (bytes.HasPrefix(k1, k2) || bytes.HasPrefix(k2, k1)) {
			t.Fatalf("one of %q and %q is the beginning of the other", k1, k2)
		}
		if s1, s2 := NewKey("t").String(a1), NewKey("t").String(a2); a1 != a2 && bytes.HasPrefix(s1, s2) {
			t.Fatalf("%q begins with %q", s1, s2)
		}
	})
}

// FuzzKeyReader feeds the reader bytes nobody built; what it reads must
// encode to the same bytes again, or two keys would mean one tuple.
func FuzzKeyReader(f *testing.F) {
	f.Add([]byte(NewKey("meeting").String("a\x00b").Uint64(1)))
	f.Add([]byte("a\x00\x02"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := ParseKey(in).String()
		if err != nil {
			if !errors.Is(err, ErrKeyFormat) {
				t.Fatalf("error is no ErrKeyFormat: %v", err)
			}
			return
		}
		if !bytes.HasPrefix(in, NewKey(s)) {
			t.Fatalf("%q was read from %q but encodes to %q", s, in, NewKey(s))
		}
	})
}
