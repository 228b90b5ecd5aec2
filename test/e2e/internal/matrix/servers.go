package matrix

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// Of a Redis Cluster: the masters, and the partitions that live on them.
const (
	masters    = 3
	partitions = 16
)

func serverFaults() []Fault {
	clustered := func(cfg *rig.Config) {
		cfg.Relayed, cfg.Servers, cfg.Args = false, rig.StartRedisCluster, []string{"--partitions", fmt.Sprint(partitions)}
	}
	return []Fault{
		{
			Name: "cluster-master-down", Says: "one of three masters of a Redis Cluster with 16 partitions killed, then the leader; the master started again",
			Promise: "only its partitions stand still, also under the new leader, and go on when it is back; none lost or doubled",
			Rig:     clustered, Jobs: 24, Strike: loseMaster,
		},
		{
			Name: "cluster-failover", Says: "a master of a Redis Cluster killed, its replica promoted",
			Promise: "its partitions go on; none lost; what the replica lacked is dispatched again under the same run ids",
			Rig:     clustered, Jobs: 24,
			Strike: func(ctx context.Context, f *Field) error { return promote(ctx, f, masters-1, masters) },
		},
		{
			Name: "sentinel-failover", Says: "the replica shut out for 1.5 s, the master killed, Sentinel promotes the replica that lags",
			Promise: "none lost; what the master alone knew is dispatched again under the same run ids",
			Rig:     func(cfg *rig.Config) { cfg.Relayed, cfg.Servers = false, rig.StartSentinels },
			Strike:  lagAndPromote,
		},
	}
}

// loseMaster kills the second master, in which partition 0 lives, which is asked first of what all
// partitions know, and then the leader.
func loseMaster(ctx context.Context, f *Field) error {
	const lost = 1
	dead, err := f.partitionsOf(ctx, lost)
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Config{URL: f.RedisURL()})
	if err != nil {
		return err
	}
	defer s.Close()
	leader, term, err := f.Office(ctx)
	if err != nil {
		return err
	}
	healed := f.Harm(history.RedisDown, "")
	defer healed()
	if err := f.Servers().Redis[lost].Kill(); err != nil {
		return err
	}
	down := f.Now()
	f.Kill(leader)
	if _, err := f.Watch.Leader(ctx, term.Term); err != nil {
		return err
	}
	if err := f.othersRun(ctx, s, dead, f.Now()); err != nil {
		return err
	}
	f.Figure("until the other partitions went on under a new leader", "%s", f.Now().Sub(down).Round(10*time.Millisecond))
	for _, e := range f.Witness.Executions() {
		if dead[s.PartitionOf(e.JobID)] && e.Scheduled.After(down.Add(time.Second)) {
			return fmt.Errorf("matrix: %s ran although its partition is down", e.JobID)
		}
	}
	if err := f.Servers().Redis[lost].Restart(ctx); err != nil {
		return err
	}
	if err := f.Settled(ctx); err != nil {
		return err
	}
	healed()
	return f.Replace(ctx, leader.Name)
}

// othersRun waits until every job of a living partition has run for a time after since.
func (f *Field) othersRun(ctx context.Context, s *store.Store, dead map[int]bool, since time.Time) error {
	return f.Witness.Wait(ctx, "the jobs of the other partitions", func(seen []history.Execution) bool {
		ran := map[string]bool{}
		for _, e := range seen {
			ran[e.JobID] = ran[e.JobID] || e.Scheduled.After(since)
		}
		for id, later := range ran {
			if !later && !dead[s.PartitionOf(id)] {
				return false
			}
		}
		return true
	})
}

// partitionsOf are the partitions whose slots a master has: 0 and others, but not all.
func (f *Field) partitionsOf(ctx context.Context, server int) (map[int]bool, error) {
	found := map[int]bool{}
	for p := range partitions {
		slot, err := f.Servers().Raw(server).ClusterKeySlot(ctx, fmt.Sprintf("{default:%d}:meta", p)).Result()
		if err != nil {
			return nil, err
		}
		if int(slot) >= server*16384/masters && int(slot) < (server+1)*16384/masters {
			found[p] = true
		}
	}
	if !found[0] || len(found) == partitions {
		return nil, fmt.Errorf("matrix: server %d has the partitions %v", server, found)
	}
	return found, nil
}

// promote kills a server and returns when its replica has taken over and all jobs are on time again.
func promote(ctx context.Context, f *Field, master, replica int) error {
	healed := f.Harm(history.RedisBack, "") // a replica may lack the last moment
	defer healed()
	if err := f.Servers().Redis[master].Kill(); err != nil {
		return err
	}
	killed := f.Now()
	if err := errors.Join(f.Servers().Promoted(ctx, replica), f.Settled(ctx)); err != nil {
		return err
	}
	f.Figure("until all jobs were on time again", "%s", f.Now().Sub(killed).Round(10*time.Millisecond))
	return nil
}

func lagAndPromote(ctx context.Context, f *Field) error {
	if err := f.Servers().LetCopy(ctx, false); err != nil {
		return err
	}
	if err := f.Rest(ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	if err := promote(ctx, f, 0, 1); err != nil {
		return err
	}
	return f.Servers().Redis[0].Restart(ctx)
}
