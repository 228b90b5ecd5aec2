package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
)

// ran gathers what handlers saw.
type ran struct {
	mu   sync.Mutex
	runs []carillon.Run
}

func (r *ran) add(run carillon.Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs = append(r.runs, run)
}

func (r *ran) all() []carillon.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]carillon.Run{}, r.runs...)
}

func newNode(t *testing.T, cfg carillon.Config, seen *ran) *carillon.Node {
	t.Helper()
	node, err := carillon.NewNode(cfg)
	if err != nil {
		t.Fatal(err)
	}
	carillon.Handle(node, "note", func(ctx context.Context, _ json.RawMessage) (any, error) {
		run, ok := carillon.RunFrom(ctx)
		if !ok {
			return nil, errors.New("no run in the handler's context")
		}
		seen.add(run)
		return nil, nil
	})
	return node
}

func TestThreeNodesFireEachDueTimeOnce(t *testing.T) {
	s := startStack(t)
	var seen ran
	var client *carillon.Client
	for _, name := range []string{"a", "b", "c"} {
		node := newNode(t, s.config(t, name), &seen)
		start(t, node)
		c, err := node.Client(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		client = c
	}
	j, err := client.AddJob(t.Context(), carillon.Job{ID: "tick", Task: "note", Trigger: carillon.Every(200 * time.Millisecond), Args: carillon.Args([]string{"x"})})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := j.NextRunTime.Time()
	eventually(t, 10*time.Second, "ten runs", func() bool { return len(seen.all()) >= 10 })
	if err := client.RemoveJob(t.Context(), "tick"); err != nil {
		t.Fatal(err)
	}
	at := map[int64]int{}
	for _, r := range seen.all() {
		at[r.ScheduledTime.UnixMilli()]++
		if string(r.Args) != `["x"]` || r.JobID != "tick" || r.Attempt != 1 || r.Store != "default" {
			t.Errorf("run is %+v", r)
		}
	}
	for i := range 10 {
		if due := first.UnixMilli() + int64(i)*200; at[due] != 1 {
			t.Errorf("due time %d ran %d times, want once: %v", due, at[due], at)
		}
	}
}
