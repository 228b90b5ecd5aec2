package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// rerunBound is how soon after a kill the next attempt must have begun, whatever the lease.
const rerunBound = time.Second

// TestRunsOfTheDeadComeAgainAtOnce kills nodes in the middle of a run, with leases of 15 seconds:
// followers, whose end the leader proves, and leaders, whose end their successor has proven.
func TestRunsOfTheDeadComeAgainAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leads bool
	}{{"follower", false}, {"leader", true}} {
		t.Run(tt.name, func(t *testing.T) {
			n := kills(t)
			sc := beginWith(t, rig.Config{RunLease: 15 * time.Second}, "n1", "n2", "n3")
			var took []time.Duration
			for round := range n {
				sc.awaitWatched(t)
				held := sc.heldBy(t, round, tt.leads)
				fault := sc.Kill(sc.Node(held.Node))
				if (fault.Term != 0) != tt.leads {
					t.Fatalf("%s led in term %d", fault.Node, fault.Term)
				}
				second := sc.await(t, 20*time.Second, "attempt 2", func(e history.Execution) bool {
					return e.RunID == held.RunID && e.Attempt == 2
				})
				took = append(took, second.Arrived.Sub(fault.At))
				must(t, sc.StartNodes(within(t, 20*time.Second), fault.Node))
			}
			sc.judge(t)
			sc.stopAll(t)
			slices.Sort(took)
			t.Logf("kill to the next attempt: p50 %s, max %s of %v", history.Median(took), took[len(took)-1], took)
			if took[len(took)-1] > rerunBound {
				t.Errorf("the slowest came after %s, want %s", took[len(took)-1], rerunBound)
			}
		})
	}
}

// awaitWatched waits until the leader holds a connection to every follower, and each of them one to
// the leader and to those next in line before it.
func (sc *scene) awaitWatched(t *testing.T) {
	t.Helper()
	leader, _, err := sc.Leader(within(t, 10*time.Second), 0)
	must(t, err)
	all := sc.Running()
	for ctx := within(t, 10*time.Second); len(sc.Watch.Line()) < len(all); pause(t, 10*time.Millisecond) {
		must(t, ctx.Err())
	}
	for place, stands := range sc.Watch.Line() {
		want := min(place, 3)
		if stands.Node == leader.Name {
			want = len(all) - 1
		}
		for ctx := within(t, 10*time.Second); ; pause(t, 10*time.Millisecond) {
			watched, err := sc.Node(stands.Node).Metric(ctx, "carillon_watched_processes")
			must(t, err)
			if int(watched) == want {
				break
			}
		}
	}
}

// heldBy adds jobs of one run, which takes a second, until the leader has one, or a follower.
func (sc *scene) heldBy(t *testing.T, round int, leader bool) history.Execution {
	t.Helper()
	const runs = time.Second
	for i := range 100 {
		id := fmt.Sprintf("held-%d-%d", round, i)
		must(t, sc.Add(within(t, 5*time.Second), sc.client, rig.Spec{Job: history.Job{ID: id, First: time.Now()}, URL: sc.Witness.URL(runs)}))
		e := sc.await(t, 10*time.Second, "a run", func(e history.Execution) bool { return e.JobID == id })
		term, err := sc.Watch.Leader(within(t, 10*time.Second), 0)
		must(t, err)
		if (term.Node == e.Node) == leader && sc.Node(e.Node) != nil {
			return e
		}
	}
	t.Fatal("no run came to where it was wanted")
	return history.Execution{}
}
