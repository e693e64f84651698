package web

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimited bounds the addresses that are remembered.
const maxLimited = 10_000

// failureLimiter counts failed checksums per address. Whoever has more than the
// limit is refused unseen until a minute's share has come back.
type failureLimiter struct {
	mu    sync.Mutex
	seen  map[netip.Prefix]*rate.Limiter
	swept time.Time
}

func newFailureLimiter() *failureLimiter {
	return &failureLimiter{seen: map[netip.Prefix]*rate.Limiter{}}
}

// blocked reports whether the address has used up its failures. perMinute 0
// means no limit.
func (l *failureLimiter) blocked(addr string, perMinute int) bool {
	who, limited := origin(addr, perMinute)
	if !limited {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.seen[who]
	return limiter != nil && limiter.Tokens() < 1
}

// failed counts a failure of the address.
func (l *failureLimiter) failed(addr string, perMinute int) {
	who, limited := origin(addr, perMinute)
	if !limited {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.seen[who]
	if limiter == nil {
		l.sweep()
		limiter = rate.NewLimiter(0, perMinute)
		l.seen[who] = limiter
	}
	limiter.SetLimit(rate.Limit(float64(perMinute) / 60))
	limiter.SetBurst(perMinute)
	limiter.Allow()
}

// sweep drops addresses whose failures are forgiven, and if there are still too
// many of them, any: a tenth, so that not every further one costs a sweep.
func (l *failureLimiter) sweep() {
	now := time.Now()
	if len(l.seen) < maxLimited && now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for who, limiter := range l.seen {
		if limiter.Tokens() >= float64(limiter.Burst()) {
			delete(l.seen, who)
		}
	}
	if len(l.seen) < maxLimited {
		return
	}
	for who := range l.seen {
		if len(l.seen) <= maxLimited/10*9 {
			break
		}
		delete(l.seen, who)
	}
}

// origin returns what is counted for an address, if anything is: IPv6 hands
// whole networks of 64 bits to one customer.
func origin(addr string, perMinute int) (netip.Prefix, bool) {
	ip, err := netip.ParseAddr(addr)
	if err != nil || perMinute <= 0 {
		return netip.Prefix{}, false
	}
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	return prefix, err == nil
}
