package node_test

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// A run for an executor that no node serves says so, and no longer once one does.
func TestRunThatNobodyServes(t *testing.T) {
	t.Parallel()
	cfg := config(t, clusterOf(t), "n")
	cfg.Executors = map[string]int{"rare": 1}
	node, client := idle(t, cfg) // it makes the executor known, and does not run
	args, begun, end := untilTold(t)
	at := time.Now().Truncate(time.Millisecond)
	j := carillon.Job{ID: "j", Task: "act", Args: args, Trigger: every(time.Hour, at), NextRunTime: job.At(at), Executor: "rare"}
	must(client.AddJob(t.Context(), j))(t)
	first := must(client.Enqueue(t.Context(), "act", args, carillon.OnExecutor("rare")))(t)
	if r := must(client.GetRun(t.Context(), first))(t); r.State != carillon.RunQueued || !r.Unserved {
		t.Errorf("without a node the run is %+v", r)
	}
	other := liftNew(t, cfg.Cluster, "leader") // it serves "default"
	eventually(t, 10*time.Second, "the job to be dispatched", func() bool {
		return len(must(other.Runs(t.Context(), carillon.RunQueued, 9))(t)) == 2
	})
	explained(t, other.Client, "j", at, "stream", `no node serves executor "rare"`)
	lift(t, node)
	receive(t, begun, "the first of them")
	var waits []carillon.RunInfo
	eventually(t, 10*time.Second, "the other to wait for room", func() bool {
		waits = must(client.Runs(t.Context(), carillon.RunQueued, 9))(t)
		return len(waits) == 1
	})
	if r := must(client.GetRun(t.Context(), waits[0].RunID))(t); r.Unserved {
		t.Errorf("with a node that is busy the run is %+v", r)
	}
	close(end)
}
