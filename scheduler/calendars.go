package scheduler

import (
	"context"
	"errors"

	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// errNoTimeLeft parks a job: that its calendars end it may be a mistake, which removing it would
// make worse.
var errNoTimeLeft = errors.New("its calendars leave it no time; mend them, or its trigger, and resume it")

// follow returns the next time of a job that refers to calendars, as they are now. The stored one
// stands if the trigger still has it and, when it lies ahead, none comes before it, or if somebody
// asked for it. Times that have passed are not made up for: a calendar that leaves them in again does
// not bring them back. errNoTimeLeft when there is none.
func (c *compiled) follow(h store.Header, runTime, now int64) (instant, error) {
	w := &walk{rules: c.rules, first: instant{h.Next, max(runTime, h.Next)}}
	if h.Next == c.asked {
		return w.first, nil
	}
	from := max(h.Last, now)
	if h.Next <= now {
		from = max(h.Last, h.Next-1)
	}
	next := w.after(from)
	if next.nominal == 0 && w.err == nil {
		return next, errNoTimeLeft
	}
	return next, w.err
}

// endedByCalendars returns the next time of a job that a decision ends although its trigger, without
// what the calendars leave out, goes on; zero when the job has ended by itself. It is due at once: the
// next look gives the job the time that changed calendars leave it, or parks it.
func (c *compiled) endedByCalendars(h store.Header, d decision, now int64) (instant, error) {
	if c.calendars == 0 || d.next.nominal != 0 || left(c.maxRuns, h.Runs+int64(len(d.runs))) == 0 {
		return d.next, nil
	}
	t, err := trigger.ParseWith(c.document, func(string) ([]byte, error) { return []byte(`{"exclude":[]}`), nil })
	if err != nil {
		return instant{}, err
	}
	w := &walk{rules: rules{trigger: t, uid: c.uid}}
	next := w.next(max(d.last, now))
	if next == 0 {
		return instant{}, w.err
	}
	return instant{next, now}, w.err
}

// reviewPage is about how many jobs are given their times by changed calendars between two looks at
// what is due.
const reviewPage = 250

// review is how far the jobs that refer to calendars have been gone through since these changed.
type review struct {
	version int64 // of the calendars; 0 = none is under way
	cursor  uint64
	newer   int  // jobs of a newer format that were passed
	over    bool // all were gone through, but for those: a node that can read them goes on
}

// seeCalendars reads the calendars again when due shows another version of them.
func (p *partition) seeCalendars(ctx context.Context, due store.Due) error {
	if due.CalendarsBroken == "" && due.CalendarsVersion == p.calendars.Version {
		return nil
	}
	call, done := p.call(ctx)
	defer done()
	if due.CalendarsBroken != "" {
		p.log.Error("the version of the calendars cannot be read, set anew", "version", due.CalendarsBroken,
			"remedy", "none is needed; see who writes to this redis")
		return p.cfg.Store.MendCalendars(call, p.index, p.office, due.CalendarsBroken)
	}
	c, err := p.cfg.Store.Calendars(call, p.index)
	if err != nil {
		return err
	}
	p.calendars = c
	for _, h := range p.held {
		h.tally = tally{} // counted by the older ones
	}
	return nil
}

// followCalendars gives a page of the jobs that refer to calendars the times that these leave them
// since they changed, and reports whether there may be more to do. A leader that ends in between
// leaves the version not applied, and the next one begins again, which changes nothing twice.
func (p *partition) followCalendars(ctx context.Context, due store.Due) (more bool, err error) {
	version := p.calendars.Version
	if due.CalendarsApplied == version || due.CalendarsVersion != version {
		p.review = review{}
		return due.CalendarsVersion != version, nil
	}
	if p.review.version != version {
		p.review = review{version: version}
	}
	if p.review.over {
		return false, nil
	}
	call, done := p.call(ctx)
	defer done()
	entries, newer, cursor, err := p.cfg.Store.Referring(call, p.index, p.review.cursor, reviewPage)
	if err != nil {
		return false, err
	}
	moves, parked, err := p.followAll(ctx, entries, due.Now)
	if err != nil {
		return false, err
	}
	write, done := p.call(ctx)
	defer done()
	stayed := parked == 0 // nobody knows of a job that was to be parked whether it was changed just then
	whole, err := p.cfg.Store.FollowCalendars(write, p.index, p.office, version, cursor == 0 && stayed && p.review.newer+newer == 0, moves)
	if errors.Is(err, store.ErrCalendarsChanged) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if n := len(moves) + parked; n > 0 {
		p.log.Info("jobs follow their calendars", "count", n, "version", version)
		p.cfg.Observe(Observation{Partition: p.index, Followed: n})
	}
	if whole && stayed { // otherwise the page is read again
		p.review.cursor = cursor
		p.review.newer += newer
		if p.review.over = cursor == 0 && p.review.newer > 0; p.review.over {
			p.log.Warn("jobs of a newer format do not follow their calendars yet", "count", p.review.newer, "version", version,
				"remedy", "they do once a node of the newer version leads")
		}
	}
	return true, nil
}

// followAll says which of the jobs get another next time, and parks those that get none.
func (p *partition) followAll(ctx context.Context, entries []store.Entry, now int64) (moves []store.Follow, parked int, err error) {
	for _, e := range entries {
		p.pulse.beat()
		if e.State != store.Active || e.RunTime == 0 {
			continue
		}
		next, err := p.nextOf(e, now)
		if err != nil {
			if err := p.parkFailed(ctx, store.DueJob{ID: e.Job.ID, RunTime: e.RunTime}, &e.Header, err); err != nil {
				return nil, 0, err
			}
			parked++
			continue
		}
		if next.nominal == e.Next {
			continue
		}
		h := e.Header
		h.Next = next.nominal
		moves = append(moves, store.Follow{Old: e, Next: h, RunTime: next.due})
	}
	return moves, parked, nil
}

// nextOf is follow for a stored job, whose trigger may fail or panic.
func (p *partition) nextOf(e store.Entry, now int64) (next instant, err error) {
	defer recoverTrigger(&err)
	c, err := p.compile(e)
	if err != nil || c.calendars == 0 {
		return instant{nominal: e.Next}, err
	}
	return c.follow(e.Header, e.RunTime, now)
}
