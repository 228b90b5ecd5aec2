package e2e_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// TestDeadNextInLine kills who would lead next and the leader, with a lease far longer than the bound:
// the next one that lives must lead, in whatever order they died.
func TestDeadNextInLine(t *testing.T) {
	const bound = time.Second // of a busy machine; alone it is milliseconds
	for _, tt := range []struct {
		name     string
		together bool
	}{{"before the leader", false}, {"with the leader", true}} {
		t.Run(tt.name, func(t *testing.T) {
			sc := beginWith(t, rig.Config{LeaseTTL: 10 * time.Second}, "n1", "n2", "n3")
			must(t, sc.AddSteady(within(t, 10*time.Second), sc.client, steadyJobs))
			must(t, sc.Settled(within(t, 20*time.Second)))
			sc.awaitWatched(t)
			line := sc.Watch.Line()
			if !tt.together {
				sc.Kill(sc.Node(line[1].Node))
				for ctx := within(t, bound); slices.Contains(sc.Watch.Line(), line[1]); pause(t, 5*time.Millisecond) {
					must(t, ctx.Err())
				}
				line = slices.Delete(line, 1, 2)
			}
			dead := line[:len(line)-1]
			began := time.Now()
			var kills sync.WaitGroup
			for _, l := range dead {
				kills.Go(func() { sc.Kill(sc.Node(l.Node)) })
			}
			kills.Wait()
			_, err := sc.Watch.Leader(within(t, 20*time.Second), dead[len(dead)-1].Term)
			must(t, err)
			took := time.Since(began)
			t.Logf("%s leads %s after the kills", line[len(line)-1].Node, took)
			if took > bound {
				t.Errorf("it took %s, want %s", took, bound)
			}
			must(t, sc.StartNodes(within(t, 30*time.Second), dead[0].Node))
			must(t, sc.Witness.Wait(within(t, 20*time.Second), "a run after the takeover", func(seen []history.Execution) bool {
				return len(seen) > 0 && seen[len(seen)-1].Scheduled.After(began.Add(took))
			}))
			sc.judge(t)
			sc.stopAll(t)
		})
	}
}
