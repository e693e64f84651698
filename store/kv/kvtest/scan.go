package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store/kv"
)

func testScanBounds(t *testing.T, e kv.Engine) {
	put(t, e, keys("\x00", "a", "a\x00", "a\x00\x00", "ab", "b", "\xfe", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff")...)
	scans := []struct {
		prefix, after string
		fromFirst     bool
		want          []pair
	}{
		{"a", "", true, keys("a", "a\x00", "a\x00\x00", "ab")},
		{"a", "", false, keys("a", "a\x00", "a\x00\x00", "ab")},
		{"a", "a", false, keys("a\x00", "a\x00\x00", "ab")},
		{"a", "a\x00", false, keys("a\x00\x00", "ab")},
		{"a", "aa", false, keys("ab")},
		{"a", "ab", false, nil},
		{"a", "zzz", false, nil},
		{"b", "a", false, keys("b")},
		{"c", "", true, nil},
		{"\xfe", "", true, keys("\xfe", "\xfe\xff")},
		{"\xff", "", true, keys("\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff")},
		{"\xff\xff", "", true, keys("\xff\xff", "\xff\xff\xff")},
		{"\xff\xff", "\xff\xff", false, keys("\xff\xff\xff")},
		{"\xff\xff\xff\xff", "", true, nil},
		{"", "\xff", false, keys("\xff\x00", "\xff\xff", "\xff\xff\xff")},
		{"", "\xff\xff\xff", false, nil},
		{"", "", false, keys("\x00", "a", "a\x00", "a\x00\x00", "ab", "b", "\xfe", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff")},
	}
	check := func(tx kv.Tx) error {
		for _, s := range scans {
			after := []byte(s.after)
			if s.fromFirst {
				after = nil
			}
			got, err := all(tx, []byte(s.prefix), after)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(s.want, got); diff != "" {
				return fmt.Errorf("scan of %q after %q (-want +got):\n%s", s.prefix, after, diff)
			}
		}
		return nil
	}
	view(t, e, check)
	update(t, e, check)
}

func testScanStops(t *testing.T, e kv.Engine) {
	put(t, e, numbered(500)...)
	view(t, e, func(tx kv.Tx) error {
		seq := tx.Scan(nil, nil)
		// One sequence may be walked again, and from the start.
		for range 2 {
			n := 0
			for item, err := range seq {
				if want := fmt.Sprintf("k%05d", n); err != nil || string(item.Key) != want {
					return fmt.Errorf("got %q, %v, want %q", item.Key, err, want)
				}
				if n++; n == 300 {
					break
				}
			}
		}
		return nil
	})
}

func testScanDeleting(t *testing.T, e kv.Engine) {
	want := numbered(1000)
	put(t, e, want...)
	update(t, e, func(tx kv.Tx) error {
		var seen []pair
		for item, err := range tx.Scan(nil, nil) {
			if err != nil {
				return err
			}
			seen = append(seen, pair{string(item.Key), string(item.Value)})
			if err := tx.Delete(item.Key); err != nil {
				return err
			}
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			return errors.New("a scan that deletes what it sees misses items:\n" + diff)
		}
		return sameAll(tx, nil)
	})
	wantAll(t, e)
}

func testScanPutting(t *testing.T, e kv.Engine) {
	put(t, e, pair{"b", "1"}, pair{"d", "1"}, pair{"f", "1"}, pair{"h", "1"})
	update(t, e, func(tx kv.Tx) error {
		var seen []pair
		for item, err := range tx.Scan(nil, nil) {
			if err != nil {
				return err
			}
			seen = append(seen, pair{string(item.Key), string(item.Value)})
			if string(item.Key) == "b" {
				// Behind the cursor, on it, between, gone, changed, and past the end.
				err := errors.Join(tx.Put([]byte("a"), []byte("2")), tx.Put([]byte("b"), []byte("2")),
					tx.Put([]byte("c"), []byte("2")), tx.Delete([]byte("d")),
					tx.Put([]byte("f"), []byte("2")), tx.Put([]byte("z"), []byte("2")))
				if err != nil {
					return err
				}
			}
		}
		want := []pair{{"b", "1"}, {"c", "2"}, {"f", "2"}, {"h", "1"}, {"z", "2"}}
		if diff := cmp.Diff(want, seen); diff != "" {
			return errors.New("(-want +got)\n" + diff)
		}
		return nil
	})
}

// testScanRandomChanges changes items ahead of and behind the cursor at random
// and compares with a walk that looks for the next key at every step.
func testScanRandomChanges(t *testing.T, e kv.Engine) {
	start := numbered(600)
	put(t, e, start...)
	for seed := range uint64(20) {
		mine := errors.New("leave everything as it was")
		err := e.Update(t.Context(), func(tx kv.Tx) error {
			rnd, m := rand.New(rand.NewPCG(seed, 1)), model{}
			for _, p := range start {
				m[p.Key] = p.Value
			}
			if err := walkChanging(tx, m, rnd); err != nil {
				return fmt.Errorf("seed %d: %w", seed, err)
			}
			return mine
		})
		if !errors.Is(err, mine) {
			t.Error(err)
		}
	}
	wantAll(t, e, start...)
}

func walkChanging(tx kv.Tx, m model, rnd *rand.Rand) error {
	at := ""
	for item, err := range tx.Scan([]byte("k"), nil) {
		if err != nil {
			return err
		}
		rest := m.scan("k", []byte(at))
		if len(rest) == 0 || rest[0] != (pair{string(item.Key), string(item.Value)}) {
			return fmt.Errorf("after %q came %q %q, want the first of %d items", at, item.Key, item.Value, len(rest))
		}
		at = rest[0].Key
		if rnd.IntN(3) > 0 {
			continue
		}
		for range rnd.IntN(4) {
			if err := m.change(tx, rnd, fmt.Sprintf("k%05d", rnd.IntN(700))); err != nil {
				return err
			}
		}
	}
	if rest := m.scan("k", []byte(at)); len(rest) > 0 {
		return fmt.Errorf("the scan ended after %q, before %q", at, rest[0].Key)
	}
	return sameAll(tx, m.scan("", nil))
}

// model is what a database should hold.
type model map[string]string

func (m model) scan(prefix string, after []byte) []pair {
	var out []pair
	for k, v := range m {
		if bytes.HasPrefix([]byte(k), []byte(prefix)) && (after == nil || k > string(after)) {
			out = append(out, pair{k, v})
		}
	}
	slices.SortFunc(out, func(a, b pair) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) })
	return out
}

// change puts or deletes key in both.
func (m model) change(tx kv.Tx, rnd *rand.Rand, key string) error {
	if rnd.IntN(3) == 0 {
		delete(m, key)
		return tx.Delete([]byte(key))
	}
	value := string(bytes.Repeat([]byte{byte('a' + rnd.IntN(26))}, rnd.IntN(300)))
	m[key] = value
	return tx.Put([]byte(key), []byte(value))
}
