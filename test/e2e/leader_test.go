package e2e_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// steadyJobs is how many jobs are due each second while leaders die.
const steadyJobs = 20

// takeoverBound is how long the schedule may stand still when a leader was killed: the lease of two
// seconds, what etcd takes to notice its end, and a second for a busy machine.
const takeoverBound = 6 * time.Second

func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CARILLON_E2E_KILLS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CARILLON_E2E_KILLS is %q", text)
	}
	return n
}

func TestLeaderKills(t *testing.T) {
	n := kills(t)
	sc := begin(t, 3, "n1", "n2", "n3")
	must(t, sc.AddSteady(within(t, 10*time.Second), sc.client, steadyJobs))
	var fresh *rig.Node
	for i := range n {
		if fresh != nil {
			must(t, fresh.Ready(within(t, 20*time.Second)))
		}
		must(t, sc.Settled(within(t, 20*time.Second)))
		pause(t, time.Duration(sc.random.Int64N(int64(time.Second))))
		fault := sc.killLeader(t, i%2 == 0)
		name := fault.Node
		if sc.random.IntN(2) == 0 {
			name = fmt.Sprintf("n%d", 4+i)
		}
		var err error
		fresh, err = sc.StartNode(name)
		must(t, err)
		sc.awaitSuccessor(t, fault)
	}
	must(t, fresh.Ready(within(t, 20*time.Second)))
	h := sc.judge(t)
	sc.stopAll(t)
	must(t, sc.Drained(within(t, 5*time.Second)))
	took := h.Takeovers()
	if len(took) != n || history.Count(h).Kills != n {
		t.Fatalf("%d kills, %d takeovers: %v", n, len(took), took)
	}
	t.Logf("kill to the next dispatched run, each: %v", took)
	slowest := took[len(took)-1]
	t.Logf("kill to the next dispatched run: p50 %s, max %s", round(history.Median(took)), round(slowest))
	if slowest > takeoverBound {
		t.Errorf("the slowest takeover took %s, more than %s", slowest, takeoverBound)
	}
}

// TestLeaderTerm tells the leader to end: the next one must go on at once, and nothing may be run
// again.
func TestLeaderTerm(t *testing.T) {
	const bound = time.Second
	sc := begin(t, 0, "n1", "n2", "n3")
	must(t, sc.AddSteady(within(t, 10*time.Second), sc.client, steadyJobs))
	for range 2 {
		must(t, sc.Settled(within(t, 20*time.Second)))
		pause(t, time.Second)
		leader, term, err := sc.Leader(within(t, 5*time.Second), 0)
		must(t, err)
		fault := sc.Tell(leader)
		if fault.Term != term.Term {
			t.Fatalf("%s was told in term %d, not %d", leader.Name, fault.Term, term.Term)
		}
		sc.awaitSuccessor(t, fault)
		must(t, sc.Ended(within(t, 15*time.Second), leader))
		must(t, sc.StartNodes(within(t, 20*time.Second), leader.Name))
	}
	h := sc.judge(t)
	sc.stopAll(t)
	if got := history.Count(h); got.Reruns != 0 {
		t.Errorf("%d runs were run again although every node ended in peace", got.Reruns)
	}
	took := h.Takeovers()
	t.Logf("SIGTERM to the next dispatched run: %v", took)
	if len(took) != 2 || took[1] > bound {
		t.Errorf("two takeovers took %v, want both within %s", took, bound)
	}
}

// killLeader kills whoever is in office, in the middle of a run if that is asked for. It spares runs
// that have been lost twice before: a third time they would end as lost, as promised.
func (sc *scene) killLeader(t *testing.T, midRun bool) history.Fault {
	t.Helper()
	must(t, sc.Spared(within(t, 20*time.Second)))
	leader, _, err := sc.Leader(within(t, 10*time.Second), 0)
	must(t, err)
	if leader == nil {
		t.Fatal("the leader's process is not running")
	}
	if midRun {
		must(t, sc.Busy(within(t, 10*time.Second), leader.Name))
	}
	fault := sc.Kill(leader)
	if fault.Term == 0 {
		t.Fatalf("%s lost its office just before it was killed", leader.Name)
	}
	return fault
}

// awaitSuccessor returns when a leader with a higher term is there and a run due after the fault
// has arrived.
func (sc *scene) awaitSuccessor(t *testing.T, fault history.Fault) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	_, err := sc.Watch.Leader(ctx, fault.Term)
	must(t, err)
	must(t, sc.Witness.Wait(ctx, "a run due after the fault", func(seen []history.Execution) bool {
		return len(seen) > 0 && seen[len(seen)-1].Scheduled.After(fault.At.Add(100*time.Millisecond))
	}))
}

// pause lets processes work for a while.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
