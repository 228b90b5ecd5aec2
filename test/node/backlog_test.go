package node_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// Nobody ran for a while: what of the due times runs then, and that each other one is accounted for.
func TestBacklogAfterAnOutage(t *testing.T) {
	t.Parallel()
	const period, times = time.Hour, 5 // due 4, 3, 2, 1 and 0 hours ago
	node, client := idle(t, config(t, clusterOf(t), "n"))
	start := time.Now().Add(-(times - 1) * period).Truncate(time.Millisecond)
	var mu sync.Mutex
	ran := map[string][]int{} // by job: how many periods after the start
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[run.JobID] = append(ran[run.JobID], int(run.ScheduledTime.Sub(start)/period))
		return nil, nil
	})
	cases := []struct {
		name     string
		coalesce job.Coalesce
		grace    time.Duration
		runs     []int
		counts   map[string]int
	}{
		{"all", carillon.CoalesceAll, 0, []int{0, 1, 2, 3, 4}, map[string]int{"executed": 5}},
		{"latest", carillon.CoalesceLatest, 0, []int{4}, map[string]int{"executed": 1, "coalesced": 4}},
		{"earliest", carillon.CoalesceEarliest, 0, []int{0}, map[string]int{"executed": 1, "coalesced": 4}},
		{"all-within-grace", carillon.CoalesceAll, 150 * time.Minute, []int{2, 3, 4}, map[string]int{"executed": 3, "missed": 2}},
		{"latest-within-grace", carillon.CoalesceLatest, 150 * time.Minute, []int{4}, map[string]int{"executed": 1, "coalesced": 2, "missed": 2}},
		{"earliest-within-grace", carillon.CoalesceEarliest, 150 * time.Minute, []int{2}, map[string]int{"executed": 1, "coalesced": 2, "missed": 2}},
		{"beyond-grace", carillon.CoalesceAll, time.Millisecond, nil, map[string]int{"missed": 5}},
	}
	for _, c := range cases {
		j := carillon.Job{ID: c.name, Task: "act", Args: args, Trigger: every(period, start), NextRunTime: job.At(start)}
		j.Coalesce, j.MisfireGraceTime = c.coalesce, carillon.Grace(c.grace)
		must(client.AddJob(t.Context(), j))(t)
	}
	lift(t, node)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			eventually(t, 10*time.Second, "every due time to be accounted for", func() bool {
				n := 0
				for _, k := range tallied(must(client.History(t.Context(), c.name, 100))(t)) {
					n += k
				}
				return n >= times
			})
			got := must(client.History(t.Context(), c.name, 100))(t)
			if diff := cmp.Diff(c.counts, tallied(got)); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
			mu.Lock()
			defer mu.Unlock()
			if diff := cmp.Diff(c.runs, ran[c.name]); diff != "" {
				t.Errorf("what ran (-want +got):\n%s", diff)
			}
			for _, r := range got {
				if r.Count > 1 && (r.Cause == "" || !r.Until.After(r.ScheduledTime)) {
					t.Errorf("stretch is %+v", r)
				}
			}
			if next, _ := nextOf(t, client, c.name); !next.Equal(start.Add(times * period)) {
				t.Errorf("next run time is %v after the start, want %v", next.Sub(start), times*period)
			}
		})
	}
}

// A cluster that is down and comes up again fires what came due meanwhile.
func TestRestartFiresWhatCameDue(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), clusterOf(t)
	first := liftNew(t, name, "a")
	seen := make(chan time.Time, 1000)
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) { seen <- run.ScheduledTime; return nil, nil })
	j := carillon.Job{ID: "tick", Task: "act", Args: args, Trigger: carillon.Every(100 * time.Millisecond)}
	j.Coalesce, j.MaxInstances = carillon.CoalesceAll, 100
	added := must(first.AddJob(ctx, j))(t)
	receive(t, seen, "a run of the first node")
	first.stop(t, 5*time.Second)
	down := time.Now()
	eventually(t, 5*time.Second, "an outage of half a second", func() bool { return time.Since(down) > 500*time.Millisecond })
	second := liftNew(t, name, "a") // the same name, another boot
	up := time.Now()
	start, _ := added.NextRunTime.Time()
	have := map[int64]int{}
	eventually(t, 10*time.Second, "a row for each time before the restart", func() bool {
		clear(have)
		for _, r := range must(second.History(ctx, "tick", 1000))(t) {
			if r.ScheduledTime.Before(up) {
				have[r.ScheduledTime.UnixMilli()]++
			}
		}
		return len(have) >= int(up.Sub(start)/(100*time.Millisecond))+1
	})
	for at := start; at.Before(up); at = at.Add(100 * time.Millisecond) {
		if have[at.UnixMilli()] != 1 {
			t.Errorf("the time %v after the first has %d rows, want one", at.Sub(start), have[at.UnixMilli()])
		}
	}
	if err := second.RemoveJob(ctx, "tick"); err != nil {
		t.Fatal(err)
	}
}

func TestTwoStores(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	if got := strings.Join(client.Stores(), " "); got != "default redis" {
		t.Errorf("stores are %s", got)
	}
	id := clusterOf(t)
	seen := make(chan carillon.Run, 10)
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) { seen <- run; return nil, nil })
	for _, store := range []string{"default", "redis"} {
		j := hourly(id)
		j.Args = args
		added := must(client.AddJob(ctx, j, carillon.InStore(store)))(t)
		if added.Store != store {
			t.Errorf("added to %s, want %s", added.Store, store)
		}
		must(client.TriggerNow(ctx, id, carillon.InStore(store)))(t)
		if run := receive(t, seen, "the run"); run.Store != store {
			t.Errorf("run is of store %s, want %s", run.Store, store)
		}
	}
	if err := client.RemoveJob(ctx, id, carillon.InStore("redis")); err != nil {
		t.Error(err)
	}
	must(client.GetJob(ctx, id))(t)
	// The client without a node sees the same database.
	other, err := carillon.NewClient(ctx, carillon.ClientConfig{Stores: map[string]string{"redis": database(2)}, Namespace: "stage"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	rows(t, other, id, 1, carillon.InStore("redis"))
	if _, err := other.Enqueue(ctx, "act", json.RawMessage(args), carillon.InStore("redis"), carillon.OnExecutor("redis")); err != nil {
		t.Error(err)
	}
	receive(t, seen, "the run of the client without a node")
}
