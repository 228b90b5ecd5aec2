package trigger

import (
	"errors"
	"time"
)

// ErrInvalid is wrapped by every error of Parse and Resolve: the document is at fault and will be
// refused again.
var ErrInvalid = errors.New("trigger: invalid")

// Trigger says when: a pure function of time, safe for concurrent use.
type Trigger interface {
	// Next returns the first time strictly after t, in UTC, or the zero time if there is none.
	// It takes less than a millisecond, also when the trigger can never fire; with exclusions, less
	// than some ten.
	Next(t time.Time) time.Time
}

// jittered is what Parse returns in truth: a trigger that knows its jitter bound.
type jittered interface {
	Trigger
	jitterBound() time.Duration
}

// Jitter returns the bound within which runs of t may be delayed; 0 means none. Next is never
// jittered. The bound of an "and" or "or" without one of its own is the largest of its members.
func Jitter(t Trigger) time.Duration {
	if j, ok := t.(jittered); ok {
		return j.jitterBound()
	}
	return 0
}

// First returns the first time at or after from, or the zero time if there is none.
func First(t Trigger, from time.Time) time.Time {
	return t.Next(from.Add(-time.Nanosecond))
}

// Times returns the first count times at or after from, in order; fewer if the trigger ends.
// It never returns nil.
func Times(t Trigger, from time.Time, count int) []time.Time {
	times := []time.Time{}
	next := First(t, from)
	for len(times) < count && !next.IsZero() {
		times = append(times, next)
		next = t.Next(next)
	}
	return times
}

// lastInstant is the last whole second a trigger may name; RFC 3339 ends with the year 9999.
const lastInstant = 253402300799

// settings are what every type of trigger takes.
type settings struct {
	zone   *time.Location
	jitter time.Duration
}

func (s settings) jitterBound() time.Duration { return s.jitter }

// window bounds a trigger in time; both ends are inclusive, a zero end is open.
type window struct {
	start, end time.Time
}

// clip returns t, or the zero time if t lies beyond the window's end or the year 9999.
func (w window) clip(t time.Time) time.Time {
	if t.Unix() > lastInstant || (!w.end.IsZero() && t.After(w.end)) {
		return time.Time{}
	}
	return t
}
