package trigger

import (
	"math/big"
	"time"
)

// joinMembers puts the members of an "and" together where that can be done exactly, so that a rare
// or impossible meeting need not be searched for.
func joinMembers(members []jittered) []jittered {
	var flat []jittered
	for _, m := range members {
		if nested, ok := m.(*common); ok {
			flat = append(flat, nested.members...)
		} else {
			flat = append(flat, m)
		}
	}
	var joined []jittered
next:
	for _, m := range flat {
		for i, other := range joined {
			if both, ok := join(other, m); ok {
				joined[i] = both
				continue next
			}
		}
		joined = append(joined, m)
	}
	return joined
}

// join returns a trigger with exactly the times that a and b share, or false if it knows of none.
func join(a, b jittered) (jittered, bool) {
	switch a := a.(type) {
	case *never:
		return a, true
	case *cron:
		if b, ok := b.(*cron); ok && a.plain() && b.plain() && a.zone == b.zone {
			return joinCrons(a, b), true
		}
	case *interval:
		if b, ok := b.(*interval); ok && !a.start.IsZero() && !b.start.IsZero() {
			return joinIntervals(a, b)
		}
	}
	return nil, false
}

// plain tells that c fires exactly when the wall clock matches, with no policy in play.
func (c *cron) plain() bool {
	return evenClock(c.zone) || (!c.shift && c.fold == foldBoth)
}

func joinCrons(a, b *cron) jittered {
	both := &cron{
		settings: a.settings,
		daytime:  daytime{hours: a.hours & b.hours, minutes: a.minutes & b.minutes, seconds: a.seconds & b.seconds},
		days:     a.days.intersect(b.days), years: a.years.intersect(b.years),
		wallClock: wallClock{fold: foldBoth, from: max(a.from, b.from), until: min(a.until, b.until)},
	}
	if both.hours == 0 || both.minutes == 0 || both.seconds == 0 {
		return &never{both.settings}
	}
	return both
}

// joinIntervals solves x = a.start mod a.every, x = b.start mod b.every. It gives up if the two meet
// less than once in 292 years.
func joinIntervals(a, b *interval) (jittered, bool) {
	lengthA, lengthB := big.NewInt(int64(a.every)), big.NewInt(int64(b.every))
	inverse := new(big.Int)
	divisor := new(big.Int).GCD(inverse, nil, lengthA, lengthB)
	apart := new(big.Int).Sub(nanos(b.start), nanos(a.start))
	steps, rest := new(big.Int).QuoRem(apart, divisor, new(big.Int))
	if rest.Sign() != 0 {
		return &never{a.settings}, true
	}
	perB := new(big.Int).Quo(lengthB, divisor)
	every := new(big.Int).Mul(lengthA, perB)
	if !every.IsInt64() {
		return nil, false
	}
	steps.Mul(steps, inverse).Mod(steps, perB)
	meet := steps.Mul(steps, lengthA)
	phase := time.Duration(meet.Int64()) // of the meetings after a.start
	both := &interval{settings: a.settings, window: a.window, every: time.Duration(every.Int64())}
	both.start = a.start.Add(phase)
	both.end = earlier(a.end, b.end)
	if both.start.Before(b.start) {
		both.start = both.Next(b.start.Add(-time.Nanosecond))
		if both.start.IsZero() {
			return &never{a.settings}, true
		}
	}
	return both, true
}

func nanos(t time.Time) *big.Int {
	n := new(big.Int).Mul(big.NewInt(t.Unix()), big.NewInt(int64(time.Second)))
	return n.Add(n, big.NewInt(int64(t.Nanosecond())))
}

// earlier returns the earlier of two ends, of which zero means open.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
