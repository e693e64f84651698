package kvtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"scalelite/store/kv"
)

// testModel runs random transactions, a third of them with an error at the
// end, on the engine and on a map.
func testModel(t *testing.T, e kv.Engine) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	state := model{}
	undo := errors.New("undo")
	for step := range 300 {
		txSeed, fails := rnd.Uint64(), rnd.IntN(3) == 0
		var after model
		err := e.Update(context.Background(), func(tx kv.Tx) error {
			after = maps.Clone(state)
			if err := randomTx(tx, after, rand.New(rand.NewPCG(txSeed, 3))); err != nil {
				return err
			}
			if fails {
				return undo
			}
			return nil
		})
		switch {
		case err == nil:
			state = after
		case !fails || !errors.Is(err, undo):
			t.Fatalf("step %d: %v", step, err)
		}
		if step%20 == 0 {
			wantAll(t, e, state.scan("", nil)...)
		}
	}
	wantAll(t, e, state.scan("", nil)...)
}

// randomTx does up to 40 random operations, compares what they return, and
// leaves in m what tx should hold.
func randomTx(tx kv.Tx, m model, rnd *rand.Rand) error {
	for range rnd.IntN(40) {
		switch key := randomKey(rnd); rnd.IntN(5) {
		case 0:
			got, err := get(tx, key)
			want, ok := m[key]
			if !ok {
				want = "-"
			}
			if err != nil || got != want {
				return fmt.Errorf("get %q: %q, %w; want %q", key, got, err, want)
			}
		case 1:
			prefix, after := key[:rnd.IntN(len(key)+1)], []byte(randomKey(rnd))
			if rnd.IntN(2) == 0 {
				after = nil
			}
			got, err := all(tx, []byte(prefix), after)
			if diff := cmp.Diff(m.scan(prefix, after), got); err != nil || diff != "" {
				return fmt.Errorf("scan %q after %q: %w\n%s", prefix, after, err, diff)
			}
		default:
			if err := m.change(tx, rnd, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// randomKey is short and of few letters, the awkward ones, so that keys meet.
func randomKey(rnd *rand.Rand) string {
	const letters = "\x00\x01a\xfe\xff"
	b := make([]byte, 1+rnd.IntN(4))
	for i := range b {
		b[i] = letters[rnd.IntN(len(letters))]
	}
	return string(b)
}
