package carillon

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// PauseJob stops a job's times until ResumeJob; the times between are not made up for, and are
// recorded when it resumes.
func (c *Client) PauseJob(ctx context.Context, id string, opts ...CallOption) (Job, error) {
	o := callOf(opts)
	s, err := c.store(o.store)
	if err != nil {
		return Job{}, err
	}
	return c.change(ctx, s, id, job.JobPaused, o.reason, func(e store.Entry) (store.Entry, error) {
		e.State, e.Reason, e.RunTime = store.Paused, o.reason, 0
		return e, nil
	})
}

// ResumeJob lets a paused or parked job's times go on, counted from now. The times that passed are
// one row of its history, with their count and the cause. A job that is neither stays as it is, unless it
// has lost its next run time: then it gets that again, and is due at once if it has passed.
func (c *Client) ResumeJob(ctx context.Context, id string, opts ...CallOption) (Job, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return Job{}, err
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return Job{}, err
	}
	var skipped Row
	return c.change(ctx, s, id, job.JobResumed, "", func(e store.Entry) (store.Entry, error) {
		by := almanacOf(ctx, s, id)
		switch {
		case neverFires(e):
			return revived(e, time.UnixMilli(now), by)
		case e.State == store.Active:
			return e, errUnchanged
		}
		skipped = passed(e, time.UnixMilli(now), by)
		if skipped.Count > 0 {
			e.Last = ceilMillis(skipped.Until)
		}
		e.State, e.Reason = store.Active, ""
		return e, schedule(&e, time.UnixMilli(now), by)
	}, &skipped)
}

// revived gives an active job that has no run time the one that its header tells, or its next.
func revived(e store.Entry, now time.Time, by *almanac) (store.Entry, error) {
	t, err := by.parse(e.Job.Trigger)
	if err != nil || e.Next <= e.Last {
		return e, cmp.Or(err, schedule(&e, now, by))
	}
	e.RunTime, e.CalendarsVersion = e.Next, by.version()
	if e.Next != e.Asked {
		e.RunTime += trigger.Spread(t, e.UID, time.UnixMilli(e.Next)).Milliseconds()
	}
	return e, nil
}

// countable is a trigger that counts its times without walking them.
type countable interface {
	Count(after, until time.Time) (n int64, last time.Time)
}

// passedLimit bounds how many times are walked to be counted.
const passedLimit = 10_000

// passed is the history row of the times of a paused job up to now; its count is 0 if there were
// none, or if they cannot be told because the trigger cannot be read.
func passed(e store.Entry, now time.Time, by *almanac) Row {
	first := time.UnixMilli(e.Next)
	t, err := by.parse(e.Job.Trigger)
	if err != nil || e.Next == 0 || first.After(now) {
		return Row{}
	}
	how := "paused"
	if e.State == store.Parked {
		how = "parked"
	}
	row := Row{Outcome: job.Missed, ScheduledTime: first, Until: first, Finished: now, Count: 1, Cause: how}
	if e.Reason != "" {
		row.Cause += ": " + e.Reason
	}
	if c, ok := t.(countable); ok {
		if n, last := c.Count(first, now); n > 0 {
			row.Count, row.Until = row.Count+int(n), last
		}
		return row
	}
	for next := t.Next(first); !next.IsZero() && !next.After(now); next = t.Next(next) {
		if row.Count == passedLimit {
			row.Cause += fmt.Sprintf(" (counted up to %d)", passedLimit)
			break
		}
		row.Count, row.Until = row.Count+1, next
	}
	return row
}

// counted are the rows that say something.
func counted(rows []*Row) []Row {
	var all []Row
	for _, r := range rows {
		if r.Count > 0 {
			all = append(all, *r)
		}
	}
	return all
}
