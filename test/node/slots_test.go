package node_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// three nodes of one cluster.
func three(t *testing.T) []*lifted {
	t.Helper()
	cluster := clusterOf(t)
	var nodes []*lifted
	for _, name := range []string{"a", "b", "c"} {
		nodes = append(nodes, liftNew(t, cluster, name))
	}
	return nodes
}

func TestEachDueTimeRunsOnceOnThreeNodes(t *testing.T) {
	t.Parallel()
	nodes := three(t)
	var mu sync.Mutex
	at := map[int64]int{}
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		at[run.ScheduledTime.UnixMilli()]++
		return nil, nil
	})
	j := carillon.Job{ID: "tick", Task: "act", Trigger: carillon.Every(100 * time.Millisecond), Args: args}
	j.Coalesce, j.MaxInstances = carillon.CoalesceAll, 10
	added := must(nodes[0].AddJob(t.Context(), j))(t)
	rows(t, nodes[1].Client, "tick", 20)
	if err := nodes[2].RemoveJob(t.Context(), "tick"); err != nil {
		t.Fatal(err)
	}
	first, _ := added.NextRunTime.Time()
	mu.Lock()
	defer mu.Unlock()
	for i := range int64(20) {
		if due := first.UnixMilli() + i*100; at[due] != 1 {
			t.Errorf("due time %d ran %d times, want once", i, at[due])
		}
	}
}

func TestMaxInstancesAcrossNodes(t *testing.T) {
	t.Parallel()
	const limit = 3
	nodes := three(t)
	var now, most atomic.Int64
	hosts := sync.Map{}
	args := act(t, func(ctx context.Context, run carillon.Run) (any, error) {
		n := now.Add(1)
		defer now.Add(-1)
		hosts.Store(run.Node, true)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		select {
		case <-time.After(60 * time.Millisecond):
		case <-ctx.Done():
		}
		return nil, nil
	})
	j := carillon.Job{ID: "busy", Task: "act", Trigger: carillon.Every(10 * time.Millisecond), Args: args}
	j.MaxInstances, j.Coalesce = limit, carillon.CoalesceAll
	must(nodes[0].AddJob(t.Context(), j))(t)
	got := rows(t, nodes[0].Client, "busy", 120)
	if err := nodes[0].RemoveJob(t.Context(), "busy"); err != nil {
		t.Fatal(err)
	}
	if most.Load() != limit {
		t.Errorf("%d handlers ran at once at most, want %d", most.Load(), limit)
	}
	counts := tallied(got)
	if counts["executed"] < 10 || counts["max_instances"] < 10 {
		t.Errorf("outcomes are %v", counts)
	}
	spread := 0
	hosts.Range(func(any, any) bool { spread++; return true })
	if spread < 2 {
		t.Errorf("%d nodes ran, want several", spread)
	}
}

func TestOverlapQueueLinesUpByTime(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	var now, most atomic.Int64
	began := make(chan carillon.Run, 100)
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		began <- run
		return nil, nil
	})
	block, blocking, end := untilTold(t)
	j := hourly(uuid.NewString())
	j.Args, j.Overlap = block, carillon.OverlapQueue
	must(client.AddJob(ctx, j))(t)
	must(client.TriggerNow(ctx, j.ID))(t)
	receive(t, blocking, "the run that blocks")
	must(client.ModifyJob(ctx, j.ID, func(j *carillon.Job) error { j.Args = args; return nil }))(t)
	var want []string
	for range 5 {
		want = append(want, must(client.TriggerNow(ctx, j.ID))(t))
	}
	close(end)
	for _, id := range want {
		if got := receive(t, began, "a run in line"); got.ID != id {
			t.Errorf("run %s began, want %s", got.ID, id)
		}
	}
	got := rows(t, client, j.ID, 6)
	if counts := tallied(got); counts["executed"] != 6 || most.Load() != 1 {
		t.Errorf("outcomes are %v, %d at once", counts, most.Load())
	}
}

func TestJobsWithOneKeyShareOneLimit(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	args, begun, end := untilTold(t)
	key := uuid.NewString()
	for _, id := range []string{key + "-1", key + "-2"} {
		j := hourly(id)
		j.Key, j.Args = key, args
		must(client.AddJob(ctx, j))(t)
	}
	must(client.TriggerNow(ctx, key+"-1"))(t)
	receive(t, begun, "the run of the first job")
	refused := must(client.TriggerNow(ctx, key+"-2"))(t)
	if r := rowOf(t, client, key+"-2", refused); r.Outcome != job.MaxInstances {
		t.Errorf("history is %+v", r)
	}
	close(end)
	rows(t, client, key+"-1", 1)
}
