package e2e_test

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// TestScaleAndRollingRestart grows the cluster from one node to five, restarts each in turn as an
// update would, and shrinks it to one. Nobody dies, so nothing may be run again.
func TestScaleAndRollingRestart(t *testing.T) {
	sc := begin(t, 0, "n1")
	must(t, sc.AddSteady(within(t, 10*time.Second), sc.client, 10))
	must(t, sc.Settled(within(t, 10*time.Second)))
	names := []string{"n1", "n2", "n3", "n4", "n5"}
	must(t, sc.StartNodes(within(t, 20*time.Second), names[1:]...))
	for _, name := range names {
		must(t, sc.Settled(within(t, 10*time.Second)))
		pause(t, 500*time.Millisecond)
		sc.tellAndWait(t, name)
		must(t, sc.StartNodes(within(t, 20*time.Second), name))
	}
	for _, name := range names[:4] {
		sc.tellAndWait(t, name)
	}
	pause(t, time.Second)
	h := sc.judge(t)
	sc.stopAll(t)
	got := history.Count(h)
	if got.Reruns != 0 {
		t.Errorf("%d runs were run again although every node ended in peace", got.Reruns)
	}
	if got.Due < 50 {
		t.Errorf("only %d due times were judged", got.Due)
	}
	if late := 2 * time.Second; got.Late > late {
		t.Errorf("a run began %s after it was due, want at most %s", got.Late, late)
	}
}

// tellAndWait ends a node with SIGTERM.
func (sc *scene) tellAndWait(t *testing.T, name string) {
	t.Helper()
	n := sc.Node(name)
	if n == nil {
		t.Fatalf("node %s does not run", name)
	}
	sc.Tell(n)
	must(t, sc.Ended(within(t, 15*time.Second), n))
}
