package trigger

import (
	"math"
	"time"
)

// fold says which of the two occurrences of a repeated wall-clock time fire.
type fold string

const (
	foldFirst fold = "first"
	foldLast  fold = "last"
	foldBoth  fold = "both"
)

// wallClock turns wall-clock times into instants.
type wallClock struct {
	shift       bool // wall-clock times in a gap run, later by the length of the gap
	fold        fold
	from, until int64 // the window in Unix seconds, inclusive
}

// wallTimes is a sequence of wall-clock seconds, counted as if the clock were UTC.
type wallTimes interface {
	// nextWall returns the first of them at or after wall.
	nextWall(wall int64) (int64, bool)
}

// maxSegments bounds a search. Between two clock changes of a zone the wall clock runs evenly, and a
// search jumps from candidate to candidate, so a year whose candidates all fall into a gap costs two
// segments; the calendar repeats after 400 years.
const maxSegments = 2*400 + 20

// next returns the first instant after t at which the clock of zone shows one of walls.
func (c *wallClock) next(zone *time.Location, walls wallTimes, t time.Time) time.Time {
	if t.Unix() >= lastInstant {
		return time.Time{}
	}
	unix, ok := c.search(zone, walls, max(t.Unix()+1, c.from))
	if !ok {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}

// search returns the first firing second at or after from, within the window.
func (c *wallClock) search(zone *time.Location, walls wallTimes, from int64) (int64, bool) {
	for range maxSegments {
		if from > c.until {
			return 0, false
		}
		seg := segmentAt(zone, from)
		if unix, ok := c.within(zone, walls, seg, from); ok {
			return unix, unix <= c.until
		}
		if seg.end == math.MaxInt64 {
			return 0, false
		}
		// Nothing more in this segment. What comes shows a wall clock at or after the change,
		// so jump to the next wall-clock match, short of it by more than any clock change.
		wall, ok := walls.nextWall(seg.end + min(seg.offset, offsetAt(zone, seg.end)))
		if !ok {
			return 0, false
		}
		from = max(seg.end, wall-2*maxOffset)
	}
	return 0, false
}

// within returns the first firing second of a segment at or after from. Times shifted out of a gap
// belong to the segment after it.
func (c *wallClock) within(zone *time.Location, walls wallTimes, seg segment, from int64) (int64, bool) {
	low, high := from+seg.offset, seg.end
	if high != math.MaxInt64 {
		high += seg.offset
	}
	unix, found := int64(math.MaxInt64), false
	if seg.start != math.MinInt64 && from-seg.start < maxOffset {
		before := offsetAt(zone, seg.start-1)
		if c.fold == foldFirst {
			low = max(low, seg.start+before) // earlier wall-clock times have been
		}
		if c.shift && before < seg.offset {
			wall, ok := walls.nextWall(from + before)
			if ok && wall < seg.start+seg.offset {
				unix, found = wall-before, true
			}
		}
	}
	wall, ok := walls.nextWall(low)
	if ok && c.fold == foldLast && high-wall < maxOffset {
		high = min(high, seg.end+offsetAt(zone, seg.end)) // later ones will come again
	}
	if ok && wall < high && wall-seg.offset < unix {
		unix, found = wall-seg.offset, true
	}
	return unix, found
}
