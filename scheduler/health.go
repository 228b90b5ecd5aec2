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
	cut   map[int]time.Duration // the same for one that ends or refuses every connection at once
}

func newHealth(partitions []int, patience time.Duration) *health {
	h := &health{patience: patience, since: map[int]time.Duration{}, cut: map[int]time.Duration{}}
	for _, p := range partitions {
		h.since[p], h.cut[p] = -1, -1
	}
	return h
}

// ok notes that a partition answered, and reports whether it had been failing.
func (h *health) ok(partition int) (mended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	mended = h.since[partition] >= 0
	h.since[partition], h.cut[partition] = -1, -1
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

// severed notes how a try that was begun at the given time failed, and reports whether all partitions
// have been cut off on every try for so long.
func (h *health) severed(partition int, cut bool, began, now, long time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !cut {
		h.cut[partition] = -1
	} else if h.cut[partition] < 0 {
		h.cut[partition] = began
	}
	for _, since := range h.cut {
		if since < 0 || now-since < long {
			return false
		}
	}
	return true
}
