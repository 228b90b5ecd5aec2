package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// Two nodes, two partitions: once PauseExecutor has returned nothing of it starts anywhere, what
// comes due waits, and all of it runs after ResumeExecutor.
func TestPausedExecutorStartsNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cluster := clusterOf(t)
	configured := func(name string) carillon.Config {
		cfg := config(t, cluster, name)
		cfg.Partitions, cfg.Executors = 2, map[string]int{"default": 8, "mail": 8}
		return cfg
	}
	a := lift(t, newNode(t, configured("a")))
	lift(t, newNode(t, configured("b")))
	var paused atomic.Bool
	var late atomic.Int64
	args := act(t, func(context.Context, carillon.Run) (any, error) {
		if paused.Load() {
			late.Add(1)
		}
		return nil, nil
	})
	long, begun, end := untilTold(t)
	held := must(a.Enqueue(ctx, "act", long, carillon.OnExecutor("mail")))(t)
	<-begun
	j := carillon.Job{ID: "tick", Task: "act", Args: args, Trigger: carillon.Every(20 * time.Millisecond)}
	j.Executor, j.Coalesce, j.MaxInstances, j.Overlap = "mail", carillon.CoalesceAll, 4, carillon.OverlapQueue
	must(a.AddJob(ctx, j))(t)
	rows(t, a.Client, "tick", 3)

	if err := a.PauseExecutor(ctx, "mail", carillon.Because("no relay")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "what had started to end", func() bool { return runningOf(t, a.Client, "mail") == 1 })
	paused.Store(true)
	waiting := submitted(t, a.Client, "tick")
	eventually(t, 10*time.Second, "50 more runs to be dispatched", func() bool { return submitted(t, a.Client, "tick") >= waiting+50 })
	rowOf(t, a.Client, "@act", must(a.Enqueue(ctx, "act", act(t, nothing)))(t)) // the other executor goes on
	if n := late.Load(); n != 0 {
		t.Errorf("%d runs began after the pause was acknowledged", n)
	}
	close(end)
	if row := rowOf(t, a.Client, "@act", held); row.Outcome != job.Executed {
		t.Errorf("the run under way ended as %+v", row)
	}
	seePause(t, a)

	paused.Store(false)
	ran := len(must(a.History(ctx, "tick", 10_000))(t))
	resumed := time.Now()
	if err := a.ResumeExecutor(ctx, "mail"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "what waited to run", func() bool {
		return len(must(a.History(ctx, "tick", 10_000))(t)) >= ran+50
	})
	t.Logf("50 runs that waited had ended %s after the resumption", time.Since(resumed).Round(time.Millisecond))
	if _, body := get(t, "http://"+a.Address()+"/metrics"); !strings.Contains(body, `carillon_executor_paused{executor="mail",node="a",store="default"} 0`) {
		t.Error("the metric does not say that it is resumed")
	}
}

func runningOf(t *testing.T, c *carillon.Client, executor string) int {
	t.Helper()
	for _, e := range must(c.Executors(t.Context()))(t) {
		if e.Name == executor {
			return e.Running
		}
	}
	t.Fatalf("executor %s is not listed", executor)
	return 0
}

// seePause looks at the pause of "mail" wherever it can be seen.
func seePause(t *testing.T, n *lifted) {
	t.Helper()
	all := must(n.Executors(t.Context()))(t)
	names := make([]string, len(all))
	for i, e := range all {
		names[i] = fmt.Sprintf("%s %s %t %t %s", e.Store, e.Name, e.Paused, e.Partial, e.Reason)
	}
	if want := []string{"default default false false ", "default mail true false no relay"}; !slices.Equal(names, want) || all[1].Backlog < 1 {
		t.Errorf("executors are %+v", all)
	}
	x := must(n.Explain(t.Context(), "tick", time.Time{}))(t)
	if !strings.Contains(strings.Join(x.Job, " "), `Executor "mail" has been paused since `) {
		t.Errorf("it is explained as %q", x.Job)
	}
	if status, h := ready(t, n.Address()); status != 200 {
		t.Errorf("readyz says %d %+v", status, h)
	}
	if _, body := get(t, "http://"+n.Address()+"/metrics"); !strings.Contains(body, `carillon_executor_paused{executor="mail",node="a",store="default"} 1`) {
		t.Error("the metric does not say that it is paused")
	}
	causes := 0
	for _, e := range must(n.Events(t.Context()))(t) {
		if e.Kind == job.ExecutorPaused && e.Cause == "mail: no relay" {
			causes++
		}
	}
	if causes != 2 {
		t.Errorf("executor_paused was told by %d partitions", causes)
	}
}

func TestPausingAnExecutorThatNobodyServed(t *testing.T) {
	t.Parallel()
	for _, err := range []error{stage.client.PauseExecutor(t.Context(), "mial"), stage.client.ResumeExecutor(t.Context(), "mial")} {
		if !errors.Is(err, carillon.ErrUnknownExecutor) || !strings.Contains(err.Error(), "known are default, redis") {
			t.Errorf("it says %v", err)
		}
	}
	if err := stage.client.PauseExecutor(t.Context(), "default", carillon.InStore("attic")); !errors.Is(err, carillon.ErrUnknownStore) {
		t.Errorf("it says %v", err)
	}
}

func TestExecutorIsPausedInOneStore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := config(t, clusterOf(t), "n")
	cfg.Stores = map[string]string{"redis": database(2)}
	n := lift(t, newNode(t, cfg))
	if err := n.PauseExecutor(ctx, "default", carillon.InStore("redis")); err != nil {
		t.Fatal(err)
	}
	waiting := must(n.Enqueue(ctx, "act", act(t, nothing), carillon.InStore("redis")))(t)
	rowOf(t, n.Client, "@act", must(n.Enqueue(ctx, "act", act(t, nothing)))(t))
	for _, e := range must(n.Executors(ctx))(t) {
		if e.Paused != (e.Store == "redis") {
			t.Errorf("%+v", e)
		}
	}
	if r := must(n.GetRun(ctx, waiting, carillon.InStore("redis")))(t); r.State != carillon.RunQueued {
		t.Errorf("it is in state %s", r.State)
	}
}
