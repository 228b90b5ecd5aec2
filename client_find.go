package carillon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// RunState is where a run is.
type RunState string

// The states of a run. A run is in exactly one.
const (
	RunQueued  RunState = "stream"  // waiting for an executor to take it up
	RunRunning RunState = "running" // a node has it
	RunDelayed RunState = "delayed" // waiting for a time: enqueued for later, in backoff, or handed back
	RunWaiting RunState = "waiting" // in line for a slot of its job
	RunEnded   RunState = "ended"
)

// RunInfo is what is known of a run. Fields that do not apply are zero.
type RunInfo struct {
	RunID         string
	Store         string
	JobID         string // "@task" for an ad-hoc run
	Task          string // empty for most that have ended, as are Executor
	Executor      string
	State         RunState
	ScheduledTime time.Time
	Attempt       int       // the current one; of a run that does not run, the next
	Due           time.Time // of a delayed run
	Node          string
	Started       time.Time
	Cancelling    bool // somebody asked the node to end it
	// Unserved is true of a delayed run that waits for a live node of its executor to serve its task, since
	// UnservedSince, and of a queued one that no such node could run; for the latter GetRun also looks whether
	// any node serves its executor.
	Unserved      bool
	UnservedSince time.Time
	Follows       string // the run that it follows in its slot, and that is in that state
	Dead          bool   // it failed for good and can be retried
	Row           *Row   // of a run that has ended
}

// MarshalJSON prints the shape outside programs read, with the row's fields beside the others.
func (r RunInfo) MarshalJSON() ([]byte, error) {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return job.FormatTime(t)
	}
	w := struct {
		RunID         string          `json:"run_id"`
		Store         string          `json:"store"`
		JobID         string          `json:"job_id"`
		Task          string          `json:"task,omitempty"`
		Executor      string          `json:"executor,omitempty"`
		State         RunState        `json:"state"`
		ScheduledTime string          `json:"scheduled_time"`
		Attempt       int             `json:"attempt"`
		Due           string          `json:"due,omitempty"`
		Node          string          `json:"node,omitempty"`
		Started       string          `json:"started,omitempty"`
		Cancelled     bool            `json:"cancelled,omitempty"`
		Unserved      bool            `json:"unserved,omitempty"`
		UnservedSince string          `json:"unserved_since,omitempty"`
		Follows       string          `json:"follows,omitempty"`
		Dead          bool            `json:"dead,omitempty"`
		Outcome       job.Outcome     `json:"outcome,omitempty"`
		Finished      string          `json:"finished,omitempty"`
		Error         string          `json:"error,omitempty"`
		Cause         string          `json:"cause,omitempty"`
		Result        json.RawMessage `json:"result,omitempty"`
	}{
		RunID: r.RunID, Store: r.Store, JobID: r.JobID, Task: r.Task, Executor: r.Executor, State: r.State,
		ScheduledTime: at(r.ScheduledTime), Attempt: r.Attempt, Due: at(r.Due), Node: r.Node, Started: at(r.Started),
		Cancelled: r.Cancelling, Unserved: r.Unserved, UnservedSince: at(r.UnservedSince), Follows: r.Follows, Dead: r.Dead,
	}
	if r.Row != nil {
		w.Outcome, w.Finished, w.Error, w.Cause, w.Result = r.Row.Outcome, at(r.Row.Finished), r.Row.Error, r.Row.Cause, r.Row.Result
	}
	return json.Marshal(w)
}

// OfJob says whose run a GetRun is for, so that it is found in that job's history.
func OfJob(id string) CallOption { return func(c *call) { c.ofJob = id } }

// GetRun returns what is known of a run. One that has ended is looked for in the history of OfJob,
// else by the event log, the list of dead runs and the histories of ad-hoc tasks: a run of a job
// whose events have gone is not found without OfJob. Up to 100,000 runs of each stream and line
// are looked through. ErrRunNotFound when it is in none of them.
func (c *Client) GetRun(ctx context.Context, runID string, opts ...CallOption) (RunInfo, error) {
	o := callOf(opts)
	s, err := c.store(o.store)
	if err != nil {
		return RunInfo{}, err
	}
	p, err := s.Find(ctx, runID)
	if err == nil {
		return foundIn(ctx, s, p, runID)
	}
	if !errors.Is(err, ErrRunNotFound) {
		return RunInfo{}, err
	}
	row, jobID, err := s.Ended(ctx, runID, o.ofJob)
	if err != nil {
		return RunInfo{}, err
	}
	r := RunInfo{
		RunID: runID, Store: s.Name(), JobID: jobID, State: RunEnded, ScheduledTime: row.ScheduledTime, Attempt: row.Attempt,
		Node: row.Node, Started: row.Started, Row: &row,
	}
	d, err := s.FindDead(ctx, runID)
	if errors.Is(err, ErrRunNotFound) {
		return r, nil
	}
	r.Dead, r.Task, r.Executor = err == nil, d.Task, d.Executor
	return r, err
}

// foundIn is infoOf, with whether anybody is there to take up what is queued.
func foundIn(ctx context.Context, s *store.Store, p store.Placed, runID string) (RunInfo, error) {
	r := infoOf(s.Name(), p, runID)
	if r.State != RunQueued {
		return r, nil
	}
	consumers, err := s.Consumers(ctx, p.Partition, []string{p.Executor})
	if r.Unserved = len(consumers) == 0; r.Unserved || err != nil {
		return r, err
	}
	known, err := s.Registry(ctx)
	r.Unserved = known.Unserved(r.Executor, r.Task)
	return r, err
}

// infoOf is what is known of one run of p.
func infoOf(storeName string, p store.Placed, runID string) RunInfo {
	r := RunInfo{
		RunID: runID, Store: storeName, JobID: p.JobID, Task: p.Task, Executor: p.Executor, State: RunState(p.Place),
		Attempt: p.Attempt, Node: p.Node, Started: milliTime(p.Started), Due: milliTime(p.Due), Cancelling: p.Cancelled,
		Unserved: p.Unserved != 0, UnservedSince: milliTime(p.Unserved),
	}
	for _, run := range p.Runs {
		if run.ID == runID {
			r.ScheduledTime = milliTime(run.Scheduled)
		}
	}
	if first := p.Runs[0].ID; first != runID {
		r.Follows, r.Attempt, r.Node, r.Started, r.Cancelling = first, 1, "", time.Time{}, false
	}
	return r
}

func milliTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Runs returns up to limit runs of a store that are in one state, which is not RunEnded: the
// earliest first in delayed and in lines, the oldest first in streams. Runs that follow another in
// its slot come after it. Of each stream and line up to 100,000 are looked through. Runs that move
// meanwhile may be missed or seen twice.
func (c *Client) Runs(ctx context.Context, state RunState, limit int, opts ...CallOption) ([]RunInfo, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	if state == RunEnded {
		return nil, errors.New("carillon: runs: those that have ended stand in History and DeadRuns")
	}
	runs := []RunInfo{}
	var known store.Registry
	if state == RunQueued {
		if known, err = s.Registry(ctx); err != nil {
			return nil, err
		}
	}
	for p := range s.Partitions() {
		err := s.Each(ctx, p, store.Place(state), func(one store.Placed) bool {
			for _, run := range one.Runs {
				if len(runs) < limit {
					r := infoOf(s.Name(), one, run.ID)
					r.Unserved = r.Unserved || known.Unserved(r.Executor, r.Task)
					runs = append(runs, r)
				}
			}
			return len(runs) < limit
		})
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// DeadRuns returns up to limit runs of a store that failed for good and were not retried, the latest
// first. The latest 1,000 of each partition are kept. Row is nil where the history is gone. A message
// that nobody could read is among them: Row.Error says why, and RunID and JobID are empty if it did
// not tell them.
func (c *Client) DeadRuns(ctx context.Context, limit int, opts ...CallOption) ([]RunInfo, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return nil, err
	}
	dead, err := s.DeadRuns(ctx, limit)
	if err != nil {
		return nil, err
	}
	histories := map[string]map[string]Row{}
	runs := make([]RunInfo, len(dead))
	for i, d := range dead {
		if histories[d.JobID] == nil {
			if histories[d.JobID], err = rowsByRun(ctx, s, d.JobID); err != nil {
				return nil, err
			}
		}
		runs[i] = infoOf(s.Name(), store.Placed{Message: d.Message}, d.Runs[0].ID)
		runs[i].State, runs[i].Dead = RunEnded, true
		if d.Unreadable != "" {
			runs[i].Row = &Row{RunID: runs[i].RunID, Outcome: job.Failed, Attempt: 1, Error: d.Unreadable}
			continue
		}
		if row, ok := histories[d.JobID][d.Runs[0].ID]; ok {
			runs[i].Row, runs[i].Node, runs[i].Started, runs[i].Attempt = &row, row.Node, row.Started, row.Attempt
		}
	}
	return runs, nil
}

func rowsByRun(ctx context.Context, s *store.Store, jobID string) (map[string]Row, error) {
	const all = 1_000_000
	rows, err := s.History(ctx, jobID, all)
	byRun := make(map[string]Row, len(rows))
	for _, r := range rows {
		byRun[r.RunID] = r
	}
	return byRun, err
}

// CancelRun ends a run. One that a node has is asked to end: its handler's context is cancelled. One
// that has not started, wherever it waits, is closed at once with the outcome cancelled.
// ErrRunFollows when it follows another in its slot, which has to end first. ErrRunNotFound when
// it has ended or never was.
func (c *Client) CancelRun(ctx context.Context, runID string, opts ...CallOption) error {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return err
	}
	return s.Cancel(ctx, runID)
}

// CancelTask ends every run of a task that has not started, wherever it waits, and returns how many: those that
// wait since no live node of their executor serves the task, too. Of each stream and line up to 100,000 are looked
// through. Runs that nodes have, and those that follow one of them in its slot, go on.
func (c *Client) CancelTask(ctx context.Context, task string, opts ...CallOption) (int, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return 0, err
	}
	return s.CancelTask(ctx, task)
}

// RetryRun takes a run that failed for good out of the list of dead runs and sends it again as a new
// run, whose id it returns: with the args, options and scheduled time it had, all its attempts, no
// grace, and waiting in line if its job has no slot free. A second call gives ErrRunNotFound, as
// does a run that is not in the list; ErrJobNotFound when its job was removed; ErrLineFull when the
// line for its slot is full: it stays in the list then.
func (c *Client) RetryRun(ctx context.Context, runID string, opts ...CallOption) (string, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return "", err
	}
	d, err := s.FindDead(ctx, runID)
	if err != nil {
		return "", err
	}
	now, err := s.Now(ctx, d.Partition)
	if err != nil {
		return "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("carillon: retry run %s: %w", runID, err)
	}
	again := d.Message
	again.Attempt, again.Lost, again.Failed, again.Grace = 1, 0, 0, job.GraceNone
	if again.Max > 0 {
		again.Overlap = job.OverlapQueue
	}
	again.Runs = []store.MessageRun{{ID: id.String(), Scheduled: d.Runs[0].Scheduled, Due: now}}
	return id.String(), s.Retry(ctx, id.String(), d, again)
}
