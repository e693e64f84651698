package kvtest

import (
	"context"
	"errors"

	"scalelite/store/kv"
)

// Twice returns e with every closure run twice: one of Update is undone after
// its first run, one of View simply runs again. Code that keeps the contract
// of kv.Engine cannot tell; code that adds to what it hands out, or has other
// side effects, is caught.
func Twice(e kv.Engine) kv.Engine { return twice{e} }

type twice struct{ kv.Engine }

var errFirstRun = errors.New("first of two runs")

func (e twice) View(ctx context.Context, fn func(kv.Tx) error) error {
	return e.Engine.View(ctx, func(tx kv.Tx) error {
		_ = fn(tx)
		return fn(tx)
	})
}

func (e twice) Update(ctx context.Context, fn func(kv.Tx) error) error {
	err := e.Engine.Update(ctx, func(tx kv.Tx) error {
		_ = fn(tx)
		return errFirstRun
	})
	if !errors.Is(err, errFirstRun) {
		return err
	}
	return e.Engine.Update(ctx, fn)
}
