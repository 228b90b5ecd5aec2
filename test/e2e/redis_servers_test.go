package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// serverScene is a stack whose nodes use other Redis servers than its own.
type serverScene struct {
	*scene
	servers *rig.Servers
}

func beginOn(t *testing.T, jobs int, servers func(context.Context, string) (*rig.Servers, error), args ...string) serverScene {
	t.Helper()
	sc := serverScene{scene: &scene{dir: artifacts(t), seed: seed(t)}}
	ctx := within(t, time.Minute)
	var err error
	sc.Stack, err = rig.Start(ctx, rig.Config{Binary: binary, Dir: sc.dir})
	must(t, err)
	t.Cleanup(func() { sc.end(t) })
	sc.servers, err = servers(ctx, sc.dir)
	must(t, err)
	t.Cleanup(func() {
		for _, n := range sc.Running() { // before their servers go
			n.Kill()
		}
		if err := sc.servers.Close(); err != nil {
			t.Error(err)
		}
	})
	args = append([]string{"--redis", sc.servers.URL()}, args...)
	for i := range 3 {
		n, err := sc.StartNode(fmt.Sprintf("n%d", i+1), args...)
		must(t, err)
		must(t, n.Ready(ctx))
	}
	c, err := carillon.NewClient(ctx, carillon.ClientConfig{Redis: sc.servers.URL()})
	must(t, err)
	t.Cleanup(c.Close)
	must(t, sc.AddSteady(ctx, c, jobs))
	must(t, sc.Settled(ctx))
	sc.client = c
	t.Cleanup(func() { sc.client = nil }) // end would ask the stack's own Redis
	return sc
}

// judgeServers pauses, and judges what the witness saw, and what the stores hold in the end.
func (sc serverScene) judgeServers(t *testing.T) history.History {
	t.Helper()
	must(t, sc.Settled(within(t, 30*time.Second)))
	must(t, sc.Pause(within(t, 10*time.Second), sc.client))
	s, err := store.Open(within(t, 10*time.Second), store.Config{URL: sc.servers.URL()})
	must(t, err)
	defer s.Close()
	sc.awaitIdle(t, s)
	must(t, s.Check(within(t, time.Minute), func(f store.Finding) { t.Errorf("store check: %+v", f) }))
	h := sc.Witnessed(t.Name(), sc.seed)
	for _, b := range history.Check(h) {
		t.Error(b)
	}
	if t.Failed() {
		must(t, h.Write(filepath.Join(sc.dir, "history.json")))
	}
	t.Log(history.Count(h))
	return h
}

// awaitIdle returns when nothing runs or waits in a stream in any partition.
func (sc serverScene) awaitIdle(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	for {
		left := 0
		for p := range s.Partitions() {
			for _, place := range []store.Place{store.InStream, store.InRunning} {
				must(t, s.Each(ctx, p, place, func(store.Placed) bool {
					left++
					return true
				}))
			}
		}
		if left == 0 {
			return
		}
		pause(t, 50*time.Millisecond)
	}
}

// TestRedisClusterShards kills one of three masters, in which 16 partitions live: only its partitions
// stop, also across a change of the leader, and go on when it is back, or when its replica has taken
// over.
func TestRedisClusterShards(t *testing.T) {
	t.Parallel()
	sc := beginOn(t, 24, rig.StartRedisCluster, "--partitions", "16")
	s, err := store.Open(within(t, 10*time.Second), store.Config{URL: sc.servers.URL()})
	must(t, err)
	defer s.Close()

	dead := sc.partitionsOf(t, 1)
	if !dead[0] {
		t.Fatal("partition 0, which is asked first of what all partitions know, is to be among the dead")
	}
	healed := sc.Harm(history.RedisDown, "")
	must(t, sc.servers.Redis[1].Kill())
	down := time.Now()
	leader, term, err := sc.Leader(within(t, 5*time.Second), 0)
	must(t, err)
	sc.Kill(leader)
	_, err = sc.Watch.Leader(within(t, 20*time.Second), term.Term)
	must(t, err)
	sc.catchUp(t, s, dead, time.Now())
	for _, e := range sc.Witness.Executions() {
		if dead[s.PartitionOf(e.JobID)] && e.Scheduled.After(down.Add(time.Second)) {
			t.Errorf("%s ran although its partition is down", e.JobID)
		}
	}
	t.Logf("the other partitions went on under a new leader within %s", round(time.Since(down)))
	must(t, sc.servers.Redis[1].Restart(within(t, 20*time.Second)))
	must(t, sc.Settled(within(t, 30*time.Second)))
	healed()

	promoting := sc.Harm(history.RedisBack, "") // a replica may lack the last moment
	must(t, sc.servers.Redis[2].Kill())
	killed := time.Now()
	must(t, sc.servers.Promoted(within(t, 20*time.Second), 3))
	must(t, sc.Settled(within(t, 30*time.Second)))
	promoting()
	t.Logf("after the death of a master with a replica all partitions went on within %s", round(time.Since(killed)))
	sc.judgeServers(t)
}

// catchUp waits until every job of a living partition has run for a time after since.
func (sc serverScene) catchUp(t *testing.T, s *store.Store, dead map[int]bool, since time.Time) {
	t.Helper()
	must(t, sc.Witness.Wait(within(t, 20*time.Second), "the jobs of the other partitions", func(seen []history.Execution) bool {
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
	}))
}

// partitionsOf are the partitions whose slots a server has.
func (sc serverScene) partitionsOf(t *testing.T, server int) map[int]bool {
	t.Helper()
	const masters = 3
	found := map[int]bool{}
	for p := range 16 {
		slot, err := sc.servers.Raw(server).ClusterKeySlot(within(t, 5*time.Second), fmt.Sprintf("{default:%d}:meta", p)).Result()
		must(t, err)
		if int(slot) >= server*16384/masters && int(slot) < (server+1)*16384/masters {
			found[p] = true
		}
	}
	if len(found) == 0 || len(found) == 16 {
		t.Fatalf("server %d has %d of 16 partitions", server, len(found))
	}
	return found
}

// TestSentinelFailover lets a replica fall behind and kills the master: the sentinels promote the
// replica, and what the master alone knew is dispatched again, under the same run ids.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	sc := beginOn(t, 10, rig.StartSentinels)
	must(t, sc.servers.LetCopy(within(t, 5*time.Second), false))
	pause(t, 1500*time.Millisecond)
	healed := sc.Harm(history.RedisBack, "")
	must(t, sc.servers.Redis[0].Kill())
	killed := time.Now()
	must(t, sc.servers.Promoted(within(t, 30*time.Second), 1))
	must(t, sc.Settled(within(t, 30*time.Second)))
	healed()
	t.Logf("from the death of the master until all jobs were on time again: %s", round(time.Since(killed)))
	must(t, sc.servers.Redis[0].Restart(within(t, 20*time.Second)))
	sc.judgeServers(t)
}
