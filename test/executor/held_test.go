package executor_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// A node whose handlers all take long holds nothing back from one that is quick.
func TestWhatABusyNodeHoldsStartsElsewhereSoon(t *testing.T) {
	b := newBench(t, 1)
	began := make(chan job.Run, 100)
	until := make(chan struct{})
	busy := func(ctx context.Context, run job.Run) (any, error) {
		began <- run
		select {
		case <-until:
		case <-ctx.Done():
		}
		return nil, nil
	}
	quick := func(context.Context, job.Run) (any, error) { return nil, nil }
	a := b.member(map[string]executor.Handler{"t": busy}, func(c *executor.Config) { c.Concurrency = 8 })
	for range 13 { // each comes while the node waits for work
		b.add("m", b.message("t"))
	}
	for range 8 {
		wait(t, "a handler of the busy node", began)
	}
	other := b.member(map[string]executor.Handler{"t": quick}, func(c *executor.Config) { c.Concurrency, c.Boot = 8, "b2" })
	start := time.Now()
	for range 40 {
		b.add("m", b.message("t"))
	}
	b.history("@t", 45)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("what the busy node held has run after %s, want two seconds at most", took)
	}
	close(until)
	b.history("@t", 53)
	a.drain()
	other.drain()
	b.empty()
}

// add puts an entry into the stream.
func (b *bench) add(values ...any) {
	b.t.Helper()
	for i, v := range values {
		if m, is := v.(store.Message); is {
			values[i] = m.Encode()
		}
	}
	if err := b.raw.XAdd(b.t.Context(), &redis.XAddArgs{Stream: b.prefix + "stream:default", Values: values}).Err(); err != nil {
		b.t.Fatal(err)
	}
}

// What a node has fetched when its executor is paused stays its own, and goes on in order.
func TestPauseKeepsTheOrder(t *testing.T) {
	b := newBench(t, 1)
	if err := b.store.Register(t.Context(), []string{"default"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.store.PauseExecutor(t.Context(), "op-pause", "default", "a test"); err != nil {
		t.Fatal(err)
	}
	var want []string
	for range 20 {
		m := b.message("t")
		want = append(want, m.Runs[0].ID)
		b.add("m", m)
	}
	var mu sync.Mutex
	var order []string
	m := b.member(map[string]executor.Handler{"t": func(_ context.Context, run job.Run) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, run.ID)
		return nil, nil
	}}, func(c *executor.Config) { c.Concurrency = 1 })
	pending := func() int64 {
		return b.raw.XPending(t.Context(), b.prefix+"stream:default", "nodes").Val().Count
	}
	b.until("a run to be fetched", func() bool { return pending() > 0 })
	if err := b.store.ResumeExecutor(t.Context(), "op-resume", "default"); err != nil {
		t.Fatal(err)
	}
	m.LookNow()
	b.history("@t", 20)
	m.drain()
	if !slices.Equal(order, want) {
		t.Errorf("runs started in the order %v, want %v", order, want)
	}
	if n := b.raw.XInfoStream(t.Context(), b.prefix+"stream:default").Val().EntriesAdded; n != 20 {
		t.Errorf("%d entries were written, want 20", n)
	}
	b.empty()
}

// An entry of more messages than the pool has places starts in parts, before what stands behind it.
func TestCrowdLargerThanThePool(t *testing.T) {
	for _, places := range []int{1, 3, 5} {
		t.Run(fmt.Sprintf("%d_places", places), func(t *testing.T) {
			b := newBacklog(t, 1, 120, 8, func(*store.Message) {})
			close(b.open)
			m := b.member(map[string]executor.Handler{"t": b.mixed(5 * time.Millisecond)}, func(c *executor.Config) { c.Concurrency = places })
			b.until("all runs to start", func() bool { return b.count() == 120 })
			m.drain()
			if late := b.latest(); late > 8+2*places {
				t.Errorf("a run started %d places after its turn", late)
			}
			if w := b.written(); w > 2 {
				t.Errorf("messages were written %.2f times, want at most twice", w)
			}
			b.empty()
		})
	}
}
