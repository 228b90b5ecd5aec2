package e2e_test

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// heldRun is a cluster of a leader n1 and two workers, one of which, the victim, runs the first
// attempt of a job that the witness holds. The job is due every eight seconds and may have one run.
type heldRun struct {
	*scene
	victim *rig.Node
	first  history.Execution
}

// hold starts the cluster; later attempts of the job take as long as said.
func hold(t *testing.T, later time.Duration) heldRun {
	t.Helper()
	sc := begin(t, 0, "n1")
	for _, name := range []string{"n2", "n3"} {
		n, err := sc.StartNode(name, "--executor", "default=64", "--executor", "work=8")
		must(t, err)
		must(t, n.Ready(within(t, 20*time.Second)))
	}
	must(t, sc.Add(within(t, 5*time.Second), sc.client, rig.Spec{
		Job: history.Job{ID: "held", First: time.Now().Add(time.Second), Every: 8 * time.Second, MaxInstances: 1},
		URL: sc.Witness.HoldURL("held", later), Executor: "work",
	}))
	must(t, sc.AddSteady(within(t, 10*time.Second), sc.client, 5))
	first := sc.await(t, 10*time.Second, "attempt 1", func(e history.Execution) bool { return e.JobID == "held" })
	victim := sc.Node(first.Node)
	if victim == nil || victim.Name == "n1" {
		t.Fatalf("the run is held by %q, want a worker", first.Node)
	}
	return heldRun{scene: sc, victim: victim, first: first}
}

// await returns the first execution that is as wanted.
func (sc *scene) await(t *testing.T, patience time.Duration, what string, wanted func(history.Execution) bool) (found history.Execution) {
	t.Helper()
	must(t, sc.Witness.Wait(within(t, patience), what, func(seen []history.Execution) bool {
		for _, e := range seen {
			if wanted(e) {
				found = e
				return true
			}
		}
		return false
	}))
	return found
}

// second waits for attempt 2 of the held run.
func (h heldRun) second(t *testing.T) history.Execution {
	t.Helper()
	e := h.await(t, 15*time.Second, "attempt 2", func(e history.Execution) bool {
		return e.RunID == h.first.RunID && e.Attempt == 2
	})
	if e.Node == h.victim.Name || e.Node == "n1" {
		t.Errorf("attempt 2 ran on %q, want the other worker", e.Node)
	}
	return e
}

// finish waits for the job's next due time, which needs the slot, judges all and ends the nodes.
func (h heldRun) finish(t *testing.T, second history.Execution) history.History {
	t.Helper()
	h.await(t, 15*time.Second, "the job's next run", func(e history.Execution) bool {
		return e.JobID == "held" && e.RunID != h.first.RunID && e.Answered
	})
	all := h.judge(t)
	h.stopAll(t)
	rows := 0
	for _, o := range all.Outcomes {
		if o.RunID != h.first.RunID {
			continue
		}
		rows++
		if o.Outcome != "executed" || o.Attempt != 2 || o.Node != second.Node {
			t.Errorf("the run ended as %+v, want executed, attempt 2, by %s", o, second.Node)
		}
	}
	if rows != 1 {
		t.Errorf("the run has %d outcomes, want one", rows)
	}
	if got := history.Count(all); got.Reruns < 1 {
		t.Error("no rerun was counted")
	}
	return all
}

// TestExecutorKilledMidRun kills a worker in the middle of a run: the run comes again as the next
// attempt, on another node, and its slot is free afterwards.
func TestExecutorKilledMidRun(t *testing.T) {
	h := hold(t, 0)
	fault := h.Kill(h.victim)
	if fault.Term != 0 {
		t.Fatalf("%s led in term %d", fault.Node, fault.Term)
	}
	second := h.second(t)
	h.Witness.Release("held")
	t.Logf("kill to the next attempt: %s", round(second.Arrived.Sub(fault.At)))
	all := h.finish(t, second)
	if got := len(all.Terms); got != 1 {
		t.Errorf("%d terms, although the leader was left alone", got)
	}
}

// TestExecutorStopped stops a worker past the lease of its run and lets it go on while the next
// attempt runs elsewhere: its late success counts for nothing.
func TestExecutorStopped(t *testing.T) {
	h := hold(t, 2*time.Second)
	resume := h.Suspend(h.victim)
	second := h.second(t)
	h.Witness.Release("held")
	h.await(t, 5*time.Second, "the answer to attempt 1", func(e history.Execution) bool {
		return e.RunID == h.first.RunID && e.Attempt == 1 && e.Answered
	})
	resume()
	h.finish(t, second)
	for _, e := range h.Witness.Executions() {
		if e.RunID == h.first.RunID && e.Attempt > 2 {
			t.Errorf("the run came again: %+v", e)
		}
	}
}
