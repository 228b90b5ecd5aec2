package node_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// page reads what a node serves over HTTP.
func page(t *testing.T, n *lifted, path string) string {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.Address()+path, http.NoBody))(t)
	resp := must(http.DefaultClient.Do(req))(t)
	defer func() { _ = resp.Body.Close() }()
	return string(must(io.ReadAll(resp.Body))(t))
}

// Runs of a task that no live node serves wait, visibly, whatever they are of; they run as attempt 1 as soon as
// a node joins that serves it.
func TestRunsOfATaskThatNobodyServesWait(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), clusterOf(t)
	specialist := func(node string) *carillon.Node {
		n := newNode(t, config(t, name, node))
		n.HandleFunc("special", nothing)
		return n
	}
	gone := specialist("gone")
	clientOf(t, gone)
	gone.Close()
	n := liftNew(t, name, "n")
	eventually(t, 10*time.Second, "the leader to say who serves what", func() bool {
		return must(n.Unserved(ctx, "special"))(t) && !must(n.Unserved(ctx, "act"))(t)
	})
	sent := must(n.Submit(ctx, "special", []any{1, 2, 3}))(t)
	if !sent.Unserved || sent.Existing {
		t.Errorf("enqueued as %+v", sent)
	}
	at := time.Now().Truncate(time.Millisecond)
	j := carillon.Job{ID: "j", Task: "special", Trigger: every(time.Hour, at), NextRunTime: job.At(at)}
	j.Overlap = carillon.OverlapQueue
	must(n.AddJob(ctx, j))(t)
	for _, id := range sent.RunIDs {
		if r := awaitState(t, n.Client, id, carillon.RunDelayed); !r.Unserved || r.UnservedSince.IsZero() || r.Attempt != 1 {
			t.Errorf("the run is %+v", r)
		}
	}
	eventually(t, 10*time.Second, "the job's run to wait", func() bool {
		return len(must(n.Runs(ctx, carillon.RunDelayed, 99))(t)) == 4
	})
	for _, r := range must(n.Runs(ctx, carillon.RunDelayed, 99))(t) {
		if !r.Unserved {
			t.Errorf("the list has %+v", r)
		}
	}
	explained(t, n.Client, "j", at, "delayed", `no live node of executor "default" serves task "special"`)
	if text := page(t, n, "/metrics"); !strings.Contains(text, `carillon_unserved_runs{node="n",store="default"} 4`) {
		t.Error("the metric does not say 4")
	}
	lift(t, specialist("able"))
	began := time.Now()
	for _, id := range sent.RunIDs {
		if r := rowOf(t, n.Client, "@special", id); r.Outcome != job.Executed || r.Attempt != 1 || r.Node != "able" {
			t.Errorf("history is %+v", r)
		}
	}
	if got := rows(t, n.Client, "j", 1); got[0].Outcome != job.Executed || got[0].Attempt != 1 {
		t.Errorf("history is %+v", got)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("they ran %s after the node had come", took)
	}
}

// Nodes of another executor are of no help: the run waits, and is said to, until it is cancelled.
func TestTaskOfAnotherExecutorsNode(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), clusterOf(t)
	cfg := config(t, name, "other")
	cfg.Executors = map[string]int{"rare": 1}
	other := newNode(t, cfg)
	other.HandleFunc("special", nothing)
	n := liftNew(t, name, "n")
	lift(t, other)
	eventually(t, 10*time.Second, "the leader to say who serves what", func() bool {
		return must(n.Unserved(ctx, "special"))(t) && !must(n.Unserved(ctx, "special", carillon.OnExecutor("rare")))(t)
	})
	rowOf(t, n.Client, "@special", must(n.Enqueue(ctx, "special", nil, carillon.OnExecutor("rare")))(t))
	sent := must(n.Submit(ctx, "special", []any{1, 2}))(t)
	if !sent.Unserved {
		t.Errorf("enqueued as %+v", sent)
	}
	for _, id := range sent.RunIDs {
		awaitState(t, n.Client, id, carillon.RunDelayed)
	}
	later := must(n.Enqueue(ctx, "special", nil, carillon.RunAfter(time.Hour)))(t)
	if got := must(n.CancelTask(ctx, "special"))(t); got != 3 {
		t.Errorf("%d runs were cancelled, want 3", got)
	}
	for _, id := range append(sent.RunIDs, later) {
		if r := rowOf(t, n.Client, "@special", id); r.Outcome != job.Cancelled {
			t.Errorf("history is %+v", r)
		}
	}
	if got := must(n.CancelTask(ctx, "special"))(t); got != 0 {
		t.Errorf("%d runs were cancelled again", got)
	}
}

// A deploy that stops every replica and starts those without the task first kills nothing: a run in backoff keeps
// its attempts, and one with a grace is missed when that ends.
func TestDeployOfAllReplicas(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), clusterOf(t)
	replica := func(node string, f carillon.TaskFunc) *lifted {
		n := newNode(t, config(t, name, node))
		n.HandleFunc("special", f)
		return lift(t, n)
	}
	old := replica("old", func(context.Context, carillon.Run) (any, error) { return nil, fmt.Errorf("boom") })
	id := must(old.Enqueue(ctx, "special", nil, carillon.WithRetry(soon(2, 100*time.Millisecond))))(t)
	awaitState(t, old.Client, id, carillon.RunDelayed)
	old.stop(t, 5*time.Second)
	n := liftNew(t, name, "n")
	eventually(t, 10*time.Second, "the retry to wait for a node", func() bool {
		r, err := n.GetRun(ctx, id)
		return err == nil && r.Unserved
	})
	hasty := carillon.Job{ID: "hasty", Task: "special", Trigger: every(time.Hour, time.Now()), NextRunTime: job.At(time.Now())}
	hasty.MisfireGraceTime = job.Grace(1200 * time.Millisecond)
	must(n.AddJob(ctx, hasty))(t)
	if r := rows(t, n.Client, "hasty", 1)[0]; r.Outcome != job.Missed || !strings.HasPrefix(r.Cause, "no node serves the task: ") {
		t.Errorf("history is %+v", r)
	}
	replica("new", nothing)
	if r := rowOf(t, n.Client, "@special", id); r.Outcome != job.Executed || r.Attempt != 2 {
		t.Errorf("history is %+v", r)
	}
}
