package trigger

import "math/bits"

// yearWords hold a bit for each day of a year, from 0.
const yearWords = 6

// yearDays is a set of days that depends on the calendar alone: for each shape of year, which of its
// days are in it.
type yearDays [shapes][yearWords]uint64

// calendarDay is what a rule may ask of a day. Days of the year and of the month count from 1, and
// from the end down from -1. The nth of its weekday is counted in the month and in the year.
type calendarDay struct {
	year, month, date, yearDay int
	weekday                    int // 0 is Sunday
	monthLength, yearLength    int
	monthNth, monthNthLast     int
	yearNth, yearNthLast       int
}

// newYearDays returns the days that keep answers true for.
func newYearDays(keep func(calendarDay) bool) *yearDays {
	set := new(yearDays)
	for shape, year := range shapeYears() {
		if year == 0 {
			continue
		}
		d := calendarDay{year: year, yearLength: 365}
		if leap(year) {
			d.yearLength++
		}
		for d.month = 1; d.month <= 12; d.month++ {
			d.monthLength = monthLength(year, d.month)
			for d.date = 1; d.date <= d.monthLength; d.date++ {
				d.weekday = (newYear(year) + d.yearDay) % 7
				d.yearDay++
				d.monthNth, d.monthNthLast = (d.date+6)/7, -(d.monthLength-d.date)/7-1
				d.yearNth, d.yearNthLast = (d.yearDay+6)/7, -(d.yearLength-d.yearDay)/7-1
				if keep(d) {
					set[shape][(d.yearDay-1)/64] |= 1 << uint((d.yearDay-1)%64)
				}
			}
		}
	}
	return set
}

// repeats is the number of years after which the calendar repeats.
const repeats = 400

// nextDay returns the first day of the set that is number or later.
func (y *yearDays) nextDay(number int64) (int64, bool) {
	year, _, _ := civil(number)
	begin := int(number - dayNumber(year, 1, 1))
	for last := min(year+repeats, lastYear); year <= last; year, begin = year+1, 0 {
		words := &y[shapeOf(year)]
		for word, from := begin/64, begin%64; word < yearWords; word, from = word+1, 0 {
			if found := bitset(words[word]).from(from); found >= 0 {
				return dayNumber(year, 1, 1) + int64(word*64+found), true
			}
		}
	}
	return 0, false
}

// count returns how many days of the set lie from first to last, both included.
func (y *yearDays) count(first, last int64) int {
	n := 0
	for first <= last {
		year, _, _ := civil(first)
		begin, next := dayNumber(year, 1, 1), dayNumber(year+1, 1, 1)
		end := min(last+1, next)
		words := &y[shapeOf(year)]
		n += daysBelow(words, int(end-begin)) - daysBelow(words, int(first-begin))
		first = next
	}
	return n
}

// pick returns the day of the set that has n others between first and itself; there must be one.
func (y *yearDays) pick(first int64, n int) int64 {
	year, _, _ := civil(first)
	n += daysBelow(&y[shapeOf(year)], int(first-dayNumber(year, 1, 1)))
	for ; ; year++ {
		for word, set := range y[shapeOf(year)] {
			size := bitset(set).size()
			if n < size {
				return dayNumber(year, 1, 1) + int64(word*64+bitset(set).pick(n))
			}
			n -= size
		}
	}
}

func daysBelow(words *[yearWords]uint64, end int) int {
	n := 0
	for word := range min(end/64, yearWords) {
		n += bits.OnesCount64(words[word])
	}
	if rest := end % 64; rest > 0 {
		n += bitset(words[end/64]).below(rest)
	}
	return n
}
