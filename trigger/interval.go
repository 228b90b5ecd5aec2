package trigger

import (
	"math/bits"
	"time"
)

// shortest is the smallest interval; run times are stored in milliseconds.
const shortest = time.Millisecond

var intervalUnits = []struct {
	name string
	unit time.Duration
}{
	{"weeks", 7 * 24 * time.Hour}, {"days", 24 * time.Hour}, {"hours", time.Hour},
	{"minutes", time.Minute}, {"seconds", time.Second},
}

var intervalFields = []string{"weeks", "days", "hours", "minutes", "seconds", "every", "start_date", "end_date"}

// interval fires at start and every so much elapsed time after it, whatever the wall clock does.
// Without a start it has no phase and fires one interval after the time asked.
type interval struct {
	settings
	window
	every time.Duration
}

func (i *interval) Next(t time.Time) time.Time {
	t = t.Round(0).UTC()
	if i.start.IsZero() {
		return i.clip(t.Add(i.every))
	}
	if t.Before(i.start) {
		return i.clip(i.start)
	}
	return i.clip(t.Add(i.every - i.since(t)))
}

// since returns how long before t, which is not before start, the grid was last met. The elapsed
// time is counted in 128 bits, since a time.Duration ends after 292 years.
func (i *interval) since(t time.Time) time.Duration {
	seconds, nanos := t.Unix()-i.start.Unix(), int64(t.Nanosecond()-i.start.Nanosecond())
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+int64(time.Second)
	}
	hi, lo := bits.Mul64(uint64(seconds), uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(nanos), 0)
	return time.Duration(bits.Rem64(hi+carry, lo, uint64(i.every)))
}

func readInterval(_ scope, n *node, common settings) error {
	every, err := intervalLength(n.obj)
	if err != nil {
		return err
	}
	w, err := n.obj.window(common.zone)
	if err != nil {
		return err
	}
	n.trigger = &interval{settings: common, window: w, every: every}
	return nil
}

// intervalLength reads either every or the sum of the units.
func intervalLength(obj object) (time.Duration, error) {
	var total time.Duration
	units := 0
	for _, u := range intervalUnits {
		if !obj.has(u.name) {
			continue
		}
		if obj.has("every") {
			return 0, obj.refuse(u.name, "give either every or weeks, days, hours, minutes, seconds")
		}
		part, err := obj.amount(u.name, u.unit)
		if err != nil {
			return 0, err
		}
		var fits bool
		if total, fits = sum(total, part); !fits {
			return 0, obj.refuse(u.name, "the interval is longer than 292 years")
		}
		units++
	}
	path := "every"
	if obj.has(path) {
		var err error
		if total, err = obj.duration(path); err != nil {
			return 0, err
		}
	} else if units == 0 {
		return 0, refuse(obj.at(path), obj.raw, "missing, and no weeks, days, hours, minutes or seconds either")
	}
	if total < shortest {
		return 0, refuse(obj.at(path), obj.raw, "the interval must be at least 1ms")
	}
	return total, nil
}
