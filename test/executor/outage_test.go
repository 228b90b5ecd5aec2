package executor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
)

func ownRedis(t *testing.T) *devstack.Redis {
	t.Helper()
	own, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{AppendOnly: true, Args: []string{"--appendfsync", "always"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	return own
}

// Handlers end while Redis is away. The next runs of their jobs, which are the first that wait when it is back, find
// their slots free, on the same node or another.
func TestWhatEndedInAnOutageHoldsNoSlotWhenItIsOver(t *testing.T) {
	t.Parallel()
	own := ownRedis(t)
	b := newBenchAt(t, own, 1)
	began := make(chan job.Run, 100)
	handlers := map[string]executor.Handler{"t": func(ctx context.Context, run job.Run) (any, error) {
		began <- run
		ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		<-ctx.Done()
		return nil, nil
	}}
	first := b.member(handlers)
	second := b.member(handlers, func(c *executor.Config) { c.Boot = "b2" })
	const jobs = 8
	send := func() {
		for i := range jobs {
			m := b.message("t")
			m.Max, m.Slot, m.Overlap = 1, fmt.Sprintf("j%d", i), job.OverlapSkip
			b.add("m", m)
		}
	}
	send()
	for range jobs {
		wait(t, "a handler", began)
	}
	if err := own.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // as long as Redis is away
	if err := own.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	send()
	for _, r := range b.history("@t", 2*jobs) {
		if r.Outcome != job.Executed {
			t.Errorf("history says %+v", r)
		}
	}
	first.drain()
	second.drain()
	b.empty()
}

// What ended well while Redis took no writes, for longer than a lease, is reported when it does again. It runs beside
// no other test: a start that is answered after its short lease would begin no handler.
func TestOutcomesSurviveAReadOnlyRedis(t *testing.T) {
	own := ownRedis(t)
	b := newBenchAt(t, own, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle}, func(c *executor.Config) { c.Lease = 2 * time.Second })
	for range 3 {
		b.enqueue(b.message("t"))
	}
	for range 3 {
		wait(t, "a handler", g.began)
	}
	raw := redis.NewClient(&redis.Options{Addr: own.Addr()})
	defer func() { _ = raw.Close() }()
	if err := raw.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		g.open <- struct{}{}
	}
	time.Sleep(4500 * time.Millisecond) // more than two leases
	if err := raw.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.history("@t", 3) {
		if r.Outcome != job.Executed || r.Attempt != 1 {
			t.Errorf("history says %+v", r)
		}
	}
	m.drain()
	if n := len(m.observed(executor.ObservedDropped)); n != 0 {
		t.Errorf("%d outcomes were dropped", n)
	}
	b.empty()
}
