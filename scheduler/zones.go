package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/store"
)

// errNoTimeByRules parks a job: that new zone rules end it may be a mistake of theirs.
var errNoTimeByRules = errors.New("the zone rules leave it no time; mend its trigger, and resume it")

// widestShift is by how much zone rules can differ: no offset has changed by more than a day.
const widestShift = 26 * time.Hour

// rezone is how far the jobs have been gone through since the zone rules changed.
type rezone struct {
	pending bool   // it is not known that every job follows the rules of this leader
	before  string // the version that jobs may have followed; "" = not read yet
	cursor  uint64
	behind  bool // a job was left out, so that the rules do not count as followed
}

// followZones gives a page of the jobs the times of this leader's zone rules, if jobs may have been stored
// by others, and reports whether there may be more to do. A leader that ends in between leaves that said, and
// the next one begins again, which changes nothing twice.
func (p *partition) followZones(ctx context.Context, due store.Due) (more bool, err error) {
	z := &p.rezone
	if !z.pending {
		return false, nil
	}
	call, done := p.call(ctx)
	defer done()
	if z.before == "" {
		if z.before, err = p.cfg.Store.ZonesBefore(call, p.index); err != nil {
			return false, err
		}
		z.pending = z.before != ""
		return z.pending, nil
	}
	entries, cursor, newer, err := p.cfg.Store.JobsFrom(call, p.index, z.cursor, reviewPage)
	if err != nil {
		return false, err
	}
	moves, parked, err := p.zoneMoves(ctx, entries, due.Now)
	if err != nil {
		return false, err
	}
	z.behind = z.behind || newer || parked > 0
	write, done := p.call(ctx)
	defer done()
	cause := fmt.Sprintf("zone rules changed from %s to %s", z.before, p.office.Zones)
	whole, err := p.cfg.Store.FollowZones(write, p.index, p.office, cause, cursor == 0 && !z.behind, moves)
	if err != nil {
		return false, err
	}
	for _, m := range moves {
		p.jobs.drop(m.Old.Job.ID)
	}
	if len(moves) > 0 {
		p.log.Info("jobs follow other zone rules", "count", len(moves), "before", z.before, "now", p.office.Zones)
		p.cfg.Observe(Observation{Partition: p.index, Followed: len(moves)})
	}
	if whole { // otherwise the page is read again
		z.cursor, z.pending = cursor, cursor != 0
	}
	return z.pending, nil
}

// zoneMoves says which of the jobs get another next time, and parks those that get none.
func (p *partition) zoneMoves(ctx context.Context, entries []store.Entry, now int64) (moves []store.Follow, parked int, err error) {
	for _, e := range entries {
		p.pulse.beat()
		if e.State != store.Active || e.RunTime == 0 || e.Next == 0 || e.Next == e.Asked {
			continue
		}
		next, err := p.byRules(e, now)
		if errors.Is(err, errNoTimeByRules) {
			j := store.DueJob{ID: e.Job.ID, RunTime: e.RunTime}
			if err := p.park(ctx, store.Sighting{DueJob: j, Header: &e.Header}, err.Error(), nil); err != nil {
				return nil, 0, err
			}
			parked++
			continue
		}
		if err != nil || next.nominal == e.Next {
			continue // a trigger that fails is parked when it is due
		}
		h := e.Header
		h.Next = next.nominal
		moves = append(moves, store.Follow{Old: e, Next: h, RunTime: next.due})
	}
	return moves, parked, nil
}

// byRules returns the next time of a job by the zone rules in use. Times that the rules move from ahead of now
// to behind it are not made up for, unless no other is left: the last time counts too.
func (p *partition) byRules(e store.Entry, now int64) (next instant, err error) {
	defer recoverTrigger(&err)
	c, err := p.compile(e)
	if err != nil {
		return next, err
	}
	w := &walk{rules: c.rules, first: instant{e.Next, max(e.RunTime, e.Next)}}
	from := max(e.Last, now)
	if e.Next <= now {
		from = max(e.Last, e.Next-1)
	}
	if next = w.after(from); next.nominal == 0 && w.err == nil {
		next = w.after(max(e.Last, min(now, e.Next)-widestShift.Milliseconds()))
	}
	if next.nominal == 0 && w.err == nil {
		err = errNoTimeByRules
	}
	return next, errors.Join(err, w.err)
}
