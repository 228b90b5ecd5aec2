package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// A node hands on what only others can run, also in the moment it starts and knows no member yet.
func TestTaskOfAnotherNode(t *testing.T) {
	t.Parallel()
	name := clusterOf(t)
	cfg := config(t, name, "able")
	cfg.Executors = map[string]int{"default": 1}
	able := newNode(t, cfg)
	begun, end := make(chan carillon.Run, 100), make(chan struct{})
	able.HandleFunc("special", func(ctx context.Context, run carillon.Run) (any, error) {
		begun <- run
		select {
		case <-end:
		case <-ctx.Done():
		}
		return nil, nil
	})
	a := lift(t, able)
	ids := must(a.EnqueueMany(t.Context(), "special", make([]any, 3)))(t)
	receive(t, begun, "the first run") // it has the only place; the others wait in the stream
	liftNew(t, name, "unable")
	close(end)
	// Which node takes up what was put off is chance; so this may take several rounds.
	eventually(t, time.Minute, "all to be executed", func() bool {
		return len(must(a.History(t.Context(), "@special", 10))(t)) == len(ids)
	})
	for _, id := range ids {
		if r := rowOf(t, a.Client, "@special", id); r.Outcome != job.Executed || r.Attempt != 1 || r.Node != "able" {
			t.Errorf("history is %+v, want it executed on able at the first attempt", r)
		}
	}
}
