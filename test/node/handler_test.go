package node_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

func TestHandlersAndMiddleware(t *testing.T) {
	t.Parallel()
	cfg := config(t, clusterOf(t), "n")
	node := newNode(t, cfg)
	var mu sync.Mutex
	var steps []string
	step := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, s)
	}
	for _, name := range []string{"outer", "inner"} {
		node.Use(func(task string, next carillon.TaskFunc) carillon.TaskFunc {
			return func(ctx context.Context, run carillon.Run) (any, error) {
				step(name + " before " + task)
				defer step(name + " after " + task)
				return next(ctx, run)
			}
		})
	}
	type point struct{ X, Y int }
	carillon.Handle(node, "add", func(context.Context, point) (int, error) { return 0, errors.New("replaced") })
	carillon.Handle(node, "add", func(_ context.Context, p point) (int, error) {
		step("handler")
		if p != (point{1, 2}) {
			return 0, errors.New("other args")
		}
		return p.X + p.Y, nil
	})
	l := lift(t, node)
	id := must(l.Enqueue(t.Context(), "add", point{1, 2}))(t)
	if r := rowOf(t, l.Client, "@add", id); r.Outcome != job.Executed {
		t.Errorf("history is %+v", r)
	}
	mu.Lock()
	got := strings.Join(steps, ", ")
	mu.Unlock()
	if want := "outer before add, inner before add, handler, inner after add, outer after add"; got != want {
		t.Errorf("steps are %s\nwant      %s", got, want)
	}
	id = must(l.Enqueue(t.Context(), "add", "no point", carillon.WithRetry(soon(5, time.Millisecond))))(t)
	if r := rowOf(t, l.Client, "@add", id); r.Outcome != job.Failed || r.Attempt != 1 || !strings.Contains(r.Error, `args do not fit the handler of "add"`) {
		t.Errorf("args that do not fit gave %+v, want an error without retry", r)
	}
}
