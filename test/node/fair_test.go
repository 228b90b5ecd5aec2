package node_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// lateness records how long after their times the runs of some kinds of job started.
type lateness struct {
	mu   sync.Mutex
	late map[string][]time.Duration
}

// of is an act that records under a kind.
func (l *lateness) of(kind string) carillon.TaskFunc {
	return func(_ context.Context, run carillon.Run) (any, error) {
		late := time.Since(run.ScheduledTime)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.late[kind] = append(l.late[kind], late)
		return nil, nil
	}
}

func (l *lateness) count(kind string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.late[kind])
}

// A job with a million due times, all of which are to run, and one whose line is full delay no other
// job, of their executor or of another.
func TestBacklogDelaysNobody(t *testing.T) {
	t.Parallel()
	const backlog, others, rounds = 1_000_000, 100, 4
	cfg := config(t, clusterOf(t), "n")
	cfg.Executors = map[string]int{"default": 10, "other": 10}
	node := newNode(t, cfg)
	n := lift(t, node)
	var ran atomic.Int64
	behind := carillon.Job{ID: "behind", Task: "act", Trigger: every(time.Second, time.Now().Add(-backlog*time.Second))}
	behind.NextRunTime = job.At(time.Now().Add(-backlog * time.Second))
	behind.Coalesce = carillon.CoalesceAll
	behind.Args = act(t, func(ctx context.Context, _ carillon.Run) (any, error) {
		ran.Add(1)
		pause := time.NewTimer(time.Millisecond)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		return nil, nil
	})
	must(n.AddJob(t.Context(), behind))(t)
	args, begun, end := untilTold(t)
	inLine := carillon.Job{ID: "in-line", Task: "act", Args: args, Trigger: carillon.Every(5 * time.Millisecond)}
	inLine.Overlap = carillon.OverlapQueue
	must(n.AddJob(t.Context(), inLine))(t)
	receive(t, begun, "what the line waits for")
	eventually(t, 10*time.Second, "the backlog to begin", func() bool { return ran.Load() > 0 })

	l := &lateness{late: map[string][]time.Duration{}}
	for _, executor := range []string{"default", "other"} {
		args := act(t, l.of(executor))
		for i := range others {
			j := carillon.Job{ID: fmt.Sprintf("%s-%d", executor, i), Task: "act", Args: args, Trigger: carillon.Every(time.Second)}
			j.Executor = executor
			must(n.AddJob(t.Context(), j))(t)
		}
	}
	for _, executor := range []string{"default", "other"} {
		eventually(t, 30*time.Second, "the others' runs", func() bool { return l.count(executor) >= others*rounds })
		l.mu.Lock()
		all := slices.Sorted(slices.Values(l.late[executor]))
		l.mu.Unlock()
		median, worst := all[len(all)/2], all[len(all)-1]
		t.Logf("executor %s: %d runs late by %v at the median, %v at worst; %d of the backlog have run", executor, len(all), median, worst, ran.Load())
		if median > time.Second || worst > 5*time.Second {
			t.Errorf("executor %s: late by %v at the median, %v at worst", executor, median, worst)
		}
	}
	if r := ran.Load(); r < 100 || r > backlog/2 {
		t.Errorf("%d of the backlog have run", r)
	}
	close(end)
}

// What a node holds of a stream is bounded by its executors' concurrency, not by what waits. It is not
// parallel: others would be counted.
func TestNodeMemoryUnderABacklog(t *testing.T) {
	const waiting, length, seen = 100_000, 400, 5_000
	cfg := config(t, clusterOf(t), "n")
	cfg.Executors = map[string]int{"default": 10}
	node := newNode(t, cfg)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var ran, most atomic.Int64
	enough := make(chan struct{})
	node.HandleFunc("long", func(context.Context, carillon.Run) (any, error) {
		n := ran.Add(1)
		if n%(seen/5) == 0 && n <= seen {
			most.Store(max(most.Load(), heap()))
		}
		if n == seen {
			close(enough)
		}
		return nil, nil
	})
	client := clientOf(t, node)
	must(client.EnqueueMany(t.Context(), "long", slices.Repeat([]any{strings.Repeat("x", length)}, waiting)))(t)
	before := heap()
	n := lift(t, node)
	receive(t, enough, "some runs")
	n.stop(t, 10*time.Second)
	held := most.Load() - before
	t.Logf("%d bytes wait, at most %d more are held", waiting*length, held)
	if held > waiting*length/5 {
		t.Errorf("%d bytes wait, at most %d more are held", waiting*length, held)
	}
	outside := must(carillon.NewClient(t.Context(), carillon.ClientConfig{Redis: cfg.Redis, Namespace: cfg.Cluster}))(t)
	defer outside.Close()
	if left := len(must(outside.Runs(t.Context(), carillon.RunQueued, waiting))(t)); left < waiting/2 {
		t.Errorf("%d runs are left", left)
	}
}
