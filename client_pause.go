package carillon

import (
	"cmp"
	"context"
	"errors"
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
//
// A job that has no time left, since its last one passed meanwhile, ends as after its last run: the row
// is kept, the job is removed with the cause "finished", and the answer says why in Ended. One that only
// its calendars leave no time stays as it is, with an error.
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
			resumed, err := revived(e, time.UnixMilli(now), by)
			if errors.Is(err, errNoTimeLeft) {
				err = endingOf(e, time.UnixMilli(now), Row{})
			}
			return resumed, err
		case e.State == store.Active:
			return e, errUnchanged
		}
		skipped = passed(e, time.UnixMilli(now), by)
		if skipped.Count > 0 {
			e.Last = ceilMillis(skipped.Until)
		}
		if max := int64(e.Job.MaxRuns); max > 0 && e.Runs >= max {
			skipped = Row{}
			return e, &ending{fmt.Sprintf("it has had its %d runs (max_runs)", max)}
		}
		resumed := e
		resumed.State, resumed.Reason = store.Active, ""
		err := schedule(&resumed, time.UnixMilli(now), by)
		if errors.Is(err, errNoTimeLeft) {
			err = endingOf(e, time.UnixMilli(now), skipped)
		}
		return resumed, err
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

// ending is what the function of change returns when the job has come to its end.
type ending struct{ why string }

func (e *ending) Error() string { return "the job has ended: " + e.why }

// endingOf says why a job ends that has no time left, or that its calendars are at fault: what they end may
// be a mistake, which removing the job would make worse.
func endingOf(e store.Entry, now time.Time, passed Row) error {
	t, err := trigger.ParseWith(e.Job.Trigger, func(string) ([]byte, error) { return nil, nil })
	if err != nil {
		return err
	}
	if after := time.UnixMilli(e.Last); after.After(now) {
		now = after
	}
	if !t.Next(now).IsZero() {
		return fmt.Errorf("%w: its calendars leave it no time after %s; mend them, or its trigger, and resume it", ErrInvalidTrigger, job.FormatTime(now))
	}
	if passed.Count == 0 {
		return &ending{"its trigger has no time left after " + job.FormatTime(now)}
	}
	return &ending{"its last time, " + job.FormatTime(passed.Until) + ", passed while it was " + passed.Cause}
}

// end removes a job that change found to have ended.
func end(ctx context.Context, s *store.Store, op string, old store.Entry, why string, rows []Row) (Job, error) {
	err := s.FinishJob(ctx, op, old, why, rows...)
	j := old.Job
	j.NextRunTime, j.Ended = job.Paused(), why
	return j, err
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
	t, err := by.parse(e.Job.Trigger)
	if err != nil {
		return Row{}
	}
	first := time.UnixMilli(e.Next)
	if e.Next == 0 { // it was added paused
		first = t.Next(time.UnixMilli(max(e.Last, e.Created)))
	}
	if first.IsZero() || first.After(now) {
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
