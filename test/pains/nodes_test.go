package pains_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// 1. Several processes each run every job.
func TestPain01EveryWorkerRunsEveryJob(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t)
	var mu sync.Mutex
	calls := map[time.Time]int{}
	count := func(_ context.Context, r carillon.Run) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		calls[r.ScheduledTime]++
		return nil, nil
	}
	for i := range 3 { // as the workers of a web server do, each adds the job when it starts
		client := lift(t, prepare(t, config(cluster, fmt.Sprint("worker-", i)), count))
		_, err := client.AddJob(t.Context(), every(500*time.Millisecond), carillon.ReplaceExisting())
		must(t, err)
	}
	eventually(t, "six runs", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(calls) >= 6
	})
	mu.Lock()
	defer mu.Unlock()
	for at, n := range calls {
		if n != 1 {
			t.Errorf("the run of %s was executed %d times", at, n)
		}
	}
}

// 5. A crash loses the run.
func TestPain05CrashLosesTheRun(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t)
	attempts := make(chan int, 10)
	node := prepare(t, config(cluster, "n"), func(_ context.Context, r carillon.Run) (any, error) {
		attempts <- r.Attempt
		return nil, nil
	})
	client, err := node.Client(t.Context())
	must(t, err)
	_, err = client.Enqueue(t.Context(), "work", nil)
	must(t, err)
	crash(t, cluster)
	lift(t, node)
	equal(t, "attempt", receive(t, attempts, "the run on a node that lives"), 2)
}

// crash is a node that starts what is there and is not heard of again.
func crash(t *testing.T, cluster string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: world.redis.URL(), Namespace: cluster, Node: "dead"})
	must(t, err)
	defer s.Close()
	c := store.Consumer{Executor: "default", Name: "dead/boot"}
	got, err := s.Fetch(t.Context(), 0, c.Executor, c.Name, 1, 0)
	must(t, err)
	m, err := store.DecodeMessage(got[0].Bodies[0])
	must(t, err)
	replies, err := s.Start(t.Context(), store.Start{
		Consumer: c, Owner: c.Name + "/1", Lease: time.Second, Entries: []string{got[0].ID}, Run: []store.Taken{{Message: &m}},
	})
	must(t, err)
	equal(t, "verdict", replies[0].Verdict, store.Started)
}

// 7. Jobs that cannot be restored are deleted, without a word.
func TestPain07UnreadableJobsAreDeleted(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t)
	ran := make(chan carillon.Run, 100)
	client := lift(t, prepare(t, config(cluster, "n"), func(_ context.Context, r carillon.Run) (any, error) {
		ran <- r
		return nil, nil
	}))
	_, err := client.AddJob(t.Context(), every(300*time.Millisecond, func(j *carillon.Job) { j.ID = "broken" }))
	must(t, err)
	raw := redis.NewClient(&redis.Options{Addr: world.redis.Addr(), DisableIdentity: true})
	t.Cleanup(func() { must(t, raw.Close()) })
	const garbage = "\x80\x04\x95 a pickle of a version that is gone"
	jobs := "{" + cluster + ":0}:jobs"
	must(t, raw.HSet(t.Context(), jobs, "broken", garbage).Err())
	_, err = client.AddJob(t.Context(), every(300*time.Millisecond))
	must(t, err)
	eventually(t, "a run of the other job", func() bool { return receive(t, ran, "a run").JobID == "j" })
	eventually(t, "job_parked", func() bool {
		events, err := client.Events(t.Context())
		must(t, err)
		for _, e := range events {
			if e.Kind == job.JobParked && e.JobID == "broken" && e.Cause != "" {
				return true
			}
		}
		return false
	})
	kept, err := raw.HGet(t.Context(), jobs, "broken").Result()
	must(t, err)
	equal(t, "record", kept, garbage)
}

// 8. Jobs that another process adds or changes are not noticed.
func TestPain08ChangesFromElsewhereGoUnnoticed(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t)
	late := make(chan time.Duration, 100)
	lift(t, prepare(t, config(cluster, "n"), func(_ context.Context, r carillon.Run) (any, error) {
		late <- time.Since(r.ScheduledTime)
		return nil, nil
	}))
	other, err := carillon.NewClient(t.Context(), carillon.ClientConfig{Redis: world.redis.URL(), Namespace: cluster})
	must(t, err)
	t.Cleanup(other.Close)
	_, err = other.AddJob(t.Context(), every(time.Hour))
	must(t, err)
	_, err = other.RescheduleJob(t.Context(), "j", carillon.Every(300*time.Millisecond))
	must(t, err)
	if d := receive(t, late, "a run of the changed job"); d > 600*time.Millisecond {
		t.Errorf("the run was %s late", d)
	}
}

// 9. The scheduler dies or stalls, silently, after an error of its store.
func TestPain09StoreErrorEndsTheScheduler(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{AppendOnly: true})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	cfg := config(clusterOf(t), "n")
	cfg.Redis = server.URL()
	var runs atomic.Int64
	client := lift(t, prepare(t, cfg, func(context.Context, carillon.Run) (any, error) {
		runs.Add(1)
		return nil, nil
	}))
	_, err = client.AddJob(t.Context(), every(200*time.Millisecond))
	must(t, err)
	eventually(t, "runs before", func() bool { return runs.Load() >= 2 })
	must(t, server.Kill())
	must(t, server.Restart(t.Context()))
	before := runs.Load()
	eventually(t, "runs after the store was away", func() bool { return runs.Load() >= before+3 })
}

// 15. A run that is longer than its lease is run a second time.
func TestPain15LongRunsAreRunTwice(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	ended := make(chan error, 10)
	client := lift(t, prepare(t, config(clusterOf(t), "n"), func(ctx context.Context, _ carillon.Run) (any, error) {
		calls.Add(1)
		_, err := lasting(3500*time.Millisecond)(ctx, carillon.Run{}) // the lease is one second
		ended <- err
		return nil, err
	}))
	_, err := client.Enqueue(t.Context(), "work", nil)
	must(t, err)
	must(t, receive(t, ended, "the end of the run"))
	eventually(t, "its outcome", func() bool {
		rows, err := client.History(t.Context(), "@work", 10)
		must(t, err)
		return len(rows) == 1 && rows[0].Outcome == job.Executed && rows[0].Attempt == 1
	})
	equal(t, "calls", calls.Load(), int64(1))
}

// 16. Clocks that are wrong or set back stop runs or repeat them.
func TestPain16ClockOfANodeIsWrong(t *testing.T) {
	t.Parallel()
	cfg := config(clusterOf(t), "n")
	cfg.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	times := make(chan time.Time, 100)
	client := lift(t, prepare(t, cfg, func(_ context.Context, r carillon.Run) (any, error) {
		times <- r.ScheduledTime
		return nil, nil
	}))
	_, err := client.AddJob(t.Context(), every(200*time.Millisecond))
	must(t, err)
	last := time.Now().Add(-time.Second)
	for range 5 {
		at := receive(t, times, "a run")
		if !at.After(last) || time.Since(at) > 5*time.Second {
			t.Errorf("a run of %s came after that of %s", at, last)
		}
		last = at
	}
}
