package node_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := config(t, clusterOf(t), "n")
	cfg.Stores = map[string]string{"redis": database(2)}
	cfg.Partitions = 2
	n := lift(t, newNode(t, cfg))
	var latest atomic.Int64
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		latest.Store(max(latest.Load(), run.ScheduledTime.UnixMilli()))
		return nil, nil
	})
	j := carillon.Job{ID: "tick", Task: "act", Args: args, Trigger: carillon.Every(50 * time.Millisecond)}
	j.Coalesce, j.MaxInstances = carillon.CoalesceAll, 5
	must(n.AddJob(ctx, j))(t)
	rows(t, n.Client, "tick", 3)
	if err := n.Pause(ctx, carillon.Because("a test")); err != nil {
		t.Fatal(err)
	}
	atPause := submitted(t, n.Client, "tick")
	if on := must(n.IsPaused(ctx))(t); !on {
		t.Error("it is not paused after Pause")
	}
	paused := time.Now()
	// Ad-hoc runs and triggered ones go on.
	rowOf(t, n.Client, "@act", must(n.Enqueue(ctx, "act", act(t, nothing)))(t))
	rowOf(t, n.Client, "tick", must(n.TriggerNow(ctx, "tick"))(t))
	eventually(t, 5*time.Second, "half a second to pass", func() bool { return time.Since(paused) > 500*time.Millisecond })
	if got := submitted(t, n.Client, "tick"); got != atPause+1 { // the one that was triggered
		t.Errorf("%d runs were dispatched after Pause had returned", got-atPause-1)
	}
	resumed := time.Now()
	if err := n.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	if on := must(n.IsPaused(ctx))(t); on {
		t.Error("it is paused after Resume")
	}
	eventually(t, 5*time.Second, "runs after resume", func() bool { return latest.Load() > resumed.UnixMilli() })
	eventually(t, 10*time.Second, "the backlog of ten times or so to have run", func() bool {
		during := 0
		for _, r := range must(n.History(ctx, "tick", 1000))(t) {
			if r.Outcome == job.Executed && r.ScheduledTime.After(paused) && r.ScheduledTime.Before(resumed) {
				during++
			}
		}
		return during >= 9
	})
	if err := n.RemoveJob(ctx, "tick"); err != nil {
		t.Fatal(err)
	}
	kinds := map[carillon.EventKind]string{}
	for _, e := range must(n.Events(ctx))(t) {
		kinds[e.Kind] = e.Cause
	}
	if cause, ok := kinds[job.SchedulerPaused]; !ok || cause != "a test" {
		t.Errorf("scheduler_paused says %q, %t", cause, ok)
	}
	if _, ok := kinds[job.SchedulerResumed]; !ok {
		t.Error("scheduler_resumed is missing")
	}
}

// submitted counts the runs of a job that the log says were dispatched.
func submitted(t *testing.T, client *carillon.Client, id string) int {
	t.Helper()
	n := 0
	for _, e := range must(client.Events(t.Context()))(t) {
		if e.Kind == carillon.JobSubmitted && e.JobID == id {
			n++
		}
	}
	return n
}
