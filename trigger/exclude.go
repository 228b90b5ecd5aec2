package trigger

import (
	"slices"
	"sort"
	"time"
)

// maxExcluded bounds how often one Next asks triggers on behalf of exclusions.
const maxExcluded = 10_000

// afterAll is later than any time a trigger has.
var afterAll = time.Unix(lastInstant+1, 0).UTC()

// filtered is a trigger without the times that are excluded.
type filtered struct {
	jittered
	out exclusion
}

// exclusion is a set of times.
type exclusion struct {
	days     []daysOut
	spans    []stretch // disjoint, in order
	triggers []jittered
}

// daysOut is whole days on the wall clock of a zone, in order.
type daysOut struct {
	zone    *time.Location
	numbers []int64
}

// stretch is the times from low to before high.
type stretch struct{ low, high time.Time }

func (f *filtered) Next(t time.Time) time.Time {
	left := maxExcluded
	return f.probe(t, &left)
}

// probe asks for the next time until one is not excluded. Days and stretches are jumped over, and so
// is what an excluded cron takes out by the minute, hour or day.
func (f *filtered) probe(t time.Time, left *int) time.Time {
	pending := make([]time.Time, len(f.out.triggers))
	next := ask(f.jittered, t, left)
	for !next.IsZero() {
		end := f.out.resume(next)
		if end.IsZero() {
			end = f.takenOut(next, pending, left)
		}
		if *left <= 0 {
			return time.Time{}
		}
		if end.IsZero() {
			return next
		}
		next = ask(f.jittered, end.Add(-time.Nanosecond), left)
	}
	return time.Time{}
}

// resume returns the first time from which at is not known to be excluded by a day or a stretch; the
// zero time if it is not excluded now.
func (x *exclusion) resume(at time.Time) time.Time {
	for _, d := range x.days {
		if end := d.resume(at); !end.IsZero() {
			return end
		}
	}
	i := sort.Search(len(x.spans), func(i int) bool { return x.spans[i].high.After(at) })
	if i < len(x.spans) && !x.spans[i].low.After(at) {
		return x.spans[i].high
	}
	return time.Time{}
}

// resume returns when the day of at ends, or its clock changes, if the day is out.
func (d daysOut) resume(at time.Time) time.Time {
	seg := segmentAt(d.zone, at.Unix())
	number := floorDay(at.Unix() + seg.offset)
	i, found := slices.BinarySearch(d.numbers, number)
	if !found {
		return time.Time{}
	}
	for i+1 < len(d.numbers) && d.numbers[i+1] == d.numbers[i]+1 {
		i++
	}
	return time.Unix(min((d.numbers[i]+1)*day-seg.offset, seg.end), 0).UTC()
}

// takenOut returns the end of the second, or of more, that an excluded trigger takes out at a time; the
// zero time if none does. pending holds the next time of each that is known.
func (f *filtered) takenOut(at time.Time, pending []time.Time, left *int) time.Time {
	second := time.Unix(at.Unix(), 0).UTC()
	for i, t := range f.out.triggers {
		if pending[i].Before(second) {
			pending[i] = ask(t, second.Add(-time.Nanosecond), left)
			if pending[i].IsZero() {
				pending[i] = afterAll
			}
		}
		if pending[i].Unix() == second.Unix() {
			return blockEnd(f.jittered, t, second)
		}
	}
	return time.Time{}
}
