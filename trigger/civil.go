package trigger

import (
	"math/bits"
	"time"
)

// The years of a cron schedule.
const (
	firstYear = 1970
	lastYear  = 9999
)

// Days are counted from 1970-01-01. Weekdays follow crontab, 0 is Sunday.

func dayNumber(year, month, dayOfMonth int) int64 {
	return time.Date(year, time.Month(month), dayOfMonth, 0, 0, 0, 0, time.UTC).Unix() / day
}

func civil(number int64) (year, month, dayOfMonth int) {
	y, m, d := time.Unix(number*day, 0).UTC().Date()
	return y, int(m), d
}

func leap(year int) bool {
	return year%4 == 0 && (year%100 != 0 || year%400 == 0)
}

func monthLength(year, month int) int {
	if month == 2 && leap(year) {
		return 29
	}
	return int([...]uint8{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1])
}

// newYear returns the weekday of 1 January.
func newYear(year int) int {
	past := year - 1
	return (1 + past*365 + past/4 - past/100 + past/400) % 7
}

// Years with equal calendars, ISO weeks included, are of one shape: the weekday of 1 January, and
// whether the year or the one before it is a leap year.
const shapes = 7 * 3

func shapeOf(year int) int {
	switch {
	case leap(year):
		return newYear(year)*3 + 1
	case leap(year - 1):
		return newYear(year)*3 + 2
	default:
		return newYear(year) * 3
	}
}

// shapeYear returns some year of that shape, or false if the calendar has none.
func shapeYear(shape int) (int, bool) {
	for year := 2000; year < 2400; year++ {
		if shapeOf(year) == shape {
			return year, true
		}
	}
	return 0, false
}

// bitset holds small numbers; n is in it if bit n is set.
type bitset uint64

func (b bitset) has(n int) bool { return b>>uint(n)&1 != 0 }

// from returns the smallest member that is n or more, or -1.
func (b bitset) from(n int) int {
	if n > 63 {
		return -1
	}
	if rest := b >> uint(n) << uint(n); rest != 0 {
		return bits.TrailingZeros64(uint64(rest))
	}
	return -1
}

// spanBits returns the numbers first, first+step, … up to last, which is 63 at most.
func spanBits(first, last, step int) bitset {
	if step == 1 && first <= last {
		return 1<<uint(last+1) - 1<<uint(first)
	}
	var b bitset
	for n := first; n <= last; n += step {
		b |= 1 << uint(n)
	}
	return b
}
