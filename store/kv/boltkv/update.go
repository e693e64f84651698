package boltkv

import (
	"context"
	"runtime"
	"runtime/debug"
	"slices"

	bolt "go.etcd.io/bbolt"

	"scalelite/store/kv"
)

// maxGroup is how many waiting updates share one commit at most. It bounds how
// long the first of them waits for the closures of the others.
const maxGroup = 256

// call is one update that waited while another was written.
type call struct {
	fn   func(kv.Tx) error
	done chan struct{} // closed when err and alone are set
	err  error
	// alone tells the caller to run fn itself, with a transaction to itself:
	// it panicked or left its goroutine, which must happen in the caller's.
	alone bool
}

// Update runs fn and waits until what it did is on the disk. An update that
// finds no other in progress is run at once by its caller; those that arrive
// meanwhile are committed together, one after the other in one transaction.
// One that wrote nothing costs no commit.
//
// ctx counts until fn is taken up; from then on the outcome is waited for.
// When bbolt cannot tell whether a commit reached the disk, the error says so
// by being one of the commit: fn's changes may then be there.
func (e *Engine) Update(ctx context.Context, fn func(kv.Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.running.Done()
	defer func() {
		if err == nil {
			e.updates.Add(1)
		}
	}()
	c := e.enqueue(fn)
	if c == nil {
		defer e.handOver()
		return e.updateAlone(fn)
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if e.withdraw(c) {
			return ctx.Err()
		}
		<-c.done
	}
	if c.alone {
		return e.updateAlone(fn)
	}
	return c.err
}

// enqueue returns the call that now waits, or nil if nobody was writing: then
// the caller is the writer, and must hand over when it is done.
func (e *Engine) enqueue(fn func(kv.Tx) error) *call {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.writing {
		e.writing = true
		return nil
	}
	c := &call{fn: fn, done: make(chan struct{})}
	e.queue = append(e.queue, c)
	return c
}

// withdraw takes c out of the queue and reports whether it was still there.
func (e *Engine) withdraw(c *call) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.Index(e.queue, c)
	if i < 0 {
		return false
	}
	e.queue = slices.Delete(e.queue, i, i+1)
	return true
}

// handOver starts a drainer if updates have queued up.
func (e *Engine) handOver() {
	if group := e.take(); group != nil {
		e.running.Go(func() { e.drain(group) })
	}
}

// take returns the calls that wait, or nil and then nobody is writing any more.
func (e *Engine) take() []*call {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) == 0 {
		e.writing = false
		e.queue = nil
		return nil
	}
	n := min(len(e.queue), maxGroup)
	group := slices.Clone(e.queue[:n])
	e.queue = slices.Delete(e.queue, 0, n)
	return group
}

// updateAlone runs fn in a transaction of its own, in the caller's goroutine.
func (e *Engine) updateAlone(fn func(kv.Tx) error) (err error) {
	btx, err := e.begin()
	if err != nil {
		return err
	}
	defer rollback(btx)
	defer e.faultAsError(&err)()
	t := newTx(btx)
	defer t.end()
	err = fn(t)
	if err != nil || t.writes == 0 {
		return err
	}
	t.end()
	return e.commit(btx)
}

// drain commits group, and then those that have queued up meanwhile, until
// nobody waits.
func (e *Engine) drain(group []*call) {
	finished := false
	defer func() {
		// A closure called runtime.Goexit, as t.FailNow does: it ends this
		// goroutine, but must not end the updates of others.
		if !finished {
			e.running.Go(func() { e.drain(unanswered(group)) })
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for !finished {
		for len(group) > 0 {
			e.commitGroup(group)
			group = unanswered(group)
		}
		// Those just answered often come straight back. Letting them run
		// first makes groups of everybody instead of halves in turn.
		runtime.Gosched()
		group = e.take()
		finished = group == nil
	}
}

// unanswered returns the calls of group that still wait.
func unanswered(group []*call) []*call {
	return slices.DeleteFunc(group, func(c *call) bool {
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
}

// commitGroup runs the calls in one transaction, commits it and answers them.
// A call that fails is taken back on its own; it is answered with the others,
// for its error may come of what they did. If a call panics, it alone is
// answered: nothing is left of this attempt, and the others have to be run again.
func (e *Engine) commitGroup(group []*call) {
	btx, err := e.begin()
	if err != nil {
		answer(group, err)
		return
	}
	defer rollback(btx)
	writes := 0
	for _, c := range group {
		n, ok := runCall(c, btx)
		if !ok {
			return
		}
		writes += n
	}
	if writes > 0 {
		err = e.commit(btx)
	}
	answer(group, err)
}

// runCall runs one call of a group and returns how often it wrote. It is not
// ok, and the call is answered, if fn did not return.
func runCall(c *call, btx *bolt.Tx) (writes int, ok bool) {
	defer func() {
		if !ok {
			_ = recover() // the caller meets it when it runs fn alone
			c.alone = true
			close(c.done)
		}
	}()
	t := newTx(btx)
	defer t.end()
	t.logging = true
	if c.err = c.fn(t); c.err == nil {
		return t.writes, true
	}
	if err := t.revert(); err != nil {
		return 0, false
	}
	return 0, true
}

// answer tells all callers of group that it is done, with err if it failed.
func answer(group []*call, err error) {
	for _, c := range group {
		if err != nil {
			c.err = err
		}
		close(c.done)
	}
}
