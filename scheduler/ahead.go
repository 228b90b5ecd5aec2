package scheduler

import (
	"context"
	"time"

	"github.com/carillon-project/carillon/store"
)

const (
	// aheadPage is how many jobs one step of a look for jobs that are ahead reads, about.
	aheadPage = 500
	// setBack is from which on the clock of Redis counts as set back.
	setBack = time.Minute
)

// ahead looks for jobs that were dispatched while the clock of Redis was ahead, see store.Header.Ahead: they are
// silent until it has come to their last times. It looks when the office is taken, when the clock was set back, and
// each minute while there are some.
type ahead struct {
	looked bool  // since the office was taken, or the clock was set back
	latest int64 // time of Redis that was seen, Unix ms
	found  int   // as far as observers were told
}

// due reports whether a look is due; minute is whether the chores of a minute are.
func (a *ahead) due(known store.Chores, minute bool) bool {
	if before := max(a.latest, known.Last); known.Now < before-setBack.Milliseconds() {
		a.looked = false
	}
	a.latest = known.Now
	return !a.looked || minute && a.found > 0
}

// lookAhead counts the jobs that are ahead, and tells of them.
func (c *chores) lookAhead(ctx context.Context) error {
	found, example := 0, ""
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		began := c.elapsed()
		call, done := c.limited(ctx)
		n, id, next, err := c.cfg.Store.CountAhead(call, c.index, cursor, aheadPage)
		done()
		if err != nil {
			return err
		}
		if found, cursor = found+n, next; n > 0 {
			example = id
		}
		if cursor != 0 {
			pause(ctx, min(forgetShare*(c.elapsed()-began), time.Second))
		}
	}
	c.ahead.looked = true
	c.tellAhead(found)
	if found > 0 {
		c.log.Error("jobs were dispatched while the clock of Redis was ahead: they are silent until it comes to their last times",
			"count", found, "job", example, "remedy", "see that the clock of Redis is right, then: carillon job rewind --all")
	}
	return nil
}

// tellAhead tells observers how many jobs are ahead now.
func (c *chores) tellAhead(found int) {
	if found != c.ahead.found {
		c.cfg.Observe(Observation{Partition: c.index, Ahead: found - c.ahead.found})
		c.ahead.found = found
	}
}
