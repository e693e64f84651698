package recordings

import (
	"context"
	"slices"
	"sync"
)

// locks are locks by name; the zero value is ready. One exists only while
// somebody holds it or waits for it.
type locks struct {
	mu   sync.Mutex
	held map[string]*namedLock
}

type namedLock struct {
	token chan struct{} // holds one element while the lock is held
	users int
}

// lock waits for all the locks that are named, in their order, so that nobody
// waits for ever; release gives them back. An error is that of ctx.
func (l *locks) lock(ctx context.Context, names ...string) (release func(), err error) {
	names = distinct(names)
	for i, name := range names {
		if err := l.lockOne(ctx, name); err != nil {
			l.unlock(names[:i])
			return nil, err
		}
	}
	return func() { l.unlock(names) }, nil
}

func (l *locks) lockOne(ctx context.Context, name string) error {
	l.mu.Lock()
	lock := l.held[name]
	if lock == nil {
		if l.held == nil {
			l.held = map[string]*namedLock{}
		}
		lock = &namedLock{token: make(chan struct{}, 1)}
		l.held[name] = lock
	}
	lock.users++
	l.mu.Unlock()
	select {
	case lock.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		l.leave(name, lock)
		return context.Cause(ctx)
	}
}

func (l *locks) unlock(names []string) {
	for _, name := range slices.Backward(names) {
		l.mu.Lock()
		lock := l.held[name]
		l.mu.Unlock()
		<-lock.token
		l.leave(name, lock)
	}
}

func (l *locks) leave(name string, lock *namedLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(l.held, name)
	}
}

// distinct are the names in order, each once.
func distinct(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
