package scheduler

import (
	"fmt"
	"time"

	"github.com/carillon-project/carillon/trigger"
)

// counter is what a trigger may implement to count its times by arithmetic: how many lie after one
// time and not after another, and the last of them.
type counter interface {
	Count(after, until time.Time) (n int64, last time.Time)
}

// budget bounds how many times may be walked one by one in a step over many jobs.
type budget struct {
	left    int
	expired func() bool // asked now and then; nil = never
}

const (
	freeSteps  = 16     // of each decision, so that jobs without a backlog never wait for others
	passSteps  = 20_000 // of all decisions of a pass together
	askEvery   = 64     // steps between two looks at the clock
	passPeriod = 50 * time.Millisecond
)

// walk goes along the times of one job. The first error stays in err; times are zero after it.
type walk struct {
	rules
	first  instant // as stored: it may lie off the trigger's grid
	budget *budget
	used   int
	err    error
}

// steps is what count found: how many times, the last, and the one before the last.
type steps struct{ n, last, before int64 }

// next returns the first nominal time after t, rounded up to whole milliseconds; 0 = none.
func (w *walk) next(t int64) int64 {
	if w.err != nil {
		return 0
	}
	next := w.trigger.Next(time.UnixMilli(t))
	if next.IsZero() {
		return 0
	}
	ms := ceilMilli(next)
	if ms <= t {
		w.err = fmt.Errorf("trigger: next time after %d is %d", t, ms)
		return 0
	}
	return ms
}

func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// dueOf returns when the run of a nominal time is due. The first time keeps what is stored.
func (w *walk) dueOf(nominal int64) int64 {
	if nominal == w.first.nominal {
		return w.first.due
	}
	return nominal + trigger.Spread(w.trigger, w.uid, time.UnixMilli(nominal)).Milliseconds()
}

// after returns the first time after a nominal one; zero = none.
func (w *walk) after(nominal int64) instant {
	next := w.next(nominal)
	if next == 0 {
		return instant{}
	}
	return instant{next, w.dueOf(next)}
}

// count goes along the times after the given one whose runs are due by limit. Not done means that
// the budget ended before: go on from last.
func (w *walk) count(after, limit int64) (s steps, done bool) {
	s = steps{last: after}
	if c, ok := w.trigger.(counter); ok {
		return w.countAtOnce(c, after, limit), true
	}
	jitter := trigger.Jitter(w.trigger) > 0
	t := w.next(after)
	for t != 0 && t <= limit {
		following := w.next(t)
		// What has a time after it by limit is due by limit itself; only the last may be not.
		if jitter && (following == 0 || following > limit) && w.dueOf(t) > limit {
			break
		}
		s = steps{s.n + 1, t, s.last}
		t = following
		if !w.spend() {
			return s, false
		}
	}
	return s, true
}

// countAtOnce is count by arithmetic.
func (w *walk) countAtOnce(c counter, after, limit int64) steps {
	n, last := w.between(c, after, limit)
	if n > 0 && w.dueOf(last) > limit {
		n, last = w.between(c, after, last-1)
	}
	if n == 0 {
		return steps{last: after}
	}
	before := after
	if n > 1 {
		_, before = w.between(c, after, last-1)
	}
	return steps{n, last, before}
}

func (w *walk) between(c counter, after, until int64) (n, last int64) {
	if until <= after {
		return 0, 0
	}
	n, at := c.Count(time.UnixMilli(after), time.UnixMilli(until))
	if n <= 0 {
		return 0, 0
	}
	last = ceilMilli(at)
	if last <= after || last > until {
		w.err = fmt.Errorf("trigger: last time in %d to %d is %d", after, until, last)
		return 0, 0
	}
	return n, last
}

// spend says whether one more step may be made.
func (w *walk) spend() bool {
	w.used++
	if w.used <= freeSteps {
		return true
	}
	w.budget.left--
	if w.budget.left%askEvery == 0 && w.budget.expired != nil && w.budget.expired() {
		w.budget.left = min(w.budget.left, 0)
	}
	return w.budget.left > 0
}
