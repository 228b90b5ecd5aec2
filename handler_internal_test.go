package carillon

import (
	"context"
	"testing"
)

type outerKey struct{}

func TestHandlerContextIsCheapUntilSomebodyLogs(t *testing.T) {
	n, err := NewNode(Config{Name: "n", Etcd: []string{"http://127.0.0.1:1"}, Redis: "redis://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	outer := context.WithValue(t.Context(), outerKey{}, "outer")
	run := Run{ID: "r", JobID: "j", Store: "s", Attempt: 2}
	var ctx context.Context
	if many := testing.AllocsPerRun(100, func() { ctx = n.handlerContext(outer, run) }); many > 1 {
		t.Errorf("%v allocations per run of a handler that writes nothing", many)
	}
	within := context.WithValue(ctx, outerKey{}, "inner")
	if got, ok := RunFrom(within); !ok || got.ID != "r" || got.Attempt != 2 {
		t.Errorf("run %+v, %t", got, ok)
	}
	if ctx.Value(outerKey{}) != "outer" {
		t.Error("values of the context of the attempt are gone")
	}
	Logger(within).Info("first")
	Progress(within, 0.5, "second")
	lines := n.lines.held["s"]
	if len(lines) != 2 || lines[0].RunID != "r" || lines[0].Attempt != 2 || lines[1].Number != 2 {
		t.Errorf("lines %+v; all that a run writes is numbered in one row", lines)
	}
}
