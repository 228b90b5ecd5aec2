package matrix

import (
	"context"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
	"github.com/carillon-project/carillon/test/e2e/internal/wire"
)

// goneBound is how soon the runs of a process that is proven gone come again: long before their lease
// has ended. 400 ms of it are what a living process has for an answer.
const goneBound = time.Second

func executorFaults() []Fault {
	return []Fault{
		{
			Name: "executor-killed-fetched", Says: "node killed between fetch and start of a run", Chaos: true, Rounds: 2,
			Promise: "the run starts elsewhere as attempt 1; none lost or doubled",
			Strike: func(ctx context.Context, f *Field) error {
				return killAt(ctx, f, "start_all", wire.Request)
			},
		},
		{
			Name: "executor-killed-mid-run", Says: "node killed in the middle of a run", Chaos: true, Rounds: 2,
			Promise: "the run comes again as the next attempt within a second; none lost or doubled",
			Strike:  killBusy,
			Judge: func(f *Field, h history.History) []error {
				return reruns(f, h, f.Within(goneBound))
			},
		},
		{
			Name: "executor-killed-before-finish", Says: "node killed after the work and before its report", Chaos: true, Rounds: 2,
			Promise: "the run comes again as the next attempt within a second, one outcome; none lost",
			Strike: func(ctx context.Context, f *Field) error {
				return killAt(ctx, f, "finish_plain", wire.Request)
			},
			Judge: func(f *Field, h history.History) []error {
				return reruns(f, h, f.Within(goneBound))
			},
		},
		{
			Name: "executor-killed-after-finish", Says: "node killed after its report and before the answer to it", Chaos: true, Rounds: 2,
			Promise: "the run has ended and does not come again",
			Strike: func(ctx context.Context, f *Field) error {
				return killAt(ctx, f, "finish_plain", wire.Reply)
			},
		},
		{
			Name: "executor-sigstop", Says: "node stopped past the lease of its runs (SIGSTOP), then let go on", Chaos: true,
			Promise: "its runs come again as the next attempt; its handlers are cancelled, and its late results held back and counted",
			Strike:  stopHolding,
			Judge: func(f *Field, h history.History) []error {
				return reruns(f, h, f.RunLease()+f.Within(1500*time.Millisecond))
			},
		},
		{
			Name: "executor-late-finish", Says: "what a node reports held up in the network past the lease of its runs, then let through", Chaos: true,
			Promise: "the runs come again as the next attempt, one outcome; Redis refuses the late report",
			Strike:  delayFinish,
			Judge: func(f *Field, h history.History) []error {
				return reruns(f, h, f.RunLease()+f.Within(1500*time.Millisecond))
			},
		},
	}
}

// killAt kills a follower when its next call of the script is caught at the stage.
func killAt(ctx context.Context, f *Field, script string, stage wire.Stage) error {
	if err := f.Spared(ctx); err != nil {
		return err
	}
	n, err := f.Follower(ctx)
	if err != nil {
		return err
	}
	lines, err := f.Lines(n.Name)
	if err != nil {
		return err
	}
	caught := lines.Redis.Catch(script, stage)
	defer caught.Drop()
	select {
	case <-caught.Sprung():
	case <-ctx.Done():
		return fmt.Errorf("matrix: %s sent no %s: %w", n.Name, script, ctx.Err())
	}
	f.Kill(n)
	caught.Drop()
	return f.Replace(ctx, n.Name)
}

// busy returns a follower that has just begun a run.
func busy(ctx context.Context, f *Field) (*rig.Node, error) {
	if err := f.Spared(ctx); err != nil {
		return nil, err
	}
	n, err := f.Follower(ctx)
	if err != nil {
		return nil, err
	}
	return n, f.Busy(ctx, n.Name)
}

func killBusy(ctx context.Context, f *Field) error {
	n, err := busy(ctx, f)
	if err != nil {
		return err
	}
	f.Kill(n)
	return f.Replace(ctx, n.Name)
}

// reruns checks that a run was run again, and each within the bound from the fault that cost it its
// attempt.
func reruns(f *Field, h history.History, bound time.Duration) (bad []error) {
	took := h.Reruns()
	if len(took) == 0 {
		return []error{fmt.Errorf("nothing was run again, although a run was lost")}
	}
	slowest := took[len(took)-1]
	f.Figure("fault to the next attempt, slowest", "%s", slowest.Round(10*time.Millisecond))
	if slowest > bound {
		bad = append(bad, fmt.Errorf("a run came again %s after its node was struck, more than %s", slowest.Round(time.Millisecond), bound))
	}
	return bad
}
