package trigger

import (
	"math"
	"time"

	rfc "github.com/teambition/rrule-go"
)

// maxCandidates bounds a search of a rule. Each candidate is the next time that the parts of the
// rule allow or that its interval does, so it takes a rule whose parts and interval hardly ever meet
// to need many.
const maxCandidates = 10_000

// rrule is a recurrence rule of RFC 5545. It is computed on the wall clock, in periods that lie
// interval units apart, and then turned into instants as section 3.3.10 of the RFC says: a time in a
// gap is later by the length of the gap, of a repeated time the first occurrence counts.
type rrule struct {
	settings
	wallClock
	window
	daytime
	freq      rfc.Frequency
	interval  int64
	weekStart int64 // the weekday on which weeks begin, 0 is Sunday
	days      *yearDays
	picks     []int // BYSETPOS
	anchored  bool
	start     int64 // DTSTART on the wall clock
	last      int64 // the last wall-clock second, by COUNT or by UNTIL
}

func (r *rrule) Next(t time.Time) time.Time {
	return r.clip(r.next(r.zone, r, t))
}

// nextWall returns the first wall-clock second of the rule at or after wall.
func (r *rrule) nextWall(wall int64) (int64, bool) {
	left := maxCandidates
	return r.look(wall, &left)
}

// look is nextWall as long as candidates are left.
func (r *rrule) look(wall int64, left *int) (int64, bool) {
	wall = max(wall, r.start)
	var ok bool
	if len(r.picks) == 0 {
		wall, ok = r.nextAllowed(wall, left)
	} else {
		wall, ok = r.nextPicked(wall, left)
	}
	return wall, ok && wall <= r.last
}

// nextAllowed is nextWall without BYSETPOS.
func (r *rrule) nextAllowed(wall int64, left *int) (int64, bool) {
	for ; *left > 0; *left-- {
		found, ok := r.daytime.nextWall(r.days, wall)
		if !ok || found > r.last {
			return 0, false
		}
		if wall = r.align(found); wall <= found {
			return found, true
		}
	}
	return 0, false
}

// pickCost is what a look into a period costs, in candidates.
const pickCost = 4

// nextPicked is nextWall with BYSETPOS: of each period, only the times at certain positions.
func (r *rrule) nextPicked(wall int64, left *int) (int64, bool) {
	for ; *left > 0; *left -= pickCost {
		allowed, ok := r.nextAllowed(wall, left)
		if !ok {
			return 0, false
		}
		low, high := r.period(allowed)
		if found, ok := r.pickWithin(low, high, wall); ok {
			return found, true
		}
		wall = high
	}
	return 0, false
}

// pickWithin returns the first picked second of the period from low to high that is wall or later.
// Seconds are numbered from the beginning of the period's first day.
func (r *rrule) pickWithin(low, high, wall int64) (int64, bool) {
	perDay, firstDay := r.size(), floorDay(low)
	skipped, end := r.rankWithin(firstDay, low), r.rankWithin(firstDay, high)
	best, found := int64(math.MaxInt64), false
	for _, position := range r.picks { // in the order of their distance from either end
		if max(position, -position) > end-skipped {
			break
		}
		index := skipped + position - 1
		if position < 0 {
			index = end + position
		}
		at := r.days.pick(firstDay, index/perDay)*day + int64(r.pick(index%perDay))
		if at >= wall && at < best {
			best, found = at, true
		}
	}
	return best, found
}

// rankWithin returns how many allowed seconds lie from the beginning of a day to before wall.
func (r *rrule) rankWithin(firstDay, wall int64) int {
	number := floorDay(wall)
	n := r.days.count(firstDay, number-1) * r.size()
	if rest := int(wall - number*day); rest > 0 {
		n += r.days.count(number, number) * r.rank(rest)
	}
	return n
}

// align returns wall if its period is one of the rule's, else the beginning of the next that is.
func (r *rrule) align(wall int64) int64 {
	index := r.periodIndex(wall)
	over := (index - r.periodIndex(r.start)) % r.interval
	if over == 0 {
		return wall
	}
	return r.periodStart(index + r.interval - over)
}

// period returns the bounds of the period that holds wall.
func (r *rrule) period(wall int64) (low, high int64) {
	index := r.periodIndex(wall)
	return r.periodStart(index), r.periodStart(index + 1)
}

// periodIndex numbers the periods of the rule's frequency.
func (r *rrule) periodIndex(wall int64) int64 {
	switch number := floorDay(wall); r.freq {
	case rfc.YEARLY:
		year, _, _ := civil(number)
		return int64(year)
	case rfc.MONTHLY:
		year, month, _ := civil(number)
		return int64(year*12 + month - 1)
	case rfc.WEEKLY:
		return floorDiv(number-r.weekOffset(), 7)
	case rfc.DAILY:
		return number
	default:
		return floorDiv(wall, r.unit())
	}
}

// periodStart returns the first wall-clock second of a period.
func (r *rrule) periodStart(index int64) int64 {
	switch r.freq {
	case rfc.YEARLY:
		return dayNumber(int(min(index, lastYear+1)), 1, 1) * day
	case rfc.MONTHLY:
		index = min(index, (lastYear+1)*12)
		return dayNumber(int(index/12), int(index%12+1), 1) * day
	case rfc.WEEKLY:
		return (index*7 + r.weekOffset()) * day
	case rfc.DAILY:
		return index * day
	default:
		return index * r.unit()
	}
}

// weekOffset is some day on which a week begins; day 0 was a Thursday.
func (r *rrule) weekOffset() int64 { return r.weekStart - 4 }

// unit is the length of the periods shorter than a day.
func (r *rrule) unit() int64 {
	switch r.freq {
	case rfc.HOURLY:
		return 3600
	case rfc.MINUTELY:
		return 60
	default:
		return 1
	}
}

// meets reports whether the interval can ever meet the times of day that the rule allows. Steps of
// less than a day come to the same times of day, up to what they and a day have in common.
func (r *rrule) meets() bool {
	if r.freq < rfc.HOURLY || r.interval == 1 {
		return true
	}
	unit := int(r.unit())
	shared := gcd(int64(day/unit), r.interval)
	for second := r.timeOfDay(0); second >= 0; second = r.timeOfDay(second) {
		if (int64(second/unit)-floorDiv(r.start, r.unit()))%shared == 0 {
			return true
		}
		if second = (second/unit + 1) * unit; second >= day {
			break
		}
	}
	return false
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
