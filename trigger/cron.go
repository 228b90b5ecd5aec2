package trigger

import "time"

// cron fires when the wall clock of its zone matches. Its sets are read-only once parsed.
type cron struct {
	settings
	wallClock
	daytime
	days     *calendar
	years    yearSet
	everyDay bool // known to fire on every day
}

func (c *cron) Next(t time.Time) time.Time { return c.next(c.zone, c, t) }

// nextWall returns the first matching wall-clock second at or after wall.
func (c *cron) nextWall(wall int64) (int64, bool) {
	return c.daytime.nextWall(c, max(wall, 0))
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
