package trigger

import (
	"math"
	"time"
)

const day = 86400

// maxOffset is more than any zone is away from UTC, and more than any clock change, in seconds:
// Samoa crossed the date line with one of 24 hours.
const maxOffset = 26 * 3600

// segment is a stretch of time in which a zone keeps one offset: start <= unix second < end.
type segment struct {
	start, end int64
	offset     int64
}

// segmentAt returns the segment of zone that holds the second unix. A side without a clock change
// reaches to the end of int64.
func segmentAt(zone *time.Location, unix int64) segment {
	at := time.Unix(unix, 0).In(zone)
	_, offset := at.Zone()
	start, end := at.ZoneBounds()
	seg := segment{start: math.MinInt64, end: math.MaxInt64, offset: int64(offset)}
	if !start.IsZero() {
		seg.start = start.Unix()
	}
	if !end.IsZero() {
		seg.end = end.Unix()
	}
	if seg.end <= unix {
		// Beyond the recorded changes ZoneBounds ends every year after 365 days, so that the last
		// day of a leap year lies outside of its own bounds. No rule changes clocks on that day.
		seg.end = time.Date(at.UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	}
	return seg
}

func offsetAt(zone *time.Location, unix int64) int64 {
	_, offset := time.Unix(unix, 0).In(zone).Zone()
	return int64(offset)
}

// occurrences is when a wall-clock second happens: first and last differ in a fold. In a gap it
// never does (exists is false) and both are the wall-clock time shifted by the length of the gap.
type occurrences struct {
	first, last int64
	exists      bool
}

// occur finds when the wall clock of zone shows wall, a second counted as if the clock were UTC.
func occur(zone *time.Location, wall int64) occurrences {
	var found occurrences
	prev := segmentAt(zone, wall-maxOffset)
	shifted := wall - prev.offset
	for seg := prev; ; {
		at := wall - seg.offset
		if at >= seg.start && at < seg.end {
			if !found.exists {
				found = occurrences{first: at, last: at, exists: true}
			}
			found.last = at
		}
		if seg.end >= wall+maxOffset {
			break
		}
		prev, seg = seg, segmentAt(zone, seg.end)
		if wall >= seg.start+prev.offset && wall < seg.start+seg.offset {
			shifted = wall - prev.offset
		}
	}
	if !found.exists {
		found.first, found.last = shifted, shifted
	}
	return found
}
