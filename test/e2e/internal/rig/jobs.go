package rig

import (
	"context"
	"fmt"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// Spec is a job to define. MaxInstances 0 means 8.
type Spec struct {
	history.Job
	URL      string // where it posts, see Witness
	Executor string // "" = default
}

// Add defines a job whose every due time must run, however late. It is part of the history from the
// moment it was acknowledged. First is cut to milliseconds.
func (s *Stack) Add(ctx context.Context, c *carillon.Client, spec Spec) error {
	spec.First = spec.First.UTC().Truncate(time.Millisecond)
	trigger := carillon.At(spec.First)
	if spec.Every > 0 {
		trigger = interval(spec.First, spec.Every)
	}
	if spec.MaxInstances == 0 {
		// Each node that dies may take a slot with it for the length of a run's lease, and more when
		// the next leader dies before it has recovered the run. No due time shall be skipped for that.
		spec.MaxInstances = 8
	}
	var next job.NextRun
	if spec.Behind {
		next = job.At(spec.First)
	}
	_, err := c.AddJob(ctx, carillon.Job{
		ID: spec.ID, Task: "http", Trigger: trigger, NextRunTime: next, Args: carillon.Args(map[string]string{"url": spec.URL}), Executor: spec.Executor,
		Options: carillon.Options{
			Coalesce: carillon.CoalesceAll, MisfireGraceTime: carillon.GraceNone, MaxInstances: spec.MaxInstances,
		},
	})
	if err != nil {
		return fmt.Errorf("rig: add job: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h.Jobs = append(s.h.Jobs, spec.Job)
	return nil
}

// AddUnseen defines a job whose runs the witness does not see: only its way through the store is judged.
func (s *Stack) AddUnseen(ctx context.Context, c *carillon.Client, j carillon.Job) error {
	if _, err := c.AddJob(ctx, j); err != nil {
		return fmt.Errorf("rig: add job: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h.Jobs = append(s.h.Jobs, history.Job{ID: j.ID, Unseen: true})
	return nil
}

// AddSteady defines n jobs due each second, spread evenly over it, from about a second after now.
// The one numbered i is answered after i mod 5 times 80 ms, so that there is always one that runs.
func (s *Stack) AddSteady(ctx context.Context, c *carillon.Client, n int) error {
	first := s.cfg.Now().Add(time.Second)
	for i := range n {
		at := first.Add(time.Duration(i) * time.Second / time.Duration(n))
		err := s.Add(ctx, c, Spec{
			Job: history.Job{ID: fmt.Sprintf("steady-%02d", i), First: at, Every: time.Second},
			URL: s.Witness.URL(time.Duration(i%5) * 80 * time.Millisecond),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Settled returns when every job that is due again and again, and may not skip, has run for a time less than one and a
// half intervals ago.
func (s *Stack) Settled(ctx context.Context) error {
	s.mu.Lock()
	jobs := append([]history.Job{}, s.h.Jobs...)
	s.mu.Unlock()
	return s.Witness.Wait(ctx, "every job catch up", func(seen []history.Execution) bool {
		latest := map[string]time.Time{}
		for _, e := range seen {
			if e.Scheduled.After(latest[e.JobID]) && e.Answered {
				latest[e.JobID] = e.Scheduled
			}
		}
		now := s.cfg.Now()
		for _, j := range jobs {
			if j.Every > 0 && !j.MaySkip && now.Sub(latest[j.ID]) > j.Every*3/2 {
				return false
			}
		}
		return true
	})
}

// maxLost is after how many losses a run is given up, so that it cannot kill one node after another.
const maxLost = 3

// Spared returns when no run is under way that would be given up if its node died now: such a run
// has been lost for all but one of the times that are allowed.
func (s *Stack) Spared(ctx context.Context) error {
	return s.Witness.Wait(ctx, "runs that were lost twice come to their end", func(seen []history.Execution) bool {
		last := map[string]history.Execution{}
		for _, e := range seen {
			if e.Attempt >= last[e.RunID].Attempt {
				last[e.RunID] = e
			}
		}
		for _, e := range last {
			losses := e.Attempt - 1
			if !e.Ended.IsZero() && !e.Answered {
				losses++
			}
			reported := e.Answered && s.cfg.Now().Sub(e.Ended) > 200*time.Millisecond
			if losses >= maxLost-1 && !reported {
				return false
			}
		}
		return true
	})
}

// Busy returns when a request of the node has just arrived that is yet to be answered.
func (s *Stack) Busy(ctx context.Context, node string) error {
	return s.Witness.Wait(ctx, "a run on "+node, func(seen []history.Execution) bool {
		if len(seen) == 0 {
			return false
		}
		last := seen[len(seen)-1]
		return last.Node == node && last.Ended.IsZero() && s.cfg.Now().Sub(last.Arrived) < 20*time.Millisecond
	})
}

// Pause stops the schedule and notes when.
func (s *Stack) Pause(ctx context.Context, c *carillon.Client) error {
	asked := s.cfg.Now()
	if err := c.Pause(ctx, carillon.Because("end of test")); err != nil {
		return fmt.Errorf("rig: pause: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h.Pause = history.Pause{Asked: asked, Done: s.cfg.Now()}
	return nil
}
