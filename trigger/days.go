package trigger

import (
	"sync"
	"sync/atomic"
)

// daySet says which days of a month a field means; a day is in it if any part names it.
type daySet struct {
	dates    bitset   // days of the month, 1-31
	fromEnd  bitset   // so many days before the last one; 0 is the last
	nearest  bitset   // the weekday (Monday to Friday) nearest to that date, within the month
	lastWork bool     // the last Monday to Friday
	weekdays bitset   // 0 is Sunday
	nth      [7]uint8 // per weekday: bit n is the n-th in the month, bit 0 the last
}

// in returns the days of a month whose first day is a given weekday and that has length days.
func (s *daySet) in(first, length int) bitset {
	month := spanBits(1, length, 1)
	found := s.dates & month
	for rest := s.fromEnd; rest != 0; rest &= rest - 1 {
		if d := length - rest.from(0); d >= 1 {
			found |= 1 << uint(d)
		}
	}
	for rest := s.nearest; rest != 0; rest &= rest - 1 {
		if d := rest.from(0); d <= length {
			found |= 1 << uint(nearestWorkday(d, first, length))
		}
	}
	if s.lastWork {
		found |= 1 << uint(nearestWorkday(length, first, length))
	}
	if s.weekdays == 0x7f {
		return month
	}
	for weekday := range 7 {
		if !s.weekdays.has(weekday) && s.nth[weekday] == 0 {
			continue
		}
		one := 1 + (weekday-first+7)%7
		all := spanBits(one, length, 7)
		if s.weekdays.has(weekday) {
			found |= all
		}
		found |= nthDays(s.nth[weekday], all, one)
	}
	return found
}

// nthDays picks from all, the days of one weekday, of which one is the first.
func nthDays(which uint8, all bitset, one int) bitset {
	var found bitset
	for n := 1; n <= 5; n++ {
		if which>>n&1 != 0 {
			found |= all & (1 << uint(one+7*(n-1)))
		}
	}
	if which&1 != 0 {
		last := one
		for all.has(last + 7) {
			last += 7
		}
		found |= 1 << uint(last)
	}
	return found
}

func nearestWorkday(date, first, length int) int {
	switch (first + date - 1) % 7 {
	case 6: // Saturday
		if date == 1 {
			return 3
		}
		return date - 1
	case 0: // Sunday
		if date == length {
			return date - 2
		}
		return date + 1
	default:
		return date
	}
}

// calendar holds the days on which a cron fires, for each shape of year.
type calendar struct {
	days   [shapes][12]uint32
	months [shapes]uint16 // bit m-1: month m has such days
}

// dayRule is how the fields that choose a day are combined.
type dayRule struct {
	months        bitset // 1-12
	weeks         bitset // ISO weeks 1-53; 0 means any
	date, weekday daySet // the day and the weekday field
	either        bool   // a day needs to match only one of the two
}

// calendars keeps what rules came to: most schedules of a store share a handful of rules. The first
// maxCalendars different ones stay, so that no stream of odd documents can fill the memory.
var (
	calendars    sync.Map // dayRule -> *calendar
	keptCalendar atomic.Int32
)

const maxCalendars = 512

// calendar returns the days that r means. It is shared and must not be changed.
func (r *dayRule) calendar() *calendar {
	if c, ok := calendars.Load(*r); ok {
		return c.(*calendar)
	}
	c := r.build()
	if keptCalendar.Add(1) <= maxCalendars {
		calendars.Store(*r, c)
	} else {
		keptCalendar.Add(-1)
	}
	return c
}

func (r *dayRule) build() *calendar {
	c := new(calendar)
	for shape, year := range shapeYears() {
		if year == 0 {
			continue
		}
		first := newYear(year)
		dayOfYear := 1
		for month := 1; month <= 12; month++ {
			length := monthLength(year, month)
			if r.months.has(month) {
				days := r.in(first, length) & r.weekDays(year, dayOfYear, length)
				c.set(shape, month, days)
			}
			first = (first + length) % 7
			dayOfYear += length
		}
	}
	return c
}

func (c *calendar) set(shape, month int, days bitset) {
	c.days[shape][month-1] = uint32(days)
	c.months[shape] &^= 1 << uint(month-1)
	if days != 0 {
		c.months[shape] |= 1 << uint(month-1)
	}
}

func (r *dayRule) in(first, length int) bitset {
	if r.either {
		return r.date.in(first, length) | r.weekday.in(first, length)
	}
	return r.date.in(first, length) & r.weekday.in(first, length)
}

// weekDays returns the days of a month, which begins on dayOfYear, that lie in the weeks of the rule.
func (r *dayRule) weekDays(year, dayOfYear, length int) bitset {
	if r.weeks == 0 {
		return ^bitset(0)
	}
	var found bitset
	for d := range length {
		if r.weeks.has(isoWeek(year, dayOfYear+d)) {
			found |= 1 << uint(d+1)
		}
	}
	return found
}

// isoWeek returns the ISO 8601 week of a day; the first days of January may lie in week 52 or 53,
// the last of December in week 1.
func isoWeek(year, dayOfYear int) int {
	weekday := (newYear(year) + dayOfYear + 5) % 7 // Monday is 0
	week := (dayOfYear - weekday + 9) / 7
	switch {
	case week < 1:
		return weeksIn(year - 1)
	case week > weeksIn(year):
		return 1
	default:
		return week
	}
}

func weeksIn(year int) int {
	first := newYear(year)
	if first == 4 || (first == 3 && leap(year)) { // Thursday, or Wednesday of a leap year
		return 53
	}
	return 52
}

// shapeYears returns for each shape a year that has it, 0 where the calendar has none.
var shapeYears = sync.OnceValue(func() [shapes]int {
	var years [shapes]int
	for shape := range years {
		years[shape], _ = shapeYear(shape)
	}
	return years
})

// intersect keeps the days that both calendars have.
func (c *calendar) intersect(other *calendar) *calendar {
	both := new(calendar)
	for shape := range c.days {
		for month := 1; month <= 12; month++ {
			both.set(shape, month, bitset(c.days[shape][month-1]&other.days[shape][month-1]))
		}
	}
	return both
}

// whole tells that no day of any year is missing.
func (c *calendar) whole() bool {
	for shape, year := range shapeYears() {
		for month := 1; year != 0 && month <= 12; month++ {
			if bitset(c.days[shape][month-1]) != spanBits(1, monthLength(year, month), 1) {
				return false
			}
		}
	}
	return true
}
