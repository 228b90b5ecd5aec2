package matrix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

func poisonFaults() []Fault {
	return []Fault{
		{
			Name: "poison-job", Says: "a run that kills each node it is given to, one with 50 MB of output, a stored job that cannot be read",
			Promise: "the run is closed as lost (max_lost) after three nodes of its executor, and can be retried; the record is parked; jobs of other executors lose nothing",
			Strike:  poison,
			Judge:   poisoned,
		},
		{
			Name: "handler-panic", Says: "a handler that panics in each of six runs and their retries", Chaos: true,
			Promise: "outcome error with what it panicked with; the node lives; other runs are unharmed",
			Strike:  panicking,
			Judge: func(f *Field, h history.History) []error {
				return append(punctual(f, h), noReruns(h)...)
			},
		},
	}
}

// poison adds jobs that no node can do, for an executor that one node serves, and puts another node in
// the place of each that they kill.
func poison(ctx context.Context, f *Field) error {
	began := f.Now()
	serve := func() error {
		n, err := f.StartNode("poisoned", "--executor", "poison=4", "--allow-shell", "/bin/sh")
		if err != nil {
			return err
		}
		return n.Ready(ctx)
	}
	if err := serve(); err != nil {
		return err
	}
	if err := f.spoilRecord(ctx); err != nil {
		return err
	}
	shell := func(id, line string) error {
		return f.AddUnseen(ctx, f.Client, carillon.Job{
			ID: id, Task: "shell", Executor: "poison", Trigger: carillon.At(began.Add(time.Second)),
			Args: carillon.Args(map[string]any{"argv": []string{"/bin/sh", "-c", line}}),
		})
	}
	if err := shell("poison-output", "head -c 50000000 /dev/zero"); err != nil {
		return err
	}
	if _, err := f.given(ctx, "poison-output"); err != nil {
		return err
	}
	if err := shell("poison-kill", "kill -9 $PPID"); err != nil {
		return err
	}
	for {
		for _, n := range f.Died(began) {
			f.Say("poison: %s is dead", n.Name)
			if err := serve(); err != nil {
				return err
			}
		}
		rows, err := f.Client.History(ctx, "poison-kill", 1)
		if err == nil && len(rows) > 0 {
			return f.offered(ctx, rows[0])
		}
		if err := f.Rest(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("matrix: the run that kills nodes was not given up: %w", err)
		}
	}
}

// offered checks that a run that was given up says why, is among the dead and can be retried: it is
// sent again once the node that it would kill has ended, and cancelled.
func (f *Field) offered(ctx context.Context, row carillon.Row) error {
	if !strings.Contains(row.Cause, "max_lost") {
		return fmt.Errorf("matrix: the run that kills nodes was given up for %q", row.Cause)
	}
	dead, err := f.Client.DeadRuns(ctx, 10)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(dead, func(r carillon.RunInfo) bool { return r.RunID == row.RunID && r.Dead }) {
		return fmt.Errorf("matrix: run %s is not among the dead", row.RunID)
	}
	if err := f.retire(ctx, f.Node("poisoned")); err != nil {
		return err
	}
	again, err := f.Client.RetryRun(ctx, row.RunID)
	if err != nil {
		return err
	}
	return f.Client.CancelRun(ctx, again)
}

// panicking adds jobs whose handler panics, waits until each was given up after its retry, and asks
// that no process ended.
func panicking(ctx context.Context, f *Field) error {
	const jobs = 6
	before := f.Running()
	f.fresh++
	var ids []string
	for i := range jobs {
		id := fmt.Sprintf("panic-%d-%d", f.fresh, i)
		ids = append(ids, id)
		err := f.AddUnseen(ctx, f.Client, carillon.Job{
			ID: id, Task: "panic", Trigger: carillon.At(f.Now().Add(300 * time.Millisecond)),
			Options: carillon.Options{Retry: carillon.Retry{MaxAttempts: 2}},
		})
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		row, err := f.given(ctx, id)
		if err != nil {
			return err
		}
		if row.Outcome != job.Failed || row.Attempt != 2 || !strings.HasPrefix(row.Error, "panic: as it was told") {
			return fmt.Errorf("matrix: %s ended as %s in attempt %d: %s", id, row.Outcome, row.Attempt, row.Error)
		}
	}
	if now := f.Running(); !slices.Equal(before, now) {
		return fmt.Errorf("matrix: of %d nodes %d are left after a panic", len(before), len(now))
	}
	return f.someRuns(ctx)
}

// given returns the latest row of the job's history, once there is one.
func (f *Field) given(ctx context.Context, id string) (carillon.Row, error) {
	for {
		rows, err := f.Client.History(ctx, id, 1)
		if err == nil && len(rows) > 0 {
			return rows[0], nil
		}
		if err := f.Rest(ctx, 50*time.Millisecond); err != nil {
			return carillon.Row{}, fmt.Errorf("matrix: %s has not ended: %w", id, err)
		}
	}
}

// unreadable is the id of a job whose stored record is no record.
const unreadable = "poison-record"

// spoilRecord stores what is no job, due now.
func (f *Field) spoilRecord(ctx context.Context) error {
	_, err := f.Raw().Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, "{default:0}:jobs", unreadable, "\x00\xff no job")
		p.ZAdd(ctx, "{default:0}:run_times", redis.Z{Score: float64(f.Now().UnixMilli()), Member: unreadable})
		return nil
	})
	return err
}

// poisoned checks what became of the poison.
func poisoned(f *Field, h history.History) (bad []error) {
	ends := map[string]string{}
	for _, o := range h.Outcomes {
		if strings.HasPrefix(o.JobID, "poison-") {
			ends[o.JobID] += fmt.Sprintf("%s, attempt %d; ", o.Outcome, o.Attempt)
		}
	}
	for id, want := range map[string]string{"poison-kill": "lost, attempt 3; cancelled, attempt 1; ", "poison-output": "executed, attempt 1; "} {
		if ends[id] != want {
			bad = append(bad, fmt.Errorf("%s ended as %q, want %q", id, ends[id], want))
		}
	}
	killed := history.Count(h).Kills
	f.Figure("nodes the run killed", "%d", killed)
	if killed != 3 {
		bad = append(bad, fmt.Errorf("the run killed %d nodes, want 3", killed))
	}
	due, err := f.Raw().ZScore(context.Background(), "{default:0}:run_times", unreadable).Result()
	if !errors.Is(err, redis.Nil) {
		bad = append(bad, fmt.Errorf("the unreadable job is still due at %.0f (%w)", due, err))
	}
	return bad
}
