package carillontest

import (
	"context"
	"slices"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// RunRecord is one call of a handler: one attempt of a run.
type RunRecord struct {
	carillon.Run
	Started time.Time
	Ended   time.Time   // zero while the handler runs
	Err     error       // what the handler returned
	Outcome job.Outcome // how the attempt ended; "" until the store has been told
	// Retrying says that another attempt of the run follows.
	Retrying bool
}

// Skip is a due time that did not run, or a stretch of Count of them from ScheduledTime to Until;
// Outcome and Cause say why.
type Skip struct {
	JobID string
	carillon.Row
}

// endings are the events that end an attempt.
var endings = carillon.Mask(job.JobExecuted, job.JobError, job.JobRetrying, job.JobCancelled)

// record is the middleware that notes each call of a handler.
func (k *Kit) record(_ string, next carillon.TaskFunc) carillon.TaskFunc {
	return func(ctx context.Context, run carillon.Run) (result any, err error) {
		r := &RunRecord{Run: run, Started: k.now().UTC()}
		k.mu.Lock()
		k.runs = append(k.runs, r)
		k.last[run.ID] = r
		k.mu.Unlock()
		defer func() {
			k.mu.Lock()
			r.Ended, r.Err = k.now().UTC(), err
			k.mu.Unlock()
		}()
		return next(ctx, run)
	}
}

// note adds how the attempt ended.
func (k *Kit) note(e carillon.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.last[e.RunID]
	if r == nil || r.Attempt != e.Attempt {
		return
	}
	r.Retrying = e.Kind == job.JobRetrying
	switch {
	case e.Kind == job.JobExecuted:
		r.Outcome = job.Executed
	case e.Kind == job.JobCancelled:
		r.Outcome = job.Cancelled
	case e.Cause == "timeout":
		r.Outcome = job.TimedOut
	default:
		r.Outcome = job.Failed
	}
}

// Runs are all calls of handlers so far, in the order of their starts; those of one instant by job,
// scheduled time and attempt. With names of jobs, or "@task" for ad-hoc runs, only theirs.
func (k *Kit) Runs(jobs ...string) []RunRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := []RunRecord{}
	for _, r := range k.runs {
		if len(jobs) == 0 || slices.Contains(jobs, r.JobID) {
			all = append(all, *r)
		}
	}
	slices.SortStableFunc(all, compareRuns)
	return all
}

// Times are the scheduled times of Runs, first attempts only.
func (k *Kit) Times(jobs ...string) []time.Time {
	all := []time.Time{}
	for _, r := range k.Runs(jobs...) {
		if r.Attempt == 1 {
			all = append(all, r.ScheduledTime)
		}
	}
	return all
}

// History are the rows of a job, oldest first: one for each run that has ended, by its last
// attempt, and one for each stretch of times that did not run.
func (k *Kit) History(id string) []carillon.Row {
	k.t.Helper()
	rows, err := k.client.History(context.Background(), id, limit)
	k.must(err)
	slices.Reverse(rows)
	return rows
}

// Skipped are the due times that did not run, by job and in order: missed, coalesced, refused by
// max_instances, or cancelled before they started. With names of jobs, only theirs.
func (k *Kit) Skipped(jobs ...string) []Skip {
	k.t.Helper()
	all := []Skip{}
	for _, id := range k.jobs() {
		if len(jobs) > 0 && !slices.Contains(jobs, id) {
			continue
		}
		for _, row := range k.History(id) {
			if row.Started.IsZero() {
				all = append(all, Skip{JobID: id, Row: row})
			}
		}
	}
	return all
}
