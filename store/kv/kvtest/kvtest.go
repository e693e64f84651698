// Package kvtest is the conformance suite for engines of kv: what passes Run,
// and RunFile if it keeps a file, also wrapped with Twice, can hold the store.
//
// It imports no engine.
package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"scalelite/store/kv"
)

// Run tests an engine. open returns a new, empty one at every call and closes
// it when the test it was given ends, if that has not been done.
func Run(t *testing.T, open func(t *testing.T) kv.Engine) {
	tests := []struct {
		name string
		run  func(t *testing.T, e kv.Engine)
	}{
		{"get, put and delete", testGetPutDelete},
		{"empty values", testEmptyValues},
		{"sizes of keys", testKeySizes},
		{"large values", testLargeValues},
		{"put keeps no slice", testPutKeepsNoSlice},
		{"values hold until the closure ends", testValuesHold},
		{"an error leaves nothing", testErrorLeavesNothing},
		{"a panic leaves nothing", testPanicLeavesNothing},
		{"a goroutine that ends leaves nothing", testGoexitLeavesNothing},
		{"view refuses writes", testViewRefusesWrites},
		{"a transaction ends with its closure", testTxEnds},
		{"an ended context", testEndedContext},
		{"view sees one state", testViewIsConsistent},
		{"scan from prefix and after", testScanBounds},
		{"scan stops", testScanStops},
		{"scan while deleting", testScanDeleting},
		{"scan while putting", testScanPutting},
		{"scan under random changes", testScanRandomChanges},
		{"against a model", testModel},
		{"counters", testCounters},
		{"no write skew", testNoWriteSkew},
		{"failing among succeeding", testFailingAmongSucceeding},
		{"waiting with a context that ends", testWithdrawal},
		{"snapshot errors", testSnapshotErrors},
		{"close", testClose},
		{"close while updating", testCloseWhileUpdating},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// pair is an item in a form that tests can write down and compare.
type pair struct{ Key, Value string }

// update runs fn and ends the test on an error.
func update(t *testing.T, e kv.Engine, fn func(tx kv.Tx) error) {
	t.Helper()
	if err := e.Update(context.Background(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// view runs fn and ends the test on an error.
func view(t *testing.T, e kv.Engine, fn func(tx kv.Tx) error) {
	t.Helper()
	if err := e.View(context.Background(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// put writes pairs in one update.
func put(t *testing.T, e kv.Engine, pairs ...pair) {
	t.Helper()
	update(t, e, func(tx kv.Tx) error {
		for _, p := range pairs {
			if err := tx.Put([]byte(p.Key), []byte(p.Value)); err != nil {
				return err
			}
		}
		return nil
	})
}

// keys makes pairs with empty values.
func keys(names ...string) []pair {
	var out []pair
	for _, n := range names {
		out = append(out, pair{Key: n})
	}
	return out
}

// all returns everything a transaction holds below prefix and above after.
func all(tx kv.Tx, prefix, after []byte) ([]pair, error) {
	var out []pair
	for item, err := range tx.Scan(prefix, after) {
		if err != nil {
			return nil, err
		}
		out = append(out, pair{string(item.Key), string(item.Value)})
	}
	return out, nil
}

// wantAll compares the whole database.
func wantAll(t *testing.T, e kv.Engine, want ...pair) {
	t.Helper()
	view(t, e, func(tx kv.Tx) error { return sameAll(tx, want) })
}

// sameAll returns an error if tx does not hold want, by Scan and by Get.
func sameAll(tx kv.Tx, want []pair) error {
	got, err := all(tx, nil, nil)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("content (-want +got):\n%s", diff)
	}
	for _, p := range want {
		v, err := tx.Get([]byte(p.Key))
		if err != nil || string(v) != p.Value {
			return fmt.Errorf("get %q: %q, %w; scan has %q", p.Key, v, err, p.Value)
		}
	}
	return nil
}

// get returns a value as a string; "-" if there is none.
func get(tx kv.Tx, key string) (string, error) {
	v, err := tx.Get([]byte(key))
	if errors.Is(err, kv.ErrNotFound) {
		return "-", nil
	}
	return string(v), err
}

// numbered returns n keys with values that belong to them.
func numbered(n int) []pair {
	out := make([]pair, n)
	for i := range out {
		out[i] = pair{fmt.Sprintf("k%05d", i), string(bytes.Repeat([]byte{byte(i)}, i%50))}
	}
	return out
}
