package carillon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// JobState says whether a job has times to come.
type JobState string

// The states of a job.
const (
	JobIsActive JobState = "active"
	JobIsPaused JobState = "paused" // by somebody
	JobIsParked JobState = "parked" // by the leader, since its record or its trigger cannot be used
)

// JobsIn returns the jobs of a store that are in one state, in the order of Jobs.
func (c *Client) JobsIn(ctx context.Context, state JobState, opts ...CallOption) ([]Job, error) {
	var want store.State
	switch state {
	case JobIsActive:
		want = store.Active
	case JobIsPaused:
		want = store.Paused
	case JobIsParked:
		want = store.Parked
	default:
		return nil, fmt.Errorf("carillon: jobs in state %q: it is none of active, paused, parked", state)
	}
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	entries, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	jobs := []Job{}
	for _, e := range entries {
		if e.State == want {
			jobs = append(jobs, e.Document())
		}
	}
	return jobs, nil
}

// Export returns every job of a store as a document that goes on where the job is: with all defaults
// filled in and the trigger as it was given, except that an interval or a rule without a start has the
// one it got when it was added. MaxRuns is what is left of it, NextRunTime Paused for a job that is
// paused or parked, the time that was asked for where that is to come, else unsaid.
//
// Not in it: runs that are pending, history, the reason of a pause and a backlog. Records that cannot
// be read are logged and left out. It holds all jobs; WriteExport does not.
func (c *Client) Export(ctx context.Context, opts ...CallOption) ([]Job, error) {
	return listed(ctx, c, opts, carriedOn)
}

// Import adds jobs, which need an id, and returns them as stored. All are checked before the first is
// added: the errors of AddJob and ids given twice, together, each with its job. With
// ReplaceExisting a job whose id is taken is updated as by AddJob. InStore puts all into one store,
// whatever they name.
//
// It is not one step: when something fails after the check, those before it stay and are returned
// beside the error, and a repeat with ReplaceExisting goes on.
func (c *Client) Import(ctx context.Context, jobs []Job, opts ...CallOption) ([]Job, error) {
	o := callOf(opts)
	prepared := make([]Job, len(jobs))
	seen := map[place]bool{}
	var faults []error
	for i, j := range jobs {
		if o.store != "" {
			j.Store = o.store
		}
		fault := c.importable(ctx, &j, o.replace)
		at := place{j.Store, j.ID}
		if fault == nil && seen[at] {
			fault = fmt.Errorf("%w: id: it is given twice", ErrInvalidJob)
		}
		if fault != nil {
			faults = append(faults, fmt.Errorf("carillon: import: job %d, %q: %w", i+1, j.ID, fault))
			if errors.Is(fault, ErrUnreachable) || ctx.Err() != nil {
				break
			}
		}
		prepared[i], seen[at] = j, true
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	stored := make([]Job, 0, len(jobs))
	for i, j := range prepared {
		one, err := c.AddJob(ctx, j, opts...)
		if stoppedForGood(j, err) {
			one, err = c.addStopped(ctx, j)
		}
		if err != nil {
			return stored, fmt.Errorf("carillon: import: job %d, %q, after %d were added: %w", i+1, j.ID, len(stored), err)
		}
		stored = append(stored, one)
	}
	return stored, nil
}

// importable fills j's defaults in, and says why AddJob would refuse it now.
func (c *Client) importable(ctx context.Context, j *Job, replace bool) error {
	if j.ID == "" {
		return fmt.Errorf("%w: id: is missing", ErrInvalidJob)
	}
	prepared, s, err := c.prepare(ctx, *j)
	if err != nil {
		return err
	}
	*j = prepared
	now, err := s.Now(ctx, 0)
	if err != nil {
		return err
	}
	e, err := newEntry(prepared, now)
	if err != nil {
		return err
	}
	_, err = s.Get(ctx, j.ID)
	switch {
	case errors.Is(err, ErrJobNotFound):
		if err = schedule(&e, time.UnixMilli(now), almanacOf(ctx, s, j.ID)); stoppedForGood(*j, err) {
			return nil
		}
		return err
	case err != nil:
		return err
	case !replace:
		return ErrConflictingID
	}
	return nil
}

// stoppedForGood reports whether AddJob has refused a paused job because it has no time left. An import takes
// it all the same: it was there, and ends when it is resumed.
func stoppedForGood(j Job, refusal error) bool {
	return j.NextRunTime.IsPaused() && errors.Is(refusal, errNoTimeLeft)
}

// addStopped adds a paused job that has no time left.
func (c *Client) addStopped(ctx context.Context, j Job) (Job, error) {
	j, s, err := c.prepare(ctx, j)
	if err != nil {
		return Job{}, err
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return Job{}, err
	}
	e, err := newEntry(j, now)
	if err != nil {
		return Job{}, err
	}
	almanac := almanacOf(ctx, s, j.ID)
	if _, err := almanac.parse(e.Job.Trigger); err != nil {
		return Job{}, err
	}
	e.CalendarsVersion, e.State, e.Job.NextRunTime = almanac.version(), store.Paused, job.NextRun{}
	return e.Document(), s.Add(ctx, uuid.NewString(), e)
}
