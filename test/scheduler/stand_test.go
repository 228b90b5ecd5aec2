// Package scheduler_test runs the leader's loop against a real Redis.
package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

const (
	patience = 10 * time.Second // of a test, until something is taken not to happen
	lookAt   = 2 * time.Millisecond
	lease    = 300 * time.Millisecond // where losing it is what is tested
)

var shared *devstack.Redis

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	server, err := devstack.StartRedis(ctx, devstack.RedisConfig{})
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared = server
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var spaces atomic.Int64

// stand is one store with a loop beside it.
type stand struct {
	*testing.T
	*store.Store
	raw   *redis.Client
	space string
	lease time.Duration // of the loop; long, so that nothing is recovered by surprise

	mu   sync.Mutex
	seen scheduler.Observation // sums
	gone []string              // consumers proven gone
	more chan struct{}
}

func newStand(t *testing.T, partitions int) *stand {
	t.Helper()
	return newStandAt(t, shared, partitions)
}

func newStandAt(t *testing.T, server *devstack.Redis, partitions int) *stand {
	t.Helper()
	s := &stand{T: t, lease: time.Minute, space: fmt.Sprintf("t%d", spaces.Add(1)), more: make(chan struct{})}
	var err error
	s.Store, err = store.Open(t.Context(), store.Config{
		URL: server.URL(), Namespace: s.space, Node: "test", Create: true, Partitions: partitions,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.raw = redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = s.raw.Close() })
	if err := s.Register(t.Context(), []string{"default"}, []string{"work"}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stand) key(partition int, name string) string {
	return fmt.Sprintf("{%s:%d}:%s", s.space, partition, name)
}

func office(term int64) store.Office { return store.Office{Epoch: "e", Term: term} }

// lead runs a loop until stop is called, which returns its error; the test's end stops it too.
func (s *stand) lead(term int64, members ...string) (stop func() error) {
	s.Helper()
	cfg := scheduler.Config{Store: s.Store, Node: "leader", Lease: s.lease, Observe: s.observe}
	if members != nil {
		living := map[string]bool{}
		for _, m := range members {
			living[m] = true
		}
		cfg.Members = func() (map[string]bool, map[string]bool, bool) {
			return living, map[string]bool{"default": true}, true
		}
	}
	cfg.Gone = s.allGone
	l, err := scheduler.New(cfg)
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx, office(term)) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	s.Cleanup(func() { _ = stop() })
	return stop
}

func (s *stand) allGone() (consumers []string, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.gone), s.more
}

// bury says that a consumer's process is proven gone.
func (s *stand) bury(consumer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = append(s.gone, consumer)
	close(s.more)
	s.more = make(chan struct{})
}

func (s *stand) observe(o scheduler.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Dispatched += o.Dispatched
	s.seen.Lateness = append(s.seen.Lateness, o.Lateness...)
	s.seen.Recovered += o.Recovered
	s.seen.Rescued += o.Rescued
	s.seen.Reclaimed += o.Reclaimed
	s.seen.Parked += o.Parked
	s.seen.Foreseen += o.Foreseen
	s.seen.Promoted += o.Promoted
	s.seen.Repairs = append(s.seen.Repairs, o.Repairs...)
}

func (s *stand) observed() scheduler.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func (s *stand) now() int64 {
	s.Helper()
	now, err := s.Now(s.Context(), 0)
	if err != nil {
		s.Fatal(err)
	}
	return now
}

// add stores a job that fires every so many ms from first on.
func (s *stand) add(id string, first, every int64, change ...func(*store.Entry)) store.Entry {
	s.Helper()
	doc := fmt.Sprintf(`{"type":"interval","every":"%dms","start_date":%q}`, every, time.UnixMilli(first).UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	e := store.Entry{
		Header:  store.Header{UID: uuid.NewString(), Version: 1, Next: first, State: store.Active},
		Record:  store.Record{Job: job.Job{ID: id, Task: "work", Trigger: json.RawMessage(doc)}.WithDefaults(job.Options{}), Given: json.RawMessage(doc)},
		RunTime: first,
	}
	for _, c := range change {
		c(&e)
	}
	if err := s.Add(s.Context(), uuid.NewString(), e); err != nil {
		s.Fatal(err)
	}
	return e
}

// once makes the job end after one run.
func once(e *store.Entry) { e.Job.MaxRuns = 1 }

// eventually looks until ok, or fails the test.
func (s *stand) eventually(what string, ok func() bool) {
	s.Helper()
	for began := time.Now(); !ok(); time.Sleep(lookAt) {
		if time.Since(began) > patience {
			s.Fatalf("never: %s", what)
		}
	}
}

// taken is a message as a consumer fetched it.
type taken struct {
	store.Message
	entry     string
	partition int
}

// fetch takes n messages from a partition's default executor, in order.
func (s *stand) fetch(partition int, consumer string, n int) []taken {
	s.Helper()
	var all []taken
	s.eventually(fmt.Sprintf("%d messages, have %d", n, len(all)), func() bool {
		got, err := s.Fetch(s.Context(), partition, "default", consumer, n, 20*time.Millisecond)
		if err != nil {
			s.Fatal(err)
		}
		for _, f := range got {
			for _, body := range f.Bodies {
				m, err := store.DecodeMessage(body)
				if err != nil {
					s.Fatal(err)
				}
				all = append(all, taken{m, f.ID, partition})
			}
		}
		return len(all) >= n
	})
	return all
}

// start starts a message, with a lease of its own length, and returns its owner token.
func (s *stand) start(consumer string, t taken, lease time.Duration) (owner string) {
	s.Helper()
	owner = consumer + "/" + uuid.NewString()
	replies, err := s.Start(s.Context(), store.Start{
		Consumer: store.Consumer{Partition: t.partition, Executor: "default", Name: consumer}, Owner: owner, Lease: lease,
		Entries: []string{t.entry}, Run: []store.Taken{{Message: &t.Message}},
	})
	if err != nil || replies[0].Verdict != store.Started {
		s.Fatalf("start: %+v, error %v", replies, err)
	}
	return owner
}

func (s *stand) finish(owner string, t taken) {
	s.Helper()
	f := store.Finish{Held: store.Held{RunID: t.Runs[0].ID, Owner: owner}, Message: &t.Message, Outcome: job.Executed}
	if len(t.Runs) > 1 {
		s.Fatal("finish is for messages of one run")
	}
	if replies, err := s.Finish(s.Context(), 0, time.Minute, []store.Finish{f}); err != nil || replies[0].Refused {
		s.Fatalf("finish: %+v, error %v", replies, err)
	}
}

// history returns the outcomes of a job, newest first.
func (s *stand) history(id string) []job.Row {
	s.Helper()
	rows, err := s.History(s.Context(), id, 100)
	if err != nil {
		s.Fatal(err)
	}
	return rows
}

// events returns "kind job" of every event but those of loops and additions.
func (s *stand) events() []string {
	s.Helper()
	events, _, err := s.Events(s.Context(), nil, 0)
	if err != nil {
		s.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		if e.Kind != job.JobAdded && e.Kind != job.LeaderElected {
			kinds = append(kinds, strings.TrimSpace(fmt.Sprintf("%s %s", e.Kind, e.JobID)))
		}
	}
	return kinds
}

func (s *stand) exists(id string) bool {
	s.Helper()
	_, err := s.Get(s.Context(), id)
	if err != nil && !errors.Is(err, store.ErrJobNotFound) {
		s.Fatal(err)
	}
	return err == nil
}
