package trigger

import (
	"math"
	"math/bits"
	"time"
)

// Count returns how many times lie after one time and not after another, and the last of them. It
// is computed, however many they are.
func (i *interval) Count(after, until time.Time) (n int64, last time.Time) {
	first := i.Next(after)
	if !i.end.IsZero() && until.After(i.end) {
		until = i.end
	}
	if latest := time.Unix(lastInstant, 0); until.After(latest) {
		until = latest
	}
	if first.IsZero() || first.After(until) {
		return 0, time.Time{}
	}
	seconds, nanos := until.Unix()-first.Unix(), int64(until.Nanosecond()-first.Nanosecond())
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+int64(time.Second)
	}
	hi, lo := bits.Mul64(uint64(seconds), uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(nanos), 0)
	steps, rest := bits.Div64(hi+carry, lo, uint64(i.every)) // at least 1 ms, so that years fit
	return int64(steps) + 1, until.Add(-time.Duration(rest)).Round(0).UTC()
}

// Count returns how many times lie after one time and not after another, and the last of them. Days
// are looked at one by one; times within a day, and the hours around clock changes apart, are not.
func (c *cron) Count(after, until time.Time) (n int64, last time.Time) {
	from, end := max(after.Unix()+1, c.from), min(until.Unix(), c.until)
	for from <= end {
		seg := segmentAt(c.zone, from)
		settled := c.settled(seg)
		if from < settled { // the clock has just changed
			next, ok := c.search(c.zone, c, from)
			if !ok || next > end {
				break
			}
			n, last, from = n+1, time.Unix(next, 0).UTC(), next+1
			continue
		}
		high := end + 1
		if seg.end != math.MaxInt64 {
			high = min(high, seg.end)
			if c.fold == foldLast {
				high = min(high, max(from, seg.end+offsetAt(c.zone, seg.end)-seg.offset))
			}
		}
		count, wall := c.countWalls(from+seg.offset, high+seg.offset)
		if count > 0 {
			n, last = n+count, time.Unix(wall-seg.offset, 0).UTC()
		}
		if from = high; c.fold == foldLast && seg.end != math.MaxInt64 {
			from = max(high, min(seg.end, end+1))
		}
	}
	return n, last
}

// settled returns the second of a segment from which on c fires just when the clock shows a matching
// time.
func (c *cron) settled(seg segment) int64 {
	if seg.start == math.MinInt64 {
		return seg.start
	}
	change := seg.offset - offsetAt(c.zone, seg.start-1)
	switch {
	case change > 0 && c.shift, change < 0 && c.fold == foldFirst:
		return seg.start + max(change, -change)
	default:
		return seg.start
	}
}

// countWalls returns how many matching wall-clock seconds lie from low to before high, and the last.
func (c *cron) countWalls(low, high int64) (n, last int64) {
	low = max(low, 0)
	perDay := c.size()
	for number := floorDay(low); ; number++ {
		next, ok := c.nextDay(number)
		if !ok || next*day >= high {
			return n, last
		}
		number = next
		begin, end := 0, perDay
		if rest := low - number*day; rest > 0 {
			begin = c.rank(int(rest))
		}
		if rest := high - number*day; rest < day {
			end = c.rank(int(rest))
		}
		if end > begin {
			n, last = n+int64(end-begin), number*day+int64(c.pick(end-1))
		}
	}
}
