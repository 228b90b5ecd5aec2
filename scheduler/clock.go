package scheduler

import "time"

const (
	// drift is by how much two clocks may part, as a fraction: what NTP slews at most.
	drift = 2000
	// step is from which on a difference is a clock that was set, not one that drifts.
	step = time.Second
)

// clock knows between which bounds the time of Redis lies, from answers that carry it. Local times
// are elapsed times of the monotonic clock. The zero value knows nothing.
type clock struct {
	known     bool
	low, high time.Duration // of the time of Redis minus the local time
	at        time.Duration // when the bounds were right
}

// observe learns from an answer with the time of Redis, in whole milliseconds, to a request sent
// and answered at the given local times. It reports whether the clock of Redis was set since.
func (c *clock) observe(sent, received time.Duration, redis int64) (stepped bool) {
	at := time.Duration(redis) * time.Millisecond
	low, high := at-received, at+time.Millisecond-sent
	if !c.known {
		*c = clock{known: true, low: low, high: high, at: received}
		return false
	}
	widen := (received - c.at) / drift
	was := clock{low: c.low - widen, high: c.high + widen}
	if low > was.high || high < was.low {
		*c = clock{known: true, low: low, high: high, at: received}
		return max(low-was.high, was.low-high) > step
	}
	*c = clock{known: true, low: max(low, was.low), high: min(high, was.high), at: received}
	return false
}

// local returns the local time from which on Redis is certainly not before its time ms.
func (c *clock) local(ms int64) time.Duration {
	return time.Duration(ms)*time.Millisecond - c.low
}

// redis returns the time of Redis, at least, at a local time, in Unix milliseconds.
func (c *clock) redis(local time.Duration) int64 {
	return (local + c.low).Milliseconds()
}
