package carillon

import (
	"context"
	"time"

	"github.com/carillon-project/carillon/store"
)

// Standing is a job and whether it has times to come.
type Standing struct {
	Job    Job
	State  JobState
	Reason string // of a pause, why the leader parked it, or why an active job never fires; empty when there is none
}

// Standings returns every job of a store with its state, in the order of Jobs.
func (c *Client) Standings(ctx context.Context, opts ...CallOption) ([]Standing, error) {
	return listed(ctx, c, opts, standingOf)
}

// EachJob hands see every job of a store with its state, in no order, until see returns false. However
// many there are, it holds some hundred at a time. A job may be seen twice; one that comes or goes
// meanwhile may be seen or not.
func (c *Client) EachJob(ctx context.Context, see func(Standing) bool, opts ...CallOption) error {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return err
	}
	return s.EachJob(ctx, func(e store.Entry) bool { return see(standingOf(e)) })
}

// NextTimes returns the next times of a job, at most count: the one that waits to be dispatched, then
// those of its trigger without what it and its calendars exclude, as far as max_runs lets it run. A
// job that is paused or parked has none. They are nominal times, without jitter. ErrJobNotFound when
// the id is not there.
func (c *Client) NextTimes(ctx context.Context, id string, count int, opts ...CallOption) ([]time.Time, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	e, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	times := []time.Time{}
	if e.State != store.Active || e.Next == 0 {
		return times, nil
	}
	t, err := almanacOf(ctx, s, id).parse(e.Job.Trigger)
	if err != nil {
		return nil, err
	}
	if left := int64(e.Job.MaxRuns) - e.Runs; e.Job.MaxRuns > 0 {
		count = min(count, int(max(left, 0)))
	}
	for next := milliTime(e.Next); len(times) < count && !next.IsZero(); next = t.Next(next) {
		times = append(times, milliTime(ceilMillis(next)))
	}
	return times, nil
}

// Standing returns a job with its state. ErrJobNotFound when the id is not there.
func (c *Client) Standing(ctx context.Context, id string, opts ...CallOption) (Standing, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return Standing{}, err
	}
	e, err := s.Get(ctx, id)
	if err != nil {
		return Standing{}, err
	}
	return standingOf(e), nil
}

// reasonNeverFires says what is wrong with a job that is active and has no next run time, and what to do.
const reasonNeverFires = "it has no next run time and never fires: resume it"

// neverFires reports whether a job is active and has no next run time. No script leaves one so; an earlier version could.
func neverFires(e store.Entry) bool { return e.State == store.Active && e.RunTime == 0 }

func standingOf(e store.Entry) Standing {
	states := map[store.State]JobState{store.Active: JobIsActive, store.Paused: JobIsPaused, store.Parked: JobIsParked}
	s := Standing{Job: e.Document(), State: states[e.State], Reason: e.Reason}
	if neverFires(e) {
		s.Reason = reasonNeverFires
	}
	return s
}
