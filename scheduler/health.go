package scheduler

import (
	"sync"
	"time"
)

// health knows since when each partition has failed to answer.
type health struct {
	patience time.Duration

	mu    sync.Mutex
	since map[int]time.Duration // local time since when a partition fails; below 0 = it does not
}

func newHealth(partitions []int, patience time.Duration) *health {
	h := &health{patience: patience, since: map[int]time.Duration{}}
	for _, p := range partitions {
		h.since[p] = -1
	}
	return h
}

// ok notes that a partition answered, and reports whether it had been failing.
func (h *health) ok(partition int) (mended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	mended = h.since[partition] >= 0
	h.since[partition] = -1
	return mended
}

// failed notes that what was begun at the given time got no answer by now. first: it is the first
// failure in a row; hopeless: no partition has answered for as long as the patience lasts, and the
// office is better given up.
func (h *health) failed(partition int, began, now time.Duration) (first, hopeless bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since[partition] < 0 {
		h.since[partition], first = began, true
	}
	for _, since := range h.since {
		if since < 0 || now-since < h.patience {
			return first, false
		}
	}
	return first, true
}
