package executor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

type baseKey struct{}

func TestHandlerSeesItsRun(t *testing.T) {
	b := newBench(t, 1)
	type call struct {
		run  job.Run
		base any
	}
	calls := make(chan call, 1)
	m := b.member(map[string]executor.Handler{"mail": func(ctx context.Context, run job.Run) (any, error) {
		calls <- call{run, ctx.Value(baseKey{})}
		return 7, nil
	}}, func(c *executor.Config) {
		c.BaseContext = func(ctx context.Context, run job.Run) context.Context {
			return context.WithValue(ctx, baseKey{}, "for "+run.ID)
		}
	})
	msg := b.message("mail")
	msg.Args = []byte(`{"to":  "x"}`)
	b.enqueue(msg)
	got := wait(t, "the handler", calls)
	id := msg.Runs[0].ID
	want := job.Run{
		ID: id, Store: "default", JobID: "@mail", Task: "mail", Executor: "default",
		ScheduledTime: time.UnixMilli(msg.Runs[0].Scheduled).UTC(), Attempt: 1, Node: "n1", Args: msg.Args,
	}
	if diff := cmp.Diff(want, got.run); diff != "" {
		t.Error(diff)
	}
	if got.base != "for "+id {
		t.Errorf("the base context is lost: %v", got.base)
	}
	row := b.history("@mail", 1)[0]
	if row.Outcome != job.Executed || row.RunID != id || row.Attempt != 1 || row.Node != "n1" {
		t.Errorf("history says %+v", row)
	}
	m.drain()
	if diff := cmp.Diff([]string{"job_started", "job_executed"}, m.of(id)); diff != "" {
		t.Error(diff)
	}
	if ends := m.observed(executor.ObservedEnd); len(ends) != 1 || ends[0].Result != 7 || ends[0].Outcome != job.Executed {
		t.Errorf("observed ends %+v", ends)
	}
	starts := m.observed(executor.ObservedStart)
	if len(starts) != 1 || starts[0].Lateness < 0 || starts[0].Lateness > patience {
		t.Errorf("observed starts %+v", starts)
	}
	b.empty()
}

func TestOutcomes(t *testing.T) {
	b := newBench(t, 1)
	fails := func(err error) executor.Handler {
		return func(context.Context, job.Run) (any, error) { return nil, err }
	}
	m := b.member(map[string]executor.Handler{
		"fails": fails(errors.New("disk\tfull")),
		"long":  fails(errors.New(strings.Repeat("é", 100_000))),
		"panics": func(context.Context, job.Run) (any, error) {
			panic("poison")
		},
		"slow": func(ctx context.Context, _ job.Run) (any, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		},
	})
	tests := []struct {
		name    string
		timeout time.Duration
		outcome job.Outcome
		cause   string
		error   string // must be part of it
		events  []string
	}{
		{name: "fails", outcome: job.Failed, error: "disk full", events: []string{"job_started", "job_error"}},
		{name: "long", outcome: job.Failed, error: "éé", events: []string{"job_started", "job_error"}},
		{name: "panics", outcome: job.Failed, error: "outcome_test.go", events: []string{"job_started", "job_error"}},
		{name: "slow", timeout: 20 * time.Millisecond, outcome: job.TimedOut, cause: "timeout", error: "timeout", events: []string{"job_started", "job_error"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := b.message(tt.name)
			msg.Timeout = tt.timeout
			b.enqueue(msg)
			row := b.history("@"+tt.name, 1)[0]
			if row.Outcome != tt.outcome || row.Cause != tt.cause || !strings.Contains(row.Error, tt.error) {
				t.Errorf("history says %+v", row)
			}
			if len(row.Error) > 3000 {
				t.Errorf("the error has %d bytes", len(row.Error))
			}
			b.until("its events", func() bool { return slices.Equal(tt.events, m.of(msg.Runs[0].ID)) })
		})
	}
	m.drain()
	b.empty()
}

func TestRetryUntilAttemptsAreUsed(t *testing.T) {
	b := newBench(t, 1)
	m := b.member(map[string]executor.Handler{
		"fails": func(context.Context, job.Run) (any, error) { return nil, errors.New("no") },
		"never": func(context.Context, job.Run) (any, error) { return nil, executor.Permanent(errors.New("no")) },
	})
	retry := job.Retry{MaxAttempts: 3, Backoff: job.Backoff{Initial: job.Duration(time.Millisecond)}}
	msg, hopeless := b.message("fails"), b.message("never")
	msg.Retry, hopeless.Retry = retry, retry
	b.enqueue(msg, hopeless)
	b.promote(2)
	row := b.history("@fails", 1)[0]
	if row.Attempt != 3 || row.Outcome != job.Failed {
		t.Errorf("history says %+v", row)
	}
	if row := b.history("@never", 1)[0]; row.Attempt != 1 {
		t.Errorf("a permanent error was tried again: %+v", row)
	}
	m.drain()
	want := []string{"job_started", "job_retrying", "job_started 2", "job_retrying 2", "job_started 3", "job_error 3"}
	if diff := cmp.Diff(want, m.of(msg.Runs[0].ID)); diff != "" {
		t.Error(diff)
	}
	b.empty()
}

func TestRunsOfOneMessageFollowEachOtherInOneSlot(t *testing.T) {
	b := newBench(t, 1)
	var order []string // written by one run at a time
	var slot []string
	fail := true
	m := b.member(map[string]executor.Handler{"t": func(ctx context.Context, run job.Run) (any, error) {
		order = append(order, run.ID)
		slot = append(slot, b.raw.Get(ctx, b.prefix+"slots:s").Val())
		if run.Attempt != 1 {
			return nil, errors.New("a follower has attempt 1")
		}
		if fail { // the first goes into backoff, the others go on
			fail = false
			return nil, errors.New("no")
		}
		return nil, nil
	}})
	msg := runs(b.message("t"), 3)
	msg.Max, msg.Slot, msg.JobID = 1, "s", "@t"
	msg.Retry = job.Retry{MaxAttempts: 2, Backoff: job.Backoff{Initial: job.Duration(time.Hour)}}
	b.enqueue(msg)
	rows := b.history("@t", 2)
	m.drain()
	if diff := cmp.Diff([]string{msg.Runs[0].ID, msg.Runs[1].ID, msg.Runs[2].ID}, order); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"1", "1", "1"}, slot); diff != "" {
		t.Error(diff)
	}
	if rows[0].RunID != msg.Runs[2].ID || rows[1].RunID != msg.Runs[1].ID {
		t.Errorf("history says %+v", rows)
	}
	if n := b.raw.Exists(t.Context(), b.prefix+"slots:s").Val(); n != 0 {
		t.Error("a retry in backoff holds a slot")
	}
	delayed, err := store.DecodeMessage(b.raw.HGet(t.Context(), b.prefix+"delayed_runs", msg.Runs[0].ID).Val())
	if err != nil {
		t.Fatal(err)
	}
	if len(delayed.Runs) != 1 || delayed.Attempt != 2 || delayed.Failed != 1 {
		t.Errorf("delayed is %+v", delayed)
	}
}

func TestSkipsAreHeard(t *testing.T) {
	b := newBench(t, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle})
	late, held, full := b.message("t"), b.message("t"), b.message("t")
	late.Grace = job.Grace(time.Millisecond)
	late.Runs[0].Due -= 1000
	held.Max, held.Slot = 1, "s"
	full.Max, full.Slot = 1, "s"
	b.enqueue(held)
	wait(t, "the holder of the slot", g.began)
	b.enqueue(late, full)
	b.history("@t", 2)
	b.until("the skips", func() bool {
		return slices.Equal(m.of(late.Runs[0].ID), []string{"job_missed"}) &&
			slices.Equal(m.of(full.Runs[0].ID), []string{"job_max_instances"})
	})
	g.open <- struct{}{}
	m.drain()
	b.empty()
}

func TestNudgeStartsTheNextInLine(t *testing.T) {
	b := newBench(t, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle})
	var ids []string
	for range 3 {
		msg := b.message("t")
		msg.Max, msg.Slot, msg.Overlap = 1, "s", job.OverlapQueue
		msg.Runs[0].Due += int64(len(ids))
		ids = append(ids, msg.Runs[0].ID)
		b.enqueue(msg)
	}
	var order []string
	for range ids {
		order = append(order, wait(t, "the next in line", g.began).ID)
		if n := m.Busy(); n != 1 {
			t.Errorf("%d run at once", n)
		}
		g.open <- struct{}{}
	}
	if diff := cmp.Diff(ids, order); diff != "" {
		t.Error(diff)
	}
	b.history("@t", 3)
	m.drain()
	b.empty()
}
