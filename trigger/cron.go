package trigger

import (
	"math"
	"time"
)

// cron fires when the wall clock of its zone matches. Its sets are read-only once parsed.
type cron struct {
	settings
	hours, minutes, seconds bitset
	days                    *calendar
	years                   yearSet
	shift                   bool // wall-clock times in a gap run, later by the length of the gap
	fold                    fold
	from, until             int64 // the window in Unix seconds, inclusive
}

// fold says which of the two occurrences of a repeated wall-clock time fire.
type fold string

const (
	foldFirst fold = "first"
	foldLast  fold = "last"
	foldBoth  fold = "both"
)

// maxSegments bounds a search. Between two clock changes of a zone the wall clock runs evenly, and a
// search jumps from candidate to candidate, so a year whose candidates all fall into a gap costs two
// segments; the calendar repeats after 400 years.
const maxSegments = 2*400 + 20

func (c *cron) Next(t time.Time) time.Time {
	if t.Unix() >= lastInstant {
		return time.Time{}
	}
	unix, ok := c.search(max(t.Unix()+1, c.from))
	if !ok {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}

// search returns the first firing second at or after from, within the window.
func (c *cron) search(from int64) (int64, bool) {
	for range maxSegments {
		if from > c.until {
			return 0, false
		}
		seg := segmentAt(c.zone, from)
		if unix, ok := c.within(seg, from); ok {
			return unix, unix <= c.until
		}
		if seg.end == math.MaxInt64 {
			return 0, false
		}
		// Nothing more in this segment. What comes shows a wall clock at or after the change,
		// so jump to the next wall-clock match, short of it by more than any clock change.
		wall, ok := c.nextWall(seg.end + min(seg.offset, offsetAt(c.zone, seg.end)))
		if !ok {
			return 0, false
		}
		from = max(seg.end, wall-2*maxOffset)
	}
	return 0, false
}

// within returns the first firing second of a segment at or after from. Times shifted out of a gap
// belong to the segment after it.
func (c *cron) within(seg segment, from int64) (int64, bool) {
	low, high := from+seg.offset, seg.end
	if high != math.MaxInt64 {
		high += seg.offset
	}
	unix, found := int64(math.MaxInt64), false
	if seg.start != math.MinInt64 && from-seg.start < maxOffset {
		before := offsetAt(c.zone, seg.start-1)
		if c.fold == foldFirst {
			low = max(low, seg.start+before) // earlier wall-clock times have been
		}
		if c.shift && before < seg.offset {
			wall, ok := c.nextWall(from + before)
			if ok && wall < seg.start+seg.offset {
				unix, found = wall-before, true
			}
		}
	}
	wall, ok := c.nextWall(low)
	if ok && c.fold == foldLast && high-wall < maxOffset {
		high = min(high, seg.end+offsetAt(c.zone, seg.end)) // later ones will come again
	}
	if ok && wall < high && wall-seg.offset < unix {
		unix, found = wall-seg.offset, true
	}
	return unix, found
}

// nextWall returns the first matching wall-clock second at or after wall, both counted as if the
// clock were UTC.
func (c *cron) nextWall(wall int64) (int64, bool) {
	wall = max(wall, 0)
	number, second := wall/day, int(wall%day)
	found, ok := c.nextDay(number)
	if !ok {
		return 0, false
	}
	if found == number {
		if at := c.timeOfDay(second); at >= 0 {
			return found*day + int64(at), true
		}
		if found, ok = c.nextDay(number + 1); !ok {
			return 0, false
		}
	}
	return found*day + int64(c.timeOfDay(0)), true
}

// timeOfDay returns the first matching second of a day at or after second, or -1.
func (c *cron) timeOfDay(second int) int {
	h, m, s := second/3600, second/60%60, second%60
	hour := c.hours.from(h)
	if hour < 0 {
		return -1
	}
	if hour > h {
		m, s = 0, 0
	}
	minute := c.minutes.from(m)
	if minute > m {
		s = 0
	}
	if minute == m {
		if at := c.seconds.from(s); at >= 0 {
			return hour*3600 + minute*60 + at
		}
		minute = c.minutes.from(m + 1)
	}
	if minute >= 0 {
		return hour*3600 + minute*60 + c.seconds.from(0)
	}
	if hour = c.hours.from(hour + 1); hour < 0 {
		return -1
	}
	return hour*3600 + c.minutes.from(0)*60 + c.seconds.from(0)
}

// nextDay returns the first matching day at or after number.
func (c *cron) nextDay(number int64) (int64, bool) {
	year, month, date := civil(number)
	for ; year <= lastYear; year, month, date = year+1, 1, 1 {
		if next := c.years.from(year); next < 0 {
			return 0, false
		} else if next > year {
			year, month, date = next, 1, 1
		}
		shape := shapeOf(year)
		for month--; ; date = 1 { // months count from 0 here
			found := bitset(c.days.months[shape]).from(month)
			if found < 0 {
				break
			}
			if found > month {
				month, date = found, 1
			}
			if d := bitset(c.days.days[shape][month]).from(date); d >= 0 {
				return dayNumber(year, month+1, d), true
			}
			month++
		}
	}
	return 0, false
}

// yearSet is the years of a cron from 1970 to 9999; nil means all of them.
type yearSet []uint64

func (y yearSet) has(year int) bool {
	return y == nil || y[(year-firstYear)/64]>>((year-firstYear)%64)&1 != 0
}

// from returns the first year of the set that is year or later, or -1.
func (y yearSet) from(year int) int {
	year = max(year, firstYear)
	if year > lastYear {
		return -1
	}
	if y == nil {
		return year
	}
	word, bit := (year-firstYear)/64, (year-firstYear)%64
	for ; word < len(y); word, bit = word+1, 0 {
		if next := bitset(y[word]).from(bit); next >= 0 {
			return firstYear + word*64 + next
		}
	}
	return -1
}

func newYearSet() yearSet { return make(yearSet, (lastYear-firstYear)/64+1) }

func (y yearSet) add(first, last, step int) {
	for year := first; year <= last; year += step {
		y[(year-firstYear)/64] |= 1 << ((year - firstYear) % 64)
	}
}

// intersect returns the years in both sets.
func (y yearSet) intersect(other yearSet) yearSet {
	if y == nil {
		return other
	}
	if other == nil {
		return y
	}
	both := newYearSet()
	for i := range both {
		both[i] = y[i] & other[i]
	}
	return both
}
