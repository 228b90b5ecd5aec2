package matrix

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// threeMembers asks for an etcd that can lose one.
func threeMembers(cfg *rig.Config) { cfg.Members = 3 }

func etcdFaults() []Fault {
	return []Fault{
		{
			Name: "etcd-member-down", Says: "one of three etcd members killed, and started again", Rig: threeMembers, Chaos: true,
			Promise: "the schedule does not notice; nothing is run again",
			Strike: func(ctx context.Context, f *Field) error {
				return loseMembers(ctx, f, 3*time.Second, f.Random.IntN(3))
			},
			Judge: unnoticed,
		},
		{
			Name: "etcd-quorum-lost", Says: "two of three etcd members killed for longer than the lease", Rig: threeMembers, Chaos: true,
			Promise: "the leader goes on dispatching; nothing is late or run again",
			Strike: func(ctx context.Context, f *Field) error {
				last := 2*f.LeaseTTL() + 2*time.Second
				if f.Long {
					last = time.Minute
				}
				return loseMembers(ctx, f, last, 0, 1)
			},
			Judge: unnoticed,
		},
	}
}

// loseMembers kills members of etcd, waits, and starts them again.
func loseMembers(ctx context.Context, f *Field, last time.Duration, members ...int) error {
	if f.Members() < 3 {
		return errors.New("matrix: it takes an etcd of three members")
	}
	healed := f.Harm(history.EtcdDown, "")
	defer healed()
	for _, i := range members {
		f.KillMember(i)
	}
	if err := f.Rest(ctx, last); err != nil {
		return err
	}
	healed()
	if err := f.RestoreMember(ctx, members...); err != nil {
		return err
	}
	return f.Runs(ctx, f.Now())
}

// unnoticed checks that during and after an outage of etcd runs were on time and none came again.
func unnoticed(f *Field, h history.History) []error {
	bad := noReruns(h)
	due, latest := 0, time.Duration(0)
	for _, e := range h.Executions {
		for _, fault := range h.Faults {
			if fault.Kind == history.EtcdDown && e.Scheduled.After(fault.At) && e.Scheduled.Before(fault.Until) {
				due++
				latest = max(latest, e.Arrived.Sub(e.Scheduled))
			}
		}
	}
	f.Figure("runs due during the outage", "%d", due)
	f.Figure("latest of them", "%s", latest.Round(time.Millisecond))
	if due < 20 {
		bad = append(bad, fmt.Errorf("only %d runs were due during the outage", due))
	}
	if bound := f.Within(500 * time.Millisecond); latest > bound {
		bad = append(bad, fmt.Errorf("a run began %s late during the outage, more than %s", latest, bound))
	}
	return bad
}
