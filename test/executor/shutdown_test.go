package executor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestDrainFinishesWhatRunsAndWhatFollows(t *testing.T) {
	b := newBench(t, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle})
	b.enqueue(runs(b.message("t"), 2))
	wait(t, "the handler", g.began)
	m.stop()
	g.open <- struct{}{}
	wait(t, "the run that follows", g.began)
	g.open <- struct{}{}
	wait(t, "the drain", m.ended)
	for _, row := range b.history("@t", 2) {
		if row.Outcome != job.Executed {
			t.Errorf("history says %+v", row)
		}
	}
	if len(g.cause) != 0 {
		t.Error("a handler's context ended")
	}
	b.empty()
}

func TestForcedShutdownHandsRunsBack(t *testing.T) {
	b := newBench(t, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle, "once": g.handle})
	msg, once := runs(b.message("t"), 3), runs(b.message("once"), 2)
	msg.Max, msg.Slot = 1, "s"
	once.OnLost = job.OnLostDrop
	b.enqueue(msg, once)
	wait(t, "the handler", g.began)
	wait(t, "the other handler", g.began)
	m.stop()
	m.force()
	wait(t, "the shutdown", m.ended)
	for range 2 {
		if cause := wait(t, "the end of a context", g.cause); !errors.Is(cause, executor.ErrShutdown) {
			t.Errorf("cause is %v", cause)
		}
	}
	back := b.delayed(msg.Runs[0].ID)
	if diff := cmp.Diff(msg.Runs, back.Runs); diff != "" || back.Attempt != 2 || back.Failed != 0 || back.Lost != 0 {
		t.Errorf("handed back is %+v\n%s", back, diff)
	}
	if diff := cmp.Diff([]string{"job_started", "job_retrying"}, m.of(msg.Runs[0].ID)); diff != "" {
		t.Error(diff)
	}
	if row := b.history("@once", 1)[0]; row.Outcome != job.Cancelled || row.RunID != once.Runs[0].ID {
		t.Errorf("history says %+v", row)
	}
	if back := b.delayed(once.Runs[1].ID); len(back.Runs) != 1 {
		t.Errorf("what never began was not handed back: %+v", back)
	}

	other := b.member(map[string]executor.Handler{"t": succeed, "once": succeed}, func(c *executor.Config) { c.Boot = "b2" })
	b.promote(2)
	b.history("@t", 3)
	b.history("@once", 2)
	other.drain()
	b.empty()
}

func (b *bench) delayed(id string) store.Message {
	b.t.Helper()
	m, err := store.DecodeMessage(b.raw.HGet(b.t.Context(), b.prefix+"delayed_runs", id).Val())
	if err != nil {
		b.t.Fatalf("run %s is not delayed: %v", id, err)
	}
	return m
}

func TestShutdownHandsBackWhatWasFetched(t *testing.T) {
	b := newBench(t, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle}, func(c *executor.Config) { c.Concurrency = 1 })
	b.enqueue(b.message("t"))
	wait(t, "the handler", g.began)
	waiting := []store.Message{b.message("t"), b.message("u")}
	b.enqueue(waiting...)
	if got, err := b.store.Fetch(t.Context(), 0, "default", "n1/b1", 10, time.Millisecond); len(got) != 2 || err != nil {
		t.Fatal(got, err)
	}
	m.stop()
	g.open <- struct{}{}
	wait(t, "the drain", m.ended)
	if n := b.raw.XPending(t.Context(), b.prefix+"stream:default", "nodes").Val().Count; n != 0 {
		t.Errorf("%d are pending", n)
	}
	other := b.member(map[string]executor.Handler{"t": succeed, "u": succeed}, func(c *executor.Config) { c.Boot = "b2" })
	b.history("@t", 2)
	if row := b.history("@u", 1)[0]; row.Attempt != 1 {
		t.Errorf("fetched but never started has counted: %+v", row)
	}
	other.drain()
	b.empty()
}

func TestHandlerThatIgnoresItsContextIsLeftBehind(t *testing.T) {
	b := newBench(t, 1)
	began, let, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	m := b.member(map[string]executor.Handler{"t": func(context.Context, job.Run) (any, error) {
		defer close(gone)
		close(began)
		<-let
		return nil, nil
	}}, func(c *executor.Config) { c.Grace = 10 * time.Millisecond })
	msg := b.message("t")
	b.enqueue(msg)
	wait(t, "the handler", began)
	m.stop()
	m.force()
	wait(t, "Run to return", m.ended)
	close(let)
	wait(t, "the handler to return", gone)
	if held, err := b.store.Running(t.Context(), 0); len(held) != 1 || err != nil {
		t.Errorf("its run must be left to recovery: %v %v", held, err)
	}
	if diff := cmp.Diff([]string{"job_started"}, m.of(msg.Runs[0].ID)); diff != "" {
		t.Error(diff)
	}
}
