package matrix

import (
	"context"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// What is promised of a takeover, see Field.Within.
const (
	killBound = 150 * time.Millisecond
	toldBound = 50 * time.Millisecond
	// dueEvery is the longest time between two due times of the steady load, which a takeover that is
	// measured by the next run may take longer.
	dueEvery = 100 * time.Millisecond
)

func leaderFaults() []Fault {
	return []Fault{
		{
			Name: "leader-sigterm", Says: "leader told to end (SIGTERM)", Chaos: true, Rounds: 2,
			Promise: "none lost, doubled or run again; next dispatch within 50 ms",
			Strike:  tellLeader,
			Judge: func(f *Field, h history.History) []error {
				return append(takeovers(f, h, history.Told, f.Within(toldBound+dueEvery)), noReruns(h)...)
			},
		},
		{
			Name: "leader-sigkill", Says: "leader killed (SIGKILL)", Chaos: true, Rounds: 3,
			Promise: "none lost or doubled; next dispatch within 150 ms",
			Strike:  killLeader,
			Judge: func(f *Field, h history.History) []error {
				return takeovers(f, h, history.Killed, f.Within(killBound+dueEvery))
			},
		},
		{
			Name: "leader-sigstop", Says: "leader stopped past its lease (SIGSTOP), then let go on", Chaos: true,
			Promise: "none lost or doubled; next dispatch within the TTL and 1.5 s; what the old one dispatches is refused",
			Strike:  stopLeader,
			Judge: func(f *Field, h history.History) []error {
				return takeovers(f, h, history.Suspended, f.LeaseTTL()+f.Within(1500*time.Millisecond))
			},
		},
	}
}

func tellLeader(ctx context.Context, f *Field) error {
	leader, _, err := f.Office(ctx)
	if err != nil {
		return err
	}
	fault := f.Tell(leader)
	if err := f.Succeeded(ctx, fault); err != nil {
		return err
	}
	if err := f.Ended(ctx, leader); err != nil {
		return err
	}
	return f.Replace(ctx, leader.Name)
}

func killLeader(ctx context.Context, f *Field) error {
	if err := f.Spared(ctx); err != nil {
		return err
	}
	leader, _, err := f.Office(ctx)
	if err != nil {
		return err
	}
	fault := f.Kill(leader)
	if err := f.Replace(ctx, leader.Name); err != nil {
		return err
	}
	return f.Succeeded(ctx, fault)
}

func stopLeader(ctx context.Context, f *Field) error {
	if err := f.Spared(ctx); err != nil {
		return err
	}
	leader, term, err := f.Office(ctx)
	if err != nil {
		return err
	}
	resume := f.Suspend(leader)
	err = f.Succeeded(ctx, history.Fault{At: f.Now(), Term: term.Term})
	resume()
	if err != nil {
		return err
	}
	return f.Mend(ctx, leader)
}

// Takeovers checks that each fault of the kind that struck a leader was followed within the bound.
func takeovers(f *Field, h history.History, kind history.FaultKind, bound time.Duration) (bad []error) {
	struck := 0
	for _, fault := range h.Faults {
		if fault.Kind != kind || fault.Term == 0 {
			continue
		}
		struck++
		took, ok := h.Takeover(fault)
		switch {
		case !ok:
			bad = append(bad, fmt.Errorf("takeover from %s: no run of a successor was seen", fault.Node))
		case took > bound:
			bad = append(bad, fmt.Errorf("takeover from %s took %s, more than %s", fault.Node, took.Round(time.Millisecond), bound))
		}
	}
	if struck == 0 {
		bad = append(bad, fmt.Errorf("no leader was struck by %q", kind))
	}
	return bad
}

// noReruns checks that nothing was run again.
func noReruns(h history.History) []error {
	if n := history.Count(h).Reruns; n > 0 {
		return []error{fmt.Errorf("%d runs were run again, although nothing was lost", n)}
	}
	return nil
}
