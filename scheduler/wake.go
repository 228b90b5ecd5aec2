package scheduler

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"
)

// mailbox holds the earliest time that others have announced since it was last emptied. The zero
// value must be made with newMailbox.
type mailbox struct {
	arrived chan struct{} // holds one when something came
	mu      sync.Mutex
	first   int64
}

const nothing = math.MaxInt64

func newMailbox() *mailbox {
	return &mailbox{arrived: make(chan struct{}, 1), first: nothing}
}

// put announces a time in Unix ms; 0 means now. It never blocks.
func (m *mailbox) put(at int64) {
	m.mu.Lock()
	m.first = min(m.first, at)
	m.mu.Unlock()
	select {
	case m.arrived <- struct{}{}:
	default:
	}
}

// take empties the mailbox.
func (m *mailbox) take() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.first
	m.first = nothing
	return at
}

// before reports whether a time before target was announced.
func (m *mailbox) before(target int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.first < target
}

// sleep waits until the period has passed, a time before target is announced, or ctx ends. Later
// times are forgotten: whoever wakes at target reads them then.
func (m *mailbox) sleep(ctx context.Context, period time.Duration, target int64) {
	timer := time.NewTimer(period)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-m.arrived:
			if m.take() < target {
				return
			}
		}
	}
}

// listen hears the wake channels until ctx ends.
func (r *running) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.cfg.Store.Wakes(ctx, func(partition int, what string) {
			if at, ok := wakeTime(what); ok && r.mail[partition] != nil {
				r.mail[partition].put(at)
			}
		})
		if ctx.Err() != nil {
			return
		}
		r.log.Warn("subscription to wakes ended, subscribing again", "error", err)
		pause(ctx, retryPause)
	}
}

// wakeTime reads what a wake says: a run time, or "look now" (0); ok is false when it is not for the
// leader. A time that cannot be read is taken as now.
func wakeTime(what string) (at int64, ok bool) {
	if what == "cancel" || what == "executor" {
		return 0, false
	}
	at, err := strconv.ParseInt(what, 10, 64)
	if err != nil {
		return 0, true
	}
	return at, true
}

func pause(ctx context.Context, period time.Duration) {
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
