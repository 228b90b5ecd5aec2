package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// longStepFaults kill the leader in the middle of work that takes several steps, which its successor must
// finish.
func longStepFaults() []Fault {
	return []Fault{
		{
			Name: "leader-killed-in-backlog", Says: "leaders killed while a job with `coalesce: all` and 2,502 times that are due runs",
			Promise: "every time runs once; no run is refused because the message before it still runs",
			Strike:  killInBacklog,
		},
		{
			Name: "leader-killed-in-calendar-walk", Says: "leader killed while 2,000 jobs get new times from a changed calendar",
			Promise: "every job gets its new time",
			Strike:  killInCalendarWalk,
		},
		{
			Name: "leader-killed-in-recovery", Says: "leader killed while it recovers the runs of a node that was killed",
			Promise: "every run comes again and is executed",
			Strike:  killInRecovery,
		},
		{
			Name: "leader-killed-in-removal", Says: "leader killed while a client removes all of 2,000 jobs",
			Promise: "no job is left, none fires again; jobs that are added again fire (the takeover lasts until they do)",
			Strike:  killInRemoval,
		},
	}
}

// killInBacklog adds a job that is behind by three messages, and kills the leader in the first and in the second.
func killInBacklog(ctx context.Context, f *Field) error {
	const times, every = 2502, 10 * time.Minute // its next time is ten minutes away
	f.fresh++
	id := fmt.Sprintf("backlog-%d", f.fresh)
	healed := f.Harm(history.Disturbed, "") // its runs are late from the beginning
	defer healed()
	first := f.Now().Add(-(times-1)*every - time.Second)
	err := f.Add(ctx, f.Client, rig.Spec{
		Job: history.Job{ID: id, First: first, Every: every, MaxInstances: 1, Behind: true}, URL: f.Witness.URL(0),
	})
	if err != nil {
		return err
	}
	for _, begun := range []int{100, 1100, times} {
		read, ran := 0, map[int64]bool{}
		err := f.Witness.Wait(ctx, fmt.Sprintf("%d runs of %s", begun, id), func(seen []history.Execution) bool {
			for ; read < len(seen); read++ {
				if e := seen[read]; e.JobID == id {
					ran[e.Scheduled.UnixMilli()] = true
				}
			}
			return len(ran) >= begun
		})
		if err == nil && begun < times {
			err = killLeader(ctx, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addFar adds jobs that are due once, at noon of a day that is far away, under ids that begin with the prefix.
func (f *Field) addFar(ctx context.Context, prefix string, jobs int, trigger json.RawMessage) error {
	const adders = 8
	ended := make(chan error, adders)
	for a := range adders {
		go func() {
			for i := a; i < jobs; i += adders {
				j := carillon.Job{ID: fmt.Sprintf("%s-%04d", prefix, i), Task: "log", Trigger: trigger}
				if _, err := f.Client.AddJob(ctx, j); err != nil {
					ended <- fmt.Errorf("matrix: add far job: %w", err)
					return
				}
			}
			ended <- nil
		}()
	}
	var errs []error
	for range adders {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// killInCalendarWalk changes a calendar that many jobs refer to, and kills the leader at once.
func killInCalendarWalk(ctx context.Context, f *Field) error {
	const jobs = 2000
	f.fresh++
	name := fmt.Sprintf("far%d", f.fresh)
	trigger := carillon.Args(map[string]any{"type": "cron", "expr": "0 12 1,2 1 *", "exclude": []map[string]string{{"calendar": name}}})
	if err := f.Client.SetCalendar(ctx, name, json.RawMessage(`{"exclude":[]}`)); err != nil {
		return err
	}
	if err := f.addFar(ctx, name, jobs, trigger); err != nil {
		return err
	}
	year := f.Now().UTC().Year() + 1
	if err := f.Client.SetCalendar(ctx, name, json.RawMessage(fmt.Sprintf(`{"exclude":["%d-01-01"]}`, year))); err != nil {
		return err
	}
	if err := f.Rest(ctx, time.Duration(f.Random.Int64N(int64(100*time.Millisecond)))); err != nil {
		return err
	}
	if err := killLeader(ctx, f); err != nil {
		return err
	}
	moved := time.Date(year, 1, 2, 12, 0, 0, 0, time.UTC)
	for {
		all, err := f.Client.Jobs(ctx)
		count := 0
		for _, j := range all {
			if at, _ := j.NextRunTime.Time(); strings.HasPrefix(j.ID, name+"-") && at.Equal(moved) {
				count++
			}
		}
		if err == nil && count == jobs {
			return nil
		}
		if rest := f.Rest(ctx, 100*time.Millisecond); rest != nil {
			return fmt.Errorf("matrix: %d of %d jobs have the time that the calendar leaves them: %w", count, jobs, errors.Join(err, rest))
		}
	}
}

// killInRecovery kills a node that has runs, and the leader some time after it was told so.
func killInRecovery(ctx context.Context, f *Field) error {
	const jobs = 60
	if err := f.Spared(ctx); err != nil {
		return err
	}
	f.fresh++
	name := fmt.Sprintf("recovered-%d", f.fresh)
	for i := range jobs {
		spec := rig.Spec{
			Job: history.Job{ID: fmt.Sprintf("%s-%02d", name, i), First: f.Now().Add(200 * time.Millisecond)},
			URL: f.Witness.HoldURL(name, 0),
		}
		if err := f.Add(ctx, f.Client, spec); err != nil {
			return err
		}
	}
	n, err := f.Follower(ctx)
	if err != nil {
		return err
	}
	count := func(wanted func(history.Execution) bool, least int) error {
		return f.Witness.Wait(ctx, fmt.Sprintf("%d runs of %s", least, name), func(seen []history.Execution) bool {
			runs := map[string]bool{}
			for _, e := range seen {
				if strings.HasPrefix(e.JobID, name+"-") && wanted(e) {
					runs[e.JobID] = true
				}
			}
			return len(runs) >= least
		})
	}
	if err := count(func(e history.Execution) bool { return e.Node == n.Name }, 5); err != nil {
		return err
	}
	f.Kill(n)
	if err := f.Rest(ctx, time.Duration(f.Random.Int64N(int64(600*time.Millisecond)))); err != nil {
		return err
	}
	err = killLeader(ctx, f)
	f.Witness.Release(name)
	if err != nil {
		return err
	}
	if err := count(func(e history.Execution) bool { return e.Answered }, jobs); err != nil {
		return err
	}
	return f.Replace(ctx, n.Name)
}

// killInRemoval has a client remove all jobs, kills the leader meanwhile, and brings the load back.
func killInRemoval(ctx context.Context, f *Field) error {
	const jobs = 2000
	if err := f.Spared(ctx); err != nil {
		return err
	}
	backup, err := f.Command(ctx, nil, "store", "export")
	if err != nil {
		return err
	}
	if err := f.addFar(ctx, "gone", jobs, carillon.At(f.Now().Add(24*time.Hour))); err != nil {
		return err
	}
	leader, term, err := f.Office(ctx)
	if err != nil {
		return err
	}
	removed, asked := make(chan error, 1), f.Now()
	var done time.Time
	go func() {
		_, err := f.Client.RemoveAllJobs(ctx)
		done = f.Now()
		removed <- err
	}()
	err = f.Rest(ctx, time.Duration(f.Random.Int64N(int64(800*time.Millisecond))))
	killed := f.Now()
	f.Kill(leader)
	if err := errors.Join(err, <-removed); err != nil {
		return fmt.Errorf("matrix: remove all jobs: %w", err)
	}
	f.Figure("after the removal was asked for, the leader was killed, and all were removed", "%s, %s",
		killed.Sub(asked).Round(time.Millisecond), done.Sub(asked).Round(time.Millisecond))
	if _, err := f.Watch.Leader(ctx, term.Term); err != nil {
		return err
	}
	over := f.Now()
	if err := f.Replace(ctx, leader.Name); err != nil {
		return err
	}
	if err := f.Rest(ctx, time.Second); err != nil {
		return err
	}
	for _, e := range f.Witness.Executions() {
		if e.Scheduled.After(over) {
			return fmt.Errorf("matrix: %s fired for a time after all jobs were removed", e.JobID)
		}
	}
	left, err := f.Client.Jobs(ctx)
	if err != nil || len(left) > 0 {
		return fmt.Errorf("matrix: %d jobs are left after all were removed: %w", len(left), err)
	}
	if err := f.restore(ctx, backup); err != nil {
		return err
	}
	return f.Runs(ctx, f.Now().Add(2*time.Second)) // something to judge
}
