package node_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// TestOverlapReplace: a newer run cancels the oldest and starts when that has ended; one that
// still stands in line is superseded by a newer one.
func TestOverlapReplace(t *testing.T) {
	t.Parallel()
	nodes := three(t)
	started := make(chan carillon.Run, 10)
	let, cancelled := make(chan struct{}), make(chan struct{}, 10)
	free := sync.OnceFunc(func() { close(let) })
	t.Cleanup(free) // before the nodes end
	args := act(t, func(ctx context.Context, run carillon.Run) (any, error) {
		started <- run
		select {
		case <-let:
			return nil, nil
		case <-ctx.Done():
			cancelled <- struct{}{}
			<-let // holds its slot until it is let go
			return nil, ctx.Err()
		}
	})
	j := carillon.Job{ID: "newest", Task: "act", Trigger: carillon.Every(time.Hour), Args: args}
	j.Overlap = carillon.OverlapReplace
	must(nodes[0].AddJob(t.Context(), j))(t)
	ids := make([]string, 3)
	ids[0] = must(nodes[1].TriggerNow(t.Context(), "newest"))(t)
	if got := <-started; got.ID != ids[0] {
		t.Fatalf("started %s, want %s", got.ID, ids[0])
	}
	ids[1] = must(nodes[2].TriggerNow(t.Context(), "newest"))(t)
	<-cancelled // the second is in line, and the first was asked to end
	ids[2] = must(nodes[2].TriggerNow(t.Context(), "newest"))(t)
	eventually(t, 10*time.Second, "the second is superseded", func() bool {
		rows := must(nodes[0].History(t.Context(), "newest", 10))(t)
		return len(rows) == 1 && rows[0].RunID == ids[1] && rows[0].Outcome == job.MaxInstances
	})
	if len(started) != 0 {
		t.Fatalf("%s started beside the first", (<-started).ID)
	}
	free()
	if got := <-started; got.ID != ids[2] {
		t.Fatalf("started %s, want the newest, %s", got.ID, ids[2])
	}
	eventually(t, 10*time.Second, "the oldest is cancelled and the newest executed", func() bool {
		outcome := map[string]job.Outcome{}
		for _, r := range must(nodes[0].History(t.Context(), "newest", 10))(t) {
			outcome[r.RunID] = r.Outcome
		}
		return outcome[ids[0]] == job.Cancelled && outcome[ids[1]] == job.MaxInstances && outcome[ids[2]] == job.Executed
	})
}
