package executor_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestConcurrencyHoldsOverPartitions(t *testing.T) {
	b := newBench(t, 3)
	var now, most atomic.Int64
	m := b.member(map[string]executor.Handler{"t": func(ctx context.Context, _ job.Run) (any, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return nil, b.raw.Ping(ctx).Err()
	}}, func(c *executor.Config) { c.Concurrency = 2 })
	const each = 100
	for p := range 3 {
		var messages []store.Message
		for range each {
			messages = append(messages, b.message("t"))
		}
		if _, err := b.store.Enqueue(t.Context(), p, uuid.NewString(), "ok", 0, "", "", messages); err != nil {
			t.Fatal(err)
		}
	}
	rows := b.history("@t", 3*each)
	seen := map[string]bool{}
	for _, r := range rows {
		if r.Outcome != job.Executed || r.Attempt != 1 || seen[r.RunID] {
			t.Errorf("history says %+v", r)
		}
		seen[r.RunID] = true
	}
	if most.Load() > 2 {
		t.Errorf("%d ran at once", most.Load())
	}
	m.drain()
	b.empty()
}

func TestOwnPendingListComesFirst(t *testing.T) {
	b := newBench(t, 1)
	msg := b.message("t")
	b.enqueue(msg)
	if _, err := b.store.Fetch(t.Context(), 0, "default", "n1/b1", 1, time.Millisecond); err != nil {
		t.Fatal(err) // makes the group
	}
	if got, err := b.store.Fetch(t.Context(), 0, "default", "n1/b1", 1, time.Millisecond); len(got) != 1 || err != nil {
		t.Fatal(got, err)
	}
	m := b.member(map[string]executor.Handler{"t": succeed})
	b.history("@t", 1)
	m.drain()
	b.empty()
}

func TestTaskServedElsewhereIsPostponed(t *testing.T) {
	b := newBench(t, 1)
	m := b.member(map[string]executor.Handler{"here": succeed}, func(c *executor.Config) {
		c.Served = func(task string) bool { return task == "there" }
	})
	msg := b.message("there")
	stream := b.prefix + "stream:default"
	values := []any{"m1", msg.Encode(), "m2", b.message("here").Encode()}
	if err := b.raw.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: values}).Err(); err != nil {
		t.Fatal(err)
	}
	b.history("@here", 1)
	m.drain()
	if back := b.delayed(msg.Runs[0].ID); back.Attempt != 1 {
		t.Errorf("postponed is %+v", back)
	}
	due := b.raw.ZScore(t.Context(), b.prefix+"delayed", msg.Runs[0].ID).Val()
	if wait := time.Duration(due-float64(msg.Runs[0].Due)) * time.Millisecond; wait < time.Second || wait > 3*time.Second {
		t.Errorf("postponed by %s", wait)
	}
	other := b.member(map[string]executor.Handler{"there": succeed}, func(c *executor.Config) { c.Boot = "b2" })
	b.promote(1)
	if row := b.history("@there", 1)[0]; row.Attempt != 1 || row.Outcome != job.Executed {
		t.Errorf("history says %+v", row)
	}
	other.drain()
	b.empty()
}

func TestUnreadableEntriesHoldNothingUp(t *testing.T) {
	b := newBench(t, 1)
	stream := b.prefix + "stream:default"
	bad := b.message("t")
	bad.Overlap = "?!" // Go can read it, the scripts cannot
	newer := "2" + strings.TrimPrefix(b.message("t").Encode(), "1")
	for _, body := range []string{"garbage", newer, bad.Encode()} {
		if err := b.raw.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []any{"m", body}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var messages []store.Message
	for range 10 {
		messages = append(messages, b.message("t"))
	}
	b.enqueue(messages...)
	if _, err := b.store.Fetch(t.Context(), 0, "default", "n1/b1", 1, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Fetch(t.Context(), 0, "default", "n1/b1", 20, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	m := b.member(map[string]executor.Handler{"t": succeed}, func(c *executor.Config) { c.Concurrency = 1 })
	b.history("@t", 11) // one of them is what could not be read, with its job
	m.drain()
	if n := b.raw.XPending(t.Context(), stream, "nodes").Val().Count; n != 0 {
		t.Errorf("%d are pending after the drain", n)
	}
	left := b.raw.XRange(t.Context(), stream, "-", "+").Val()
	if len(left) != 1 || left[0].Values["m"] != newer {
		t.Errorf("%v are in the stream, want the one of a newer format", left)
	}
	if dead, err := b.store.DeadRuns(t.Context(), 10); err != nil || len(dead) != 2 {
		t.Errorf("dead are %v (%v), want the two that cannot be read", dead, err)
	}
}

func TestMissingGroupIsMadeAgain(t *testing.T) {
	b := newBench(t, 1)
	m := b.member(map[string]executor.Handler{"t": succeed})
	b.enqueue(b.message("t"))
	b.history("@t", 1)
	if err := b.raw.Del(t.Context(), b.prefix+"stream:default").Err(); err != nil {
		t.Fatal(err)
	}
	b.enqueue(b.message("t"))
	b.history("@t", 2)
	m.drain()
	b.empty()
}

func TestRedisRestartLosesNothing(t *testing.T) {
	t.Parallel()
	own, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{AppendOnly: true, Args: []string{"--appendfsync", "always"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	b := newBenchAt(t, own, 1)
	g := newGate()
	m := b.member(map[string]executor.Handler{"t": g.handle})
	msg := b.message("t")
	b.enqueue(msg)
	wait(t, "the handler", g.began)
	if err := own.Kill(); err != nil {
		t.Fatal(err)
	}
	g.open <- struct{}{} // its outcome cannot be reported yet
	if err := own.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := b.history("@t", 1)[0]; row.Attempt != 1 || row.Outcome != job.Executed {
		t.Errorf("history says %+v", row)
	}
	g.open <- struct{}{}
	b.enqueue(b.message("t"))
	b.history("@t", 2)
	m.drain()
	b.empty()
}
