package matrix

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

func groupFaults() []Fault {
	return []Fault{{
		Name: "groups-sigkill", Says: "the leaders of two groups on a Redis Cluster with 16 partitions killed, one after another, at last both at once",
		Promise: "only the group of a killed leader gets another, and goes on before a lease ends; none lost or doubled",
		Rig: func(cfg *rig.Config) {
			cfg.Relayed, cfg.Servers = false, rig.StartRedisCluster
			cfg.Args = []string{"--partitions", fmt.Sprint(partitions), "--groups", "2"}
		},
		Jobs: 24, Strike: killGroups,
	}}
}

// pair is the leaders of the two groups.
type pair [2]cluster.Leader

func killGroups(ctx context.Context, f *Field) error {
	etcd, err := clientv3.New(clientv3.Config{Endpoints: f.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		return fmt.Errorf("matrix: etcd: %w", err)
	}
	defer etcd.Close()
	s, err := store.Open(ctx, store.Config{URL: f.RedisURL()})
	if err != nil {
		return err
	}
	defer s.Close()
	for group := range 2 {
		if err := killOneOf(ctx, f, etcd, s, group); err != nil {
			return err
		}
	}
	both, err := f.apart(ctx, etcd)
	if err != nil {
		return err
	}
	killed := f.Now()
	for _, l := range both {
		f.Kill(f.Node(l.Name))
	}
	for group := range both {
		if err := f.groupRuns(ctx, s, group, killed); err != nil {
			return err
		}
	}
	for _, l := range both {
		if err := f.Replace(ctx, l.Name); err != nil {
			return err
		}
	}
	return nil
}

// killOneOf kills the leader of a group and checks that the other group keeps its own.
func killOneOf(ctx context.Context, f *Field, etcd *clientv3.Client, s *store.Store, group int) error {
	before, err := f.apart(ctx, etcd)
	if err != nil {
		return err
	}
	killed := f.Now()
	f.Kill(f.Node(before[group].Name))
	if err := f.groupRuns(ctx, s, group, killed); err != nil {
		return err
	}
	after, err := leadersOf(ctx, etcd)
	if err != nil {
		return err
	}
	if after[1-group] != before[1-group] || after[group].Term <= before[group].Term {
		return fmt.Errorf("matrix: leaders were %v, and after the kill of group %d's they are %v", before, group, after)
	}
	return f.Replace(ctx, before[group].Name)
}

// leadersOf is what etcd says.
func leadersOf(ctx context.Context, etcd *clientv3.Client) (all pair, err error) {
	for group := range all {
		l, err := cluster.CurrentLeader(ctx, etcd, "default", group)
		if err != nil {
			return all, err
		}
		if l != nil {
			all[group] = *l
		}
	}
	return all, nil
}

// apart waits until every job is on time and each group is led by another node that lives.
func (f *Field) apart(ctx context.Context, etcd *clientv3.Client) (pair, error) {
	if err := f.Settled(ctx); err != nil {
		return pair{}, err
	}
	for {
		l, err := leadersOf(ctx, etcd)
		if err != nil || l[0].Name != l[1].Name && f.Node(l[0].Name) != nil && f.Node(l[1].Name) != nil {
			return l, err
		}
		if err := f.Rest(ctx, 50*time.Millisecond); err != nil {
			return l, fmt.Errorf("matrix: one node leads both groups: %w", err)
		}
	}
}

// groupRuns waits until every job of a group has run for a time after since, and checks that the first
// did so before a lease could have ended.
func (f *Field) groupRuns(ctx context.Context, s *store.Store, group int, since time.Time) error {
	other := map[int]bool{}
	for p := range partitions {
		other[p] = p%2 != group
	}
	if err := f.othersRun(ctx, s, other, since); err != nil {
		return err
	}
	var first history.Execution
	for _, e := range f.Witness.Executions() {
		if !other[s.PartitionOf(e.JobID)] && e.Scheduled.After(since) && (first.Arrived.IsZero() || e.Arrived.Before(first.Arrived)) {
			first = e
		}
	}
	took := first.Arrived.Sub(since)
	f.Say("group %d went on %s after its leader was killed", group, took.Round(time.Millisecond))
	if took > f.LeaseTTL() {
		return fmt.Errorf("matrix: group %d went on %s after its leader was killed, a lease is %s", group, took, f.LeaseTTL())
	}
	return nil
}
