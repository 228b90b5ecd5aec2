package trigger

import (
	"math"
	"time"
)

// blockEnd returns a time before which every time of the trigger inner from second on, at which the
// trigger out fires, is excluded: the next second, or as much later as can be told at once.
func blockEnd(inner, out jittered, second time.Time) time.Time {
	switch out := out.(type) {
	case *cron:
		return time.Unix(out.block(inner, second.Unix()), 0).UTC()
	case *interval:
		if out.every > time.Second || out.start.IsZero() {
			break
		}
		if out.end.IsZero() {
			return afterAll
		}
		if out.end.After(second.Add(time.Second)) {
			return time.Unix(out.end.Unix(), 0).UTC()
		}
	}
	return second.Add(time.Second)
}

// anyTime is every second of a day.
var anyTime = daytime{hours: 1<<24 - 1, minutes: 1<<60 - 1, seconds: 1<<60 - 1}

// block returns a Unix second before which c fires at every second, from the given one on, at which
// inner may fire. It looks no further than the clock runs evenly.
func (c *cron) block(inner jittered, second int64) int64 {
	seg := segmentAt(c.zone, second)
	wall := second + seg.offset
	if next, ok := c.nextWall(wall); !ok || next != wall {
		return second + 1 // shifted out of a gap
	}
	number := floorDay(wall)
	end := wall + 1
	switch may := timesOf(inner, c.zone, seg, second); {
	case may.seconds&^c.seconds != 0:
	case may.minutes&^c.minutes != 0:
		end = wall - wall%60 + 60
	case may.hours&^c.hours != 0:
		end = wall - wall%3600 + 3600
	default:
		end = c.lastOfRun(number)*day + day
	}
	if seg.end != math.MaxInt64 {
		high := seg.end + seg.offset
		if c.fold == foldLast {
			high = min(high, seg.end+offsetAt(c.zone, seg.end))
		}
		end = min(end, high)
	}
	return min(end-seg.offset, c.until+1)
}

// maxRun bounds how many days in a row are looked at.
const maxRun = 8

// lastOfRun returns a day up to which c has all days from number on.
func (c *cron) lastOfRun(number int64) int64 {
	if c.everyDay {
		return lastInstant / day
	}
	for range maxRun {
		if next, ok := c.nextDay(number + 1); !ok || next != number+1 {
			break
		}
		number++
	}
	return number
}

// timesOf returns the times of day, in a zone and from a second to the end of its segment, at which
// inner may fire.
func timesOf(inner jittered, zone *time.Location, seg segment, second int64) daytime {
	if c, ok := inner.(*cron); ok && c.zone == zone && (!c.shift || second-seg.start > maxOffset || seg.start == math.MinInt64) {
		return c.daytime
	}
	return anyTime
}
