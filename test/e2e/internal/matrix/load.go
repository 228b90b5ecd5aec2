package matrix

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

func loadFaults() []Fault {
	return []Fault{
		{
			Name: "poison-job", Says: "a run that kills each node it is given to, one with 50 MB of output, a stored job that cannot be read",
			Promise: "the run is closed as lost after three nodes of its executor, the record is parked; jobs of other executors lose nothing",
			Strike:  poison,
			Judge:   poisoned,
		},
		{
			Name: "herd", Says: "10,000 jobs due within one second", Jobs: 5, Alone: true,
			Promise: "each runs once",
			Strike:  herd,
			Judge: func(f *Field, h history.History) []error {
				late := history.Count(h).Late
				f.Figure("latest first start", "%s", late.Round(10*time.Millisecond))
				if bound := f.Within(10 * time.Second); late > bound {
					return []error{fmt.Errorf("a run began %s after it was due, more than %s", late.Round(time.Millisecond), bound)}
				}
				return noReruns(h)
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
	if err := f.given(ctx, "poison-output"); err != nil {
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
			return nil
		}
		if err := f.Rest(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("matrix: the run that kills nodes was not given up: %w", err)
		}
	}
}

// given returns when the job has a row of history.
func (f *Field) given(ctx context.Context, id string) error {
	for {
		rows, err := f.Client.History(ctx, id, 1)
		if err == nil && len(rows) > 0 {
			return nil
		}
		if err := f.Rest(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("matrix: %s has not ended: %w", id, err)
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
			ends[o.JobID] = fmt.Sprintf("%s, attempt %d", o.Outcome, o.Attempt)
		}
	}
	for id, want := range map[string]string{"poison-kill": "lost, attempt 3", "poison-output": "executed, attempt 1"} {
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

// herd adds ten thousand jobs that are due within one second and waits until each has run.
func herd(ctx context.Context, f *Field) error {
	const jobs, adders = 10_000, 8
	healed := f.Harm(history.Disturbed, "")
	defer healed()
	first := f.Now().Add(12 * time.Second)
	ended := make(chan error, adders)
	for a := range adders {
		go func() {
			for i := a; i < jobs; i += adders {
				at := first.Add(time.Duration(i) * time.Second / jobs)
				if err := f.Add(ctx, f.Client, rig.Spec{Job: history.Job{ID: fmt.Sprintf("herd-%05d", i), First: at}, URL: f.Witness.URL(0)}); err != nil {
					ended <- err
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
	if err := errors.Join(errs...); err != nil {
		return err
	}
	f.Figure("time to spare when all were added", "%s", first.Sub(f.Now()).Round(100*time.Millisecond))
	began, read := 0, 0
	return f.Witness.Wait(ctx, "ten thousand runs", func(seen []history.Execution) bool {
		for ; read < len(seen); read++ {
			if strings.HasPrefix(seen[read].JobID, "herd-") {
				began++
			}
		}
		return began >= jobs
	})
}
