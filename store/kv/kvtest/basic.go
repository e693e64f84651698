package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"scalelite/store/kv"
)

func testGetPutDelete(t *testing.T, e kv.Engine) {
	wantAll(t, e)
	put(t, e, pair{"b", "2"}, pair{"a", "1"}, pair{"c\x00\xff", "\x00\xff"})
	wantAll(t, e, pair{"a", "1"}, pair{"b", "2"}, pair{"c\x00\xff", "\x00\xff"})
	update(t, e, func(tx kv.Tx) error {
		if err := tx.Put([]byte("a"), []byte("one")); err != nil {
			return err
		}
		if err := errors.Join(tx.Delete([]byte("b")), tx.Delete([]byte("never there"))); err != nil {
			return err
		}
		// Its own writes are what a transaction sees.
		return sameAll(tx, []pair{{"a", "one"}, {"c\x00\xff", "\x00\xff"}})
	})
	wantAll(t, e, pair{"a", "one"}, pair{"c\x00\xff", "\x00\xff"})
	view(t, e, func(tx kv.Tx) error {
		for _, key := range []string{"b", "", "a\x00", "A"} {
			if v, err := tx.Get([]byte(key)); !errors.Is(err, kv.ErrNotFound) || v != nil {
				return fmt.Errorf("get %q: %q, %v", key, v, err)
			}
		}
		return nil
	})
}

func testEmptyValues(t *testing.T, e kv.Engine) {
	update(t, e, func(tx kv.Tx) error {
		err := errors.Join(tx.Put([]byte("nil"), nil), tx.Put([]byte("empty"), []byte{}))
		return errors.Join(err, wantEmptyValues(tx))
	})
	view(t, e, wantEmptyValues)
}

func wantEmptyValues(tx kv.Tx) error {
	for _, key := range []string{"nil", "empty"} {
		if v, err := tx.Get([]byte(key)); err != nil || v == nil || len(v) > 0 {
			return fmt.Errorf("get %q: %#v, %v; want an empty slice", key, v, err)
		}
	}
	for item, err := range tx.Scan(nil, nil) {
		if err != nil || item.Value == nil {
			return fmt.Errorf("scan yields %#v, %v; want an empty slice", item, err)
		}
	}
	return nil
}

func testKeySizes(t *testing.T, e kv.Engine) {
	longest := bytes.Repeat([]byte{0xFF}, kv.MaxKeySize)
	update(t, e, func(tx kv.Tx) error {
		for _, bad := range [][]byte{nil, {}, append(bytes.Clone(longest), 0)} {
			if err := tx.Put(bad, []byte("v")); !errors.Is(err, kv.ErrKeySize) {
				return fmt.Errorf("put with a key of %d bytes: %v", len(bad), err)
			}
			if err := tx.Delete(bad); err != nil {
				return fmt.Errorf("delete of a key of %d bytes: %w", len(bad), err)
			}
			if _, err := tx.Get(bad); !errors.Is(err, kv.ErrNotFound) {
				return fmt.Errorf("get of a key of %d bytes: %w", len(bad), err)
			}
		}
		return errors.Join(tx.Put(longest, []byte("long")), tx.Put([]byte{0}, []byte("short")))
	})
	wantAll(t, e, pair{"\x00", "short"}, pair{string(longest), "long"})
}

func testLargeValues(t *testing.T, e kv.Engine) {
	var want []pair
	for i, size := range []int{0, 1, 4095, 4096, 4097, 65536, 3 << 20} {
		want = append(want, pair{fmt.Sprint(i), string(bytes.Repeat([]byte{byte('a' + i)}, size))})
	}
	put(t, e, want...)
	wantAll(t, e, want...)
}

func testPutKeepsNoSlice(t *testing.T, e kv.Engine) {
	update(t, e, func(tx kv.Tx) error {
		key, value := make([]byte, 1), make([]byte, 1)
		for i := byte(1); i < 4; i++ {
			key[0], value[0] = i, i
			if err := tx.Put(key, value); err != nil {
				return err
			}
		}
		key[0], value[0] = 'x', 'x'
		return nil
	})
	wantAll(t, e, pair{"\x01", "\x01"}, pair{"\x02", "\x02"}, pair{"\x03", "\x03"})
}

func testValuesHold(t *testing.T, e kv.Engine) {
	start := numbered(1000)
	put(t, e, start...)
	update(t, e, func(tx kv.Tx) error {
		var held []kv.Item
		for item, err := range tx.Scan(nil, nil) {
			if err != nil {
				return err
			}
			held = append(held, item)
		}
		for i, p := range start {
			err := tx.Delete([]byte(p.Key))
			if i%2 == 0 {
				err = tx.Put([]byte(p.Key), bytes.Repeat([]byte("new"), 40))
			}
			if err != nil {
				return err
			}
		}
		for i, item := range held {
			if string(item.Key) != start[i].Key || string(item.Value) != start[i].Value {
				return fmt.Errorf("item %d became %q %q", i, item.Key, item.Value)
			}
		}
		return nil
	})
}

// spoil makes every kind of change to what holds a, b and c.
func spoil(tx kv.Tx) error {
	return errors.Join(
		tx.Put([]byte("a"), []byte("changed")), tx.Put([]byte("a"), nil), tx.Delete([]byte("b")),
		tx.Put([]byte("b"), []byte("again")), tx.Delete([]byte("c")), tx.Put([]byte("new"), []byte("x")),
		tx.Delete([]byte("new")), tx.Put([]byte("newer"), []byte("x")))
}

var unspoiled = []pair{{"a", "1"}, {"b", ""}, {"c", "3"}}

func testErrorLeavesNothing(t *testing.T, e kv.Engine) {
	put(t, e, unspoiled...)
	mine := errors.New("mine")
	err := e.Update(context.Background(), func(tx kv.Tx) error {
		return errors.Join(spoil(tx), mine)
	})
	if !errors.Is(err, mine) {
		t.Errorf("update returned %v, want the closure's error", err)
	}
	wantAll(t, e, unspoiled...)
	if err := e.View(context.Background(), func(kv.Tx) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("view returned %v, want the closure's error", err)
	}
}

func testPanicLeavesNothing(t *testing.T, e kv.Engine) {
	put(t, e, unspoiled...)
	panics := func(run func(context.Context, func(kv.Tx) error) error, fn func(kv.Tx)) {
		t.Helper()
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v, want the closure's panic", r)
			}
		}()
		err := run(context.Background(), func(tx kv.Tx) error { fn(tx); panic("mine") })
		t.Errorf("a panicking closure returned %v", err)
	}
	panics(e.Update, func(tx kv.Tx) { _ = spoil(tx) })
	panics(e.View, func(kv.Tx) {})
	wantAll(t, e, unspoiled...)
	put(t, e, pair{"d", "4"})
}

func testGoexitLeavesNothing(t *testing.T, e kv.Engine) {
	put(t, e, unspoiled...)
	for _, run := range []func(context.Context, func(kv.Tx) error) error{e.Update, e.View} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			err := run(context.Background(), func(tx kv.Tx) error { _ = spoil(tx); runtime.Goexit(); return nil })
			t.Errorf("a closure that ended its goroutine returned %v", err)
		}()
		<-done
	}
	wantAll(t, e, unspoiled...)
	put(t, e, pair{"d", "4"})
}

func testViewRefusesWrites(t *testing.T, e kv.Engine) {
	put(t, e, unspoiled...)
	view(t, e, func(tx kv.Tx) error {
		for name, err := range map[string]error{
			"put": tx.Put([]byte("a"), nil), "delete": tx.Delete([]byte("a")), "delete of nothing": tx.Delete([]byte("x")),
		} {
			if !errors.Is(err, kv.ErrReadOnly) {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
	wantAll(t, e, unspoiled...)
}

func testTxEnds(t *testing.T, e kv.Engine) {
	put(t, e, unspoiled...)
	for name, run := range map[string]func(context.Context, func(kv.Tx) error) error{"view": e.View, "update": e.Update} {
		var leaked kv.Tx
		err := run(context.Background(), func(tx kv.Tx) error { leaked = tx; return nil })
		if err != nil {
			t.Fatal(err)
		}
		_, getErr := leaked.Get([]byte("a"))
		_, scanErr := all(leaked, nil, nil)
		for op, err := range map[string]error{
			"get": getErr, "scan": scanErr, "put": leaked.Put([]byte("z"), nil), "delete": leaked.Delete([]byte("a")),
		} {
			if !errors.Is(err, kv.ErrTxEnded) {
				t.Errorf("%s after %s: %v", op, name, err)
			}
		}
	}
	wantAll(t, e, unspoiled...)
}

func testEndedContext(t *testing.T, e kv.Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	never := func(kv.Tx) error { t.Error("the closure was run"); return nil }
	for name, err := range map[string]error{
		"view": e.View(ctx, never), "update": e.Update(ctx, never), "snapshot": e.Snapshot(ctx, io.Discard),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that ends while the closure runs: it is done, or it is not.
	ctx, cancel = context.WithCancel(context.Background())
	err := e.Update(ctx, func(tx kv.Tx) error {
		cancel()
		return tx.Put([]byte("k"), []byte("v"))
	})
	switch {
	case err == nil:
		wantAll(t, e, pair{"k", "v"})
	case errors.Is(err, context.Canceled):
		wantAll(t, e)
	default:
		t.Errorf("update: %v", err)
	}
}
