package trigger

import (
	"fmt"
	"math"
	"slices"
	"strings"

	rfc "github.com/teambition/rrule-go"
)

// maxCount bounds a COUNT that has to be walked when the rule is parsed.
const maxCount = 10_000

// maxWalk bounds how many candidates may be looked at to find the last of COUNT times.
const maxWalk = 100_000

func readRRule(_ scope, n *node, common settings) error {
	obj := n.obj
	if !obj.has("rule") {
		return refuse(obj.at("rule"), obj.raw, "missing")
	}
	text, err := obj.text("rule")
	if err != nil {
		return err
	}
	rule, reason := readRule(text)
	if reason != "" {
		return obj.refuse("rule", reason)
	}
	w, err := obj.window(common.zone)
	if err != nil {
		return err
	}
	if w.start.Nanosecond() != 0 {
		return obj.refuse("start_date", "a rule counts whole seconds")
	}
	r := &rrule{
		settings: common, window: w, freq: rule.Freq, interval: int64(max(rule.Interval, 1)),
		weekStart: int64(crontabWeekday(rule.Wkst)), picks: byDistance(rule.Bysetpos), anchored: obj.has("start_date"),
		wallClock: wallClock{shift: true, fold: foldFirst, until: lastInstant},
	}
	if err := r.readStart(obj); err != nil {
		return err
	}
	rule.fill(r.start)
	r.hours, r.minutes, r.seconds = numbersOf(rule.Byhour, 24), numbersOf(rule.Byminute, 60), numbersOf(rule.Bysecond, 60)
	r.days = rule.days()
	if reason := r.limit(rule); reason != "" {
		return obj.refuse("rule", reason)
	}
	n.trigger = r
	return nil
}

// readStart reads DTSTART, as the wall clock of the zone shows it. A rule without one has the phase of
// 1970 until it is resolved.
func (r *rrule) readStart(obj object) error {
	if !r.anchored {
		r.from = -maxOffset
		return nil
	}
	start, err := obj.date("start_date", r.zone)
	if err != nil {
		return err
	}
	r.start = start.wall
	if start.fixed {
		r.start = start.at.Unix() + offsetAt(r.zone, start.at.Unix())
	}
	first, _ := start.bounds(r.zone)
	r.from = first.Unix()
	return nil
}

// limit ends the rule as its COUNT or UNTIL says.
func (r *rrule) limit(rule recurrence) string {
	r.last = lastInstant + maxOffset
	switch {
	case !r.meets():
		r.last = math.MinInt64
	case rule.Count > 0:
		return r.endAfter(rule)
	case rule.Until.IsZero():
	case rule.untilUTC:
		r.end = earlier(r.end, rule.Until)
	case rule.untilDay:
		r.last = rule.Until.Unix() + day - 1
	default:
		r.last = rule.Until.Unix()
	}
	if !r.end.IsZero() {
		r.until = min(r.until, r.end.Unix())
	}
	return ""
}

// endAfter finds the last of Count times. The rule must have no end yet.
func (r *rrule) endAfter(rule recurrence) string {
	if rule.even {
		step := r.interval
		switch r.freq {
		case rfc.WEEKLY:
			step *= 7 * day
		case rfc.DAILY:
			step *= day
		default:
			step *= r.unit()
		}
		if int64(rule.Count) < (r.last-r.start)/step {
			r.last = r.start + int64(rule.Count-1)*step
		}
		return ""
	}
	if rule.Count > maxCount {
		return fmt.Sprintf("COUNT=%d: more than %d takes a rule of FREQ and INTERVAL alone, WEEKLY or shorter; use UNTIL", rule.Count, maxCount)
	}
	last := int64(math.MinInt64)
	from := r.start
	budget := maxWalk
	for range rule.Count {
		left := maxCandidates
		wall, ok := r.look(from, &left)
		if !ok {
			break
		}
		if budget -= maxCandidates - left; budget < 0 {
			return fmt.Sprintf("COUNT=%d: its times are too far between to be counted; use UNTIL", rule.Count)
		}
		last, from = wall, wall+1
	}
	r.last = last
	return ""
}

// recurrence is a rule as the library reads it, and what that does not tell.
type recurrence struct {
	rfc.ROption
	untilUTC bool // UNTIL is an instant, not a wall-clock time
	untilDay bool // UNTIL is a whole day
	even     bool // one time per period of a fixed length: FREQ and INTERVAL alone
}

// fill takes from the start what the rule leaves open.
func (r *recurrence) fill(start int64) {
	number := floorDay(start)
	year, month, date := civil(number)
	if len(r.Byweekno)+len(r.Byyearday)+len(r.Bymonthday)+len(r.Byweekday) == 0 {
		switch r.Freq {
		case rfc.YEARLY:
			if len(r.Bymonth) == 0 {
				r.Bymonth = []int{month}
			}
			r.Bymonthday = []int{date}
		case rfc.MONTHLY:
			r.Bymonthday = []int{date}
		case rfc.WEEKLY:
			r.Byweekday = []rfc.Weekday{libraryWeekdays[(newYear(year)+int(number-dayNumber(year, 1, 1)))%7]}
		}
	}
	second := int(start - number*day)
	if len(r.Byhour) == 0 && r.Freq < rfc.HOURLY {
		r.Byhour = []int{second / 3600}
	}
	if len(r.Byminute) == 0 && r.Freq < rfc.MINUTELY {
		r.Byminute = []int{second / 60 % 60}
	}
	if len(r.Bysecond) == 0 && r.Freq < rfc.SECONDLY {
		r.Bysecond = []int{second % 60}
	}
}

// numbersOf returns the set of list; an empty list is all numbers below end.
func numbersOf(list []int, end int) bitset {
	if len(list) == 0 {
		return spanBits(0, end-1, 1)
	}
	var b bitset
	for _, n := range list {
		b |= 1 << uint(n)
	}
	return b
}

var libraryWeekdays = []rfc.Weekday{rfc.SU, rfc.MO, rfc.TU, rfc.WE, rfc.TH, rfc.FR, rfc.SA}

// crontabWeekday counts from Sunday as 0; the library counts from Monday.
func crontabWeekday(w rfc.Weekday) int { return (w.Day() + 1) % 7 }

// days returns the days that the parts of the rule allow.
func (r *recurrence) days() *yearDays {
	months := numbersOf(r.Bymonth, 13)
	return newYearDays(func(d calendarDay) bool {
		return months.has(d.month) &&
			named(r.Bymonthday, d.date, d.date-d.monthLength-1) &&
			named(r.Byyearday, d.yearDay, d.yearDay-d.yearLength-1) &&
			r.weekdayNamed(d) && r.weekNamed(d)
	})
}

// named reports whether a number, or the same counted from the end, is in list, or list is empty.
func named(list []int, n, fromEnd int) bool {
	for _, m := range list {
		if m == n || m == fromEnd {
			return true
		}
	}
	return len(list) == 0
}

// weekdayNamed applies BYDAY. Its numbers count within the month, or within the year of a yearly rule
// without BYMONTH.
func (r *recurrence) weekdayNamed(d calendarDay) bool {
	nth, nthLast := d.monthNth, d.monthNthLast
	if r.Freq == rfc.YEARLY && len(r.Bymonth) == 0 {
		nth, nthLast = d.yearNth, d.yearNthLast
	}
	for _, w := range r.Byweekday {
		if crontabWeekday(w) == d.weekday && (w.N() == 0 || w.N() == nth || w.N() == nthLast) {
			return true
		}
	}
	return len(r.Byweekday) == 0
}

// weekNamed applies BYWEEKNO. Week 1 is the first with four days in the year; a day may lie in a week
// of the year before or after.
func (r *recurrence) weekNamed(d calendarDay) bool {
	if len(r.Byweekno) == 0 {
		return true
	}
	start := crontabWeekday(r.Wkst)
	into := (d.weekday - start + 7) % 7 // days since the week began
	year, fourth := d.year, d.yearDay-into+3
	switch {
	case fourth < 1:
		year--
		fourth += yearLength(year)
	case fourth > d.yearLength:
		fourth -= d.yearLength
		year++
	}
	week := (fourth + 6) / 7
	weeks := week + (yearLength(year)-fourth)/7
	return named(r.Byweekno, week, week-weeks-1)
}

func yearLength(year int) int {
	if leap(year) {
		return 366
	}
	return 365
}

// byDistance sorts positions by how far from either end they count.
func byDistance(positions []int) []int {
	sorted := slices.Clone(positions)
	slices.SortFunc(sorted, func(a, b int) int { return max(a, -a) - max(b, -b) })
	return sorted
}

// upper is the rule in the capitals that the library wants.
func upper(text string) string {
	return strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "RRULE:")
}
