package executor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
)

func TestCancelReachesTheHandler(t *testing.T) {
	b := newBench(t, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle})
	msg := b.message("t")
	msg.Retry.MaxAttempts = 5
	b.enqueue(msg)
	wait(t, "the handler", g.began)
	if err := b.store.Cancel(t.Context(), msg.Runs[0].ID); err != nil {
		t.Fatal(err)
	}
	m.RenewNow()
	if cause := wait(t, "the cancellation", g.cause); !errors.Is(cause, executor.ErrCancelled) {
		t.Errorf("cause is %v", cause)
	}
	if row := b.history("@t", 1)[0]; row.Outcome != job.Cancelled {
		t.Errorf("history says %+v", row)
	}
	m.drain()
	if diff := cmp.Diff([]string{"job_started", "job_cancelled"}, m.of(msg.Runs[0].ID)); diff != "" {
		t.Error(diff)
	}
	b.empty()
}

// recoverFrom takes what a process runs at once, as a leader does when that has not answered.
func (b *bench) recoverFrom(consumer string) (int, error) {
	suspects, err := b.store.Suspects(b.t.Context(), 0, consumer)
	if err != nil {
		return 0, err
	}
	return b.store.RecoverSuspects(b.t.Context(), 0, b.office, suspects)
}

func TestLostLeaseReportsNothing(t *testing.T) {
	b := newBench(t, 1)
	first, second := newGate(), newGate()
	m := b.member(map[string]executor.Handler{"t": func(ctx context.Context, run job.Run) (any, error) {
		if run.Attempt == 1 {
			return first.handle(ctx, run)
		}
		return second.handle(ctx, run)
	}})
	msg := b.message("t")
	b.enqueue(msg)
	wait(t, "the handler", first.began)
	if n, err := b.recoverFrom("n1/b1"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	m.RenewNow()
	if cause := wait(t, "the loss", first.cause); !errors.Is(cause, executor.ErrLeaseLost) {
		t.Errorf("cause is %v", cause)
	}
	wait(t, "the next attempt", second.began)
	second.open <- struct{}{}
	if row := b.history("@t", 1)[0]; row.Attempt != 2 || row.Outcome != job.Executed {
		t.Errorf("history says %+v", row)
	}
	m.drain()
	if diff := cmp.Diff([]string{"job_started", "job_started 2", "job_executed 2"}, m.of(msg.Runs[0].ID)); diff != "" {
		t.Error(diff)
	}
	b.empty()
}

func TestLateOutcomeIsRefused(t *testing.T) {
	b := newBench(t, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle})
	msg := b.message("t")
	msg.OnLost = job.OnLostDrop
	b.enqueue(msg)
	wait(t, "the handler", g.began)
	if n, err := b.recoverFrom("n1/b1"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	g.open <- struct{}{}
	b.until("the refusal", func() bool { return len(m.observed(executor.ObservedRefused)) == 1 })
	if row := b.history("@t", 1)[0]; row.Outcome != job.Lost {
		t.Errorf("history says %+v", row)
	}
	m.drain()
	if diff := cmp.Diff([]string{"job_started"}, m.of(msg.Runs[0].ID)); diff != "" {
		t.Error(diff)
	}
}

func TestLeaseIsRenewedUntilTheEnd(t *testing.T) {
	b := newBench(t, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle}, func(c *executor.Config) { c.Lease = time.Second })
	b.enqueue(b.message("t"))
	wait(t, "the handler", g.began)
	start, err := b.store.Now(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	b.until("more than a lease to pass", func() bool {
		now, err := b.store.Now(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := b.store.RecoverExpired(t.Context(), 0, b.office, now, 10); n != 0 || err != nil {
			t.Fatalf("%d runs were recovered, error %v", n, err)
		}
		return now > start+1500
	})
	g.open <- struct{}{}
	if row := b.history("@t", 1)[0]; row.Outcome != job.Executed {
		t.Errorf("history says %+v", row)
	}
	m.drain()
	b.empty()
}
