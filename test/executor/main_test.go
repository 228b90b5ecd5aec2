// Package executor_test runs executors against a real Redis.
package executor_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/executor"
	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// server is the Redis of all tests; each has a namespace of its own.
var server *devstack.Redis

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil { // they wait most of the time
		panic(err)
	}
	os.Exit(withRedis(m))
}

func withRedis(m *testing.M) int {
	var err error
	if server, err = devstack.StartRedis(context.Background(), devstack.RedisConfig{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// bench is one store and what a test does to it.
type bench struct {
	t      *testing.T
	store  *store.Store
	raw    *redis.Client
	office store.Office
	prefix string
}

func newBench(t *testing.T, partitions int) *bench {
	t.Helper()
	t.Parallel()
	return newBenchAt(t, server, partitions)
}

func newBenchAt(t *testing.T, at *devstack.Redis, partitions int) *bench {
	t.Helper()
	ns := strings.ToLower(t.Name()) + "-" + uuid.NewString()
	s, err := store.Open(t.Context(), store.Config{
		URL: at.URL(), Namespace: ns, Node: "n1", Create: true, Partitions: partitions,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	raw := redis.NewClient(&redis.Options{Addr: at.Addr()})
	t.Cleanup(func() { _ = raw.Close() })
	b := &bench{t: t, store: s, raw: raw, office: store.Office{Epoch: "e", Term: 1}, prefix: "{" + ns + ":0}:"}
	for p := range partitions {
		if err := s.TakeOffice(t.Context(), p, b.office); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// message is an ad-hoc run of a task, due now.
func (b *bench) message(task string) store.Message {
	now := time.Now().UnixMilli()
	return store.Message{
		Attempt: 1, Grace: job.GraceNone, JobID: "@" + task, Executor: "default", Task: task, OnLost: job.OnLostRerun,
		Runs: []store.MessageRun{{ID: uuid.NewString(), Scheduled: now, Due: now}},
	}
}

// runs gives m n runs, one after another in one slot.
func runs(m store.Message, n int) store.Message {
	for i := 1; i < n; i++ {
		r := m.Runs[0]
		r.ID, r.Scheduled = uuid.NewString(), r.Scheduled+int64(i)
		m.Runs = append(m.Runs[:i:i], r)
	}
	return m
}

func (b *bench) enqueue(messages ...store.Message) {
	b.t.Helper()
	if _, err := b.store.Enqueue(b.t.Context(), 0, uuid.NewString(), "ok", 0, "", "", messages); err != nil {
		b.t.Fatal(err)
	}
}

// history waits until the job has n rows and returns them, newest first.
func (b *bench) history(id string, n int) []job.Row {
	b.t.Helper()
	var rows []job.Row
	b.until(fmt.Sprintf("%d rows of history of %s", n, id), func() bool {
		var err error
		if rows, err = b.store.History(b.t.Context(), id, 1000); err != nil {
			b.t.Fatal(err)
		}
		return len(rows) >= n
	})
	return rows
}

// until polls another process until ok.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// promote moves delayed runs to their streams, as the leader does, once there are n.
func (b *bench) promote(n int) {
	b.t.Helper()
	moved := 0
	b.until(fmt.Sprintf("%d delayed runs", n), func() bool {
		now, err := b.store.Now(b.t.Context(), 0)
		if err != nil {
			b.t.Fatal(err)
		}
		got, err := b.store.PromoteDelayed(b.t.Context(), 0, b.office, now, 100)
		if err != nil {
			b.t.Fatal(err)
		}
		moved += got
		return moved >= n
	})
}

// empty checks that nothing of the executor is left in Redis.
func (b *bench) empty() {
	b.t.Helper()
	ctx := b.t.Context()
	keys, err := b.raw.Keys(ctx, b.prefix+"*").Result()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, k := range keys {
		name := strings.TrimPrefix(k, b.prefix)
		switch {
		case strings.HasPrefix(name, "stream:"):
			if n := b.raw.XLen(ctx, k).Val(); n != 0 {
				b.t.Errorf("%s has %d entries", name, n)
			}
			if p := b.raw.XPending(ctx, k, "nodes").Val(); p != nil && p.Count != 0 {
				b.t.Errorf("%s has %d pending", name, p.Count)
			}
		case name == "running", name == "leases", name == "delayed", name == "delayed_runs", name == "waiting",
			strings.HasPrefix(name, "slots:"), strings.HasPrefix(name, "waiting"):
			b.t.Errorf("%s is left", name)
		}
	}
}

// member is a running executor and what was heard of it.
type member struct {
	*executor.Pool
	t      *testing.T
	stop   context.CancelFunc
	force  context.CancelFunc
	ended  chan struct{}
	mu     sync.Mutex
	events []job.Event
	seen   []executor.Observation
}

// member starts an executor with handlers; adjust may change its configuration. It is stopped with
// the test.
func (b *bench) member(handlers map[string]executor.Handler, adjust ...func(*executor.Config)) *member {
	b.t.Helper()
	m := &member{t: b.t, ended: make(chan struct{})}
	cfg := executor.Config{
		Name: "default", Concurrency: 4, Stores: []*store.Store{b.store}, Node: "n1", Boot: "b1",
		Handler: func(task string) (executor.Handler, bool) { h, ok := handlers[task]; return h, ok },
		Listen: func(e job.Event) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.events = append(m.events, e)
		},
		Observe: func(o executor.Observation) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.seen = append(m.seen, o)
		},
	}
	for _, f := range adjust {
		f(&cfg)
	}
	pool, err := executor.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	m.Pool = pool
	ctx, stop := context.WithCancel(context.Background())
	drain, force := context.WithCancel(context.Background())
	m.stop, m.force = stop, force
	go func() {
		defer close(m.ended)
		if err := pool.Run(ctx, drain); err != nil {
			b.t.Error(err)
		}
	}()
	b.t.Cleanup(func() { stop(); force(); <-m.ended })
	wait(b.t, "the executor to consume", pool.Ready())
	return m
}

// drain stops the executor as an orderly shutdown does, and waits for it.
func (m *member) drain() {
	m.t.Helper()
	m.stop()
	wait(m.t, "the executor to drain", m.ended)
}

// of returns what was heard of one run, as words: kind, and the attempt when it is not the first.
func (m *member) of(run string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var words []string
	for _, e := range m.events {
		if e.RunID != run {
			continue
		}
		word := string(e.Kind)
		if e.Attempt > 1 {
			word += fmt.Sprintf(" %d", e.Attempt)
		}
		words = append(words, word)
	}
	return words
}

// observed returns how often something was observed.
func (m *member) observed(what executor.Observed) []executor.Observation {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []executor.Observation
	for _, o := range m.seen {
		if o.What == what {
			all = append(all, o)
		}
	}
	return all
}

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// gate is a handler that says when it has begun and ends when it is let go or its context ends.
type gate struct {
	began chan job.Run
	open  chan struct{}
	cause chan error
}

func newGate() *gate {
	return &gate{began: make(chan job.Run, 100), open: make(chan struct{}, 100), cause: make(chan error, 100)}
}

func (g *gate) handle(ctx context.Context, run job.Run) (any, error) {
	g.began <- run
	select {
	case <-g.open:
		return nil, nil
	case <-ctx.Done():
		g.cause <- context.Cause(ctx)
		return nil, ctx.Err()
	}
}

func succeed(context.Context, job.Run) (any, error) { return json.RawMessage(`1`), nil }
