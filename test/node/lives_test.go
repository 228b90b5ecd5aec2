package node_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// endLives ends the life of every answer that is kept for a cluster, as time does.
func endLives(t *testing.T, cluster string) {
	t.Helper()
	opt := must(redis.ParseURL(world.redis.URL()))(t)
	raw := redis.NewClient(opt)
	defer func() { _ = raw.Close() }()
	ops := must(raw.Keys(t.Context(), "{"+cluster+":*}:op:*").Result())(t)
	if len(ops) == 0 {
		t.Fatal("no answers are kept")
	}
	if err := raw.Del(t.Context(), ops...).Err(); err != nil {
		t.Fatal(err)
	}
}

// Whatever the run of an earlier life is doing, an Enqueue whose id was answered runs, and so does the
// earlier one.
func TestEachLifeOfAKeyRuns(t *testing.T) {
	t.Parallel()
	ctx, cluster := t.Context(), clusterOf(t)
	cfg := config(t, cluster, "n")
	cfg.Partitions = 3
	n := lift(t, newNode(t, cfg))
	for _, c := range []struct {
		name    string
		options []carillon.CallOption
		state   carillon.RunState // of the first run when its life ends
		paused  bool
	}{
		{"it runs", nil, carillon.RunRunning, false},
		{"it waits behind a paused executor", nil, carillon.RunQueued, true},
		{"it waits for its time", []carillon.CallOption{carillon.RunAfter(2 * time.Second)}, carillon.RunDelayed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			args, begun, end := untilTold(t)
			release := sync.OnceFunc(func() { close(end) })
			defer release()
			if c.paused {
				if err := n.PauseExecutor(ctx, "default"); err != nil {
					t.Fatal(err)
				}
			}
			enqueue := func() string {
				options := append(slices.Clone(c.options), carillon.IdempotencyKeyFor(c.name, time.Minute))
				return must(n.Enqueue(ctx, "act", args, options...))(t)
			}
			first := enqueue()
			if again := enqueue(); again != first {
				t.Errorf("within one life the key made the runs %s and %s", first, again)
			}
			awaitState(t, n.Client, first, c.state)
			endLives(t, cluster)
			second := enqueue()
			if again := enqueue(); again != second || second == first {
				t.Errorf("the second life made the runs %s and %s, after %s", second, again, first)
			}
			if c.paused {
				if err := n.ResumeExecutor(ctx, "default"); err != nil {
					t.Fatal(err)
				}
			}
			ran := []string{receive(t, begun, "a run").ID, receive(t, begun, "the other run").ID}
			if want := []string{first, second}; !slices.Equal(slices.Sorted(slices.Values(ran)), slices.Sorted(slices.Values(want))) {
				t.Errorf("ran %v, want %v", ran, want)
			}
			release()
			for _, id := range []string{first, second} {
				if r := rowOf(t, n.Client, "@act", id); r.Outcome != job.Executed {
					t.Errorf("history is %+v", r)
				}
			}
		})
	}
}

// Callers that begin a life at once agree on its run.
func TestManyBeginALifeAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cluster := t.Context(), clusterOf(t)
	_, lone := idle(t, config(t, cluster, "n"))
	var first string
	for range 2 {
		ids := make([]string, 20)
		var callers sync.WaitGroup
		for i := range ids {
			callers.Go(func() {
				options := []carillon.CallOption{carillon.IdempotencyKeyFor("k", time.Minute)}
				if i%2 == 0 { // the other way through the store
					options = append(options, carillon.RunAfter(time.Hour))
				}
				var err error
				if ids[i], err = lone.Enqueue(ctx, "act", nil, options...); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if one := slices.Compact(ids); len(one) != 1 || one[0] == first {
			t.Errorf("the life has the runs %v, the one before had %s", one, first)
		}
		first = ids[0]
		endLives(t, cluster)
	}
	n := len(must(lone.Runs(ctx, carillon.RunQueued, 99))(t)) + len(must(lone.Runs(ctx, carillon.RunDelayed, 99))(t))
	if n != 2 {
		t.Errorf("two lives left %d runs", n)
	}
}

// A backfill that comes again after its life, while its runs still wait, is a backfill of its own.
func TestEachLifeOfABackfillRuns(t *testing.T) {
	t.Parallel()
	ctx, cluster := t.Context(), clusterOf(t)
	n := liftNew(t, cluster, "n")
	var mu sync.Mutex
	ran := map[string]int{}
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[run.ID]++
		return nil, nil
	})
	j := must(n.AddJob(ctx, carillon.Job{ID: uuid.NewString(), Task: "act", Args: args, Trigger: carillon.Cron("0 3 * * *")}))(t)
	if err := n.PauseExecutor(ctx, "default"); err != nil {
		t.Fatal(err)
	}
	from := time.Date(2024, 3, 1, 3, 0, 0, 0, time.UTC)
	backfill := func() []string { return must(n.Backfill(ctx, j.ID, from, from.AddDate(0, 0, 2), 0, "r"))(t) }
	first := backfill()
	if again := backfill(); !slices.Equal(first, again) {
		t.Errorf("within one life the request made %v and %v", first, again)
	}
	endLives(t, cluster)
	second := backfill()
	if err := n.ResumeExecutor(ctx, "default"); err != nil {
		t.Fatal(err)
	}
	rows(t, n.Client, j.ID, 6)
	mu.Lock()
	defer mu.Unlock()
	for _, id := range append(first, second...) {
		if ran[id] != 1 {
			t.Errorf("run %s of %v and %v ran %d times", id, first, second, ran[id])
		}
	}
}
