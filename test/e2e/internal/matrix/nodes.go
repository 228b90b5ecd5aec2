package matrix

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

func nodeFaults() []Fault {
	return []Fault{
		{
			Name: "clock-skew", Says: "the clocks of the nodes are an hour fast and slow, the leader's too", Chaos: true, Nodes: 2,
			Promise: "no run early, late, lost or doubled: Redis's clock decides",
			Strike:  skewClocks,
			Judge: func(f *Field, h history.History) []error {
				return append(punctual(f, h), noReruns(h)...)
			},
		},
		{
			Name: "rolling-restart", Says: "every node restarted in turn (SIGTERM)", Chaos: true,
			Promise: "none lost, doubled or run again; no consumer of a node that is gone is left",
			Strike:  rollingRestart,
			Judge: func(f *Field, h history.History) []error {
				return append(punctual(f, h), noReruns(h)...)
			},
		},
		{
			Name: "scale-5-1-5", Says: "five nodes, then one, then five", Nodes: 5,
			Promise: "none lost, doubled or run again; no consumer of a node that is gone is left",
			Strike:  scale,
			Judge: func(f *Field, h history.History) []error {
				return append(punctual(f, h), noReruns(h)...)
			},
		},
	}
}

// skewClocks replaces all nodes by two with clocks an hour fast and slow, lets each lead, and puts
// sound ones in their place.
func skewClocks(ctx context.Context, f *Field) error {
	healed := f.Harm(history.Disturbed, "")
	defer healed()
	sound := f.Running()
	for _, offset := range []string{"1h", "-1h"} {
		f.fresh++
		name := fmt.Sprintf("skew%d", f.fresh)
		n, err := f.StartNodeIn(name, []string{"CARILLON_CLOCK_OFFSET=" + offset})
		if err != nil {
			return err
		}
		if err := n.Ready(ctx); err != nil {
			return err
		}
	}
	skewed := slices.DeleteFunc(f.Running(), func(n *rig.Node) bool { return slices.Contains(sound, n) })
	if err := f.retire(ctx, sound...); err != nil {
		return err
	}
	first, _, err := f.Office(ctx)
	if err != nil {
		return err
	}
	if err := f.someRuns(ctx); err != nil {
		return err
	}
	if err := f.retire(ctx, first); err != nil { // now the other leads
		return err
	}
	if err := f.someRuns(ctx); err != nil {
		return err
	}
	for _, n := range sound {
		if err := f.StartNodes(ctx, n.Name); err != nil {
			return err
		}
	}
	return f.retire(ctx, slices.DeleteFunc(skewed, func(n *rig.Node) bool { return n == first })...)
}

// someRuns returns when runs that are due in a second have arrived.
func (f *Field) someRuns(ctx context.Context) error { return f.Runs(ctx, f.Now().Add(time.Second)) }

// retire ends nodes in peace, one after another.
func (f *Field) retire(ctx context.Context, nodes ...*rig.Node) error {
	for _, n := range nodes {
		f.Tell(n)
		if err := f.Ended(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func rollingRestart(ctx context.Context, f *Field) error {
	for _, n := range f.Running() {
		if err := f.retire(ctx, n); err != nil {
			return err
		}
		if err := f.Replace(ctx, n.Name); err != nil {
			return err
		}
	}
	return nil
}

func scale(ctx context.Context, f *Field) error {
	all := f.Running()
	if err := f.retire(ctx, all[:len(all)-1]...); err != nil {
		return err
	}
	if err := f.someRuns(ctx); err != nil {
		return err
	}
	for _, n := range all[:len(all)-1] {
		if err := f.Replace(ctx, n.Name); err != nil {
			return err
		}
	}
	return f.someRuns(ctx)
}

// punctual checks that no run began late, although something went on.
func punctual(f *Field, h history.History) []error {
	late := history.Count(h).Late
	if bound := f.Within(500 * time.Millisecond); late > bound {
		return []error{fmt.Errorf("a run began %s after it was due, more than %s", late.Round(time.Millisecond), bound)}
	}
	return nil
}
