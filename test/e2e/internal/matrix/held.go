package matrix

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// What a node counts of results that count for nothing.
const (
	keptBack = "carillon_dropped_outcomes_total" // by the node itself
	refused  = "carillon_late_finishes_total"    // by Redis
)

// laterTakes is how long the second attempt of a run that was held takes, so that what is late of the
// first comes while it is under way.
const laterTakes = 500 * time.Millisecond

// holdOne adds a job of one run that takes until release is called, and returns the run once a follower
// has it.
func (f *Field) holdOne(ctx context.Context) (e history.Execution, release func(), err error) {
	for {
		f.fresh++
		id := fmt.Sprintf("held-%d", f.fresh)
		release = func() { f.Witness.Release(id) }
		spec := rig.Spec{Job: history.Job{ID: id, First: f.Now().Add(100 * time.Millisecond)}, URL: f.Witness.HoldURL(id, laterTakes)}
		if err := f.Add(ctx, f.Client, spec); err != nil {
			return e, release, err
		}
		if e, err = f.arrival(ctx, func(e history.Execution) bool { return e.JobID == id }); err != nil {
			release()
			return e, release, err
		}
		leader, _, err := f.Office(ctx)
		if err != nil || e.Node != "" && e.Node != leader.Name {
			return e, release, err
		}
		release()
	}
}

// arrival waits for an execution that is as wanted, and returns the first.
func (f *Field) arrival(ctx context.Context, wanted func(history.Execution) bool) (found history.Execution, err error) {
	err = f.Witness.Wait(ctx, "a run that is waited for", func(seen []history.Execution) bool {
		for _, e := range seen {
			if wanted(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found, err
}

// again waits for the second attempt of a run.
func (f *Field) again(ctx context.Context, first history.Execution) error {
	_, err := f.arrival(ctx, func(e history.Execution) bool { return e.RunID == first.RunID && e.Attempt > 1 })
	return err
}

// stopHolding stops a node until a run that it has came again elsewhere, and lets it go on: the run's
// handler must be cancelled then, and its result held back.
func stopHolding(ctx context.Context, f *Field) error {
	if err := f.Spared(ctx); err != nil {
		return err
	}
	first, release, err := f.holdOne(ctx)
	if err != nil {
		return err
	}
	defer release()
	n := f.Node(first.Node)
	before, err := n.Metric(ctx, keptBack)
	if err != nil {
		return err
	}
	resume := f.Suspend(n)
	err = f.again(ctx, first)
	resumed := f.Now()
	resume()
	if err != nil {
		return err
	}
	cut, err := f.arrival(ctx, func(e history.Execution) bool {
		return e.RunID == first.RunID && e.Attempt == 1 && !e.Ended.IsZero()
	})
	if err != nil {
		return fmt.Errorf("matrix: the handler of a run whose lease was over was not cancelled: %w", err)
	}
	if took := cut.Ended.Sub(resumed); cut.Answered || took > f.Within(time.Second) {
		return fmt.Errorf("matrix: a handler whose lease was over was cancelled after %s (answered: %t)", took, cut.Answered)
	}
	if err := f.Mend(ctx, n); err != nil {
		return err
	}
	return f.counted(ctx, n, keptBack, before)
}

// counted waits until a node has counted one more, for two seconds, and records that it has.
func (f *Field) counted(ctx context.Context, n *rig.Node, what string, before float64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		now, err := n.Metric(ctx, what)
		if err == nil && now > before {
			f.Figure("of one node, "+what, "%.0f", now)
			return nil
		}
		if rest := f.Rest(ctx, 20*time.Millisecond); rest != nil {
			return fmt.Errorf("matrix: %s of %s is still %.0f: %w", what, n.Name, before, errors.Join(err, rest))
		}
	}
}

// delayFinish holds up all that a node reports until a run of its, whose work is done, has come again,
// and lets the reports go on then: Redis must refuse the late one.
func delayFinish(ctx context.Context, f *Field) error {
	// A report whose call ends between the end of the lease and the run's recovery is held back by the
	// node itself; then it is tried again with another run.
	const tries = 5
	for range tries {
		n, before, err := delayOne(ctx, f)
		if err != nil {
			return err
		}
		if err = f.counted(ctx, n, refused, before); err == nil {
			return nil
		}
		f.Say("late finish: %v", err)
	}
	return fmt.Errorf("matrix: of %d late reports none came to be refused", tries)
}

func delayOne(ctx context.Context, f *Field) (n *rig.Node, before float64, err error) {
	if err = f.Spared(ctx); err != nil {
		return nil, 0, err
	}
	first, release, err := f.holdOne(ctx)
	if err != nil {
		return nil, 0, err
	}
	n = f.Node(first.Node)
	lines, err := f.Lines(n.Name)
	if err == nil {
		before, err = n.Metric(ctx, refused)
	}
	if err != nil {
		release()
		return n, 0, err
	}
	healed := f.Harm(history.RedisCut, n.Name)
	defer healed()
	letGo := lines.Redis.Hold("finish_plain")
	defer letGo()
	release()
	return n, before, f.again(ctx, first)
}
