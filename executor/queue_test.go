package executor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("connection refused")

// fake is a queue for what a real store cannot be brought to do on time: each hook, when set,
// decides on the call with its number, counted from 1.
type fake struct {
	mu      sync.Mutex
	calls   []string
	count   map[string]int
	entries chan []store.Fetched

	fetch   func(n int) error
	paused  func(n int) (bool, error)
	down    func() error // of NoteOutage
	back    func(n int) error
	pending func(n int) ([]store.Fetched, error)
	start   func(n int, st store.Start) ([]store.StartReply, error)
	next    func(n int, owner string) (store.StartReply, error)
	renew   func(n int) (store.Renewal, error)
	finish  func(n int, done []store.Finish) ([]store.FinishReply, error)
	done    []store.Finish // accepted
}

func newFake() *fake { return &fake{count: map[string]int{}, entries: make(chan []store.Fetched, 100)} }

func (f *fake) note(call, detail string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count[call]++
	f.calls = append(f.calls, call+detail)
	return f.count[call]
}

// take returns the calls since the last take.
func (f *fake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *fake) Fetch(ctx context.Context, _ int, _, _ string, count int, block time.Duration) ([]store.Fetched, error) {
	if n := f.note("fetch ", fmt.Sprint(count)); f.fetch != nil {
		if err := f.fetch(n); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, block)
	defer cancel()
	select { // what is there comes even to a context that has ended, as from a network
	case e := <-f.entries:
		return e, nil
	default:
	}
	select {
	case e := <-f.entries:
		return e, nil
	case <-ctx.Done():
		return nil, nil
	}
}

func (f *fake) FetchPending(_ context.Context, _ int, _, _ string, count int) ([]store.Fetched, error) {
	if n := f.note("pending ", fmt.Sprint(count)); f.pending != nil {
		return f.pending(n)
	}
	return nil, nil
}

func (f *fake) Start(_ context.Context, st store.Start) ([]store.StartReply, error) {
	n := f.note("start ", fmt.Sprintf("%d+%d", len(st.Run), len(st.Return)))
	if f.start != nil {
		return f.start(n, st)
	}
	return startAll(st), nil
}

func startAll(st store.Start) []store.StartReply {
	var replies []store.StartReply
	for _, t := range st.Run {
		replies = append(replies, store.StartReply{Verdict: store.Started, Message: t.Message})
	}
	return replies
}

func (f *fake) StartNext(_ context.Context, _ store.Consumer, owner string, _ time.Duration, _, _ string) (store.StartReply, error) {
	if n := f.note("next", ""); f.next != nil {
		return f.next(n, owner)
	}
	return store.StartReply{Verdict: store.StartGone}, nil
}

func (f *fake) HandBack(_ context.Context, _ store.Consumer, entries []string) error {
	if n := f.note("back ", fmt.Sprint(len(entries))); f.back != nil {
		return f.back(n)
	}
	return nil
}

func (f *fake) NoteOutage(context.Context, int, time.Duration) error {
	if f.down != nil {
		return f.down()
	}
	return nil
}

func (f *fake) ExecutorPaused(context.Context, int, string) (bool, error) {
	if n := f.note("paused", ""); f.paused != nil {
		return f.paused(n)
	}
	return false, nil
}

func (f *fake) SetAside(_ context.Context, _ store.Consumer, e store.Fetched) error {
	f.note("aside ", e.ID)
	return nil
}

func (f *fake) Postpone(context.Context, store.Consumer, string, time.Duration, []store.Message, []store.Message) error {
	f.note("postpone", "")
	return nil
}

func (f *fake) Renew(_ context.Context, _ int, _ time.Duration, held []store.Held) ([]store.Renewal, error) {
	answer, err := store.Renewed, error(nil)
	if n := f.note("renew ", fmt.Sprint(len(held))); f.renew != nil {
		answer, err = f.renew(n)
	}
	all := make([]store.Renewal, len(held))
	for i := range all {
		all[i] = answer
	}
	return all, err
}

func (f *fake) Finish(_ context.Context, _ int, _ time.Duration, done []store.Finish) ([]store.FinishReply, error) {
	replies, err := make([]store.FinishReply, len(done)), error(nil)
	for i, d := range done {
		replies[i].Next = d.Next
	}
	if n := f.note("finish ", fmt.Sprint(len(done))); f.finish != nil {
		replies, err = f.finish(n, done)
	}
	if err == nil {
		f.mu.Lock()
		f.done = append(f.done, done...)
		f.mu.Unlock()
	}
	return replies, err
}

// outcomes returns what Finish has accepted: run, outcome and whether it goes on elsewhere.
func (f *fake) outcomes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, d := range f.done {
		s := d.RunID + " " + string(d.Outcome)
		if d.Retry != nil {
			s += " again"
		}
		all = append(all, s)
	}
	return all
}

// rig is a pool of one line over a fake, inside a bubble.
type rig struct {
	*fake
	pool  *Pool
	stop  context.CancelFunc
	force context.CancelFunc
	ended chan struct{}
	seen  chan Observation
}

// run starts a pool. It must be stopped before the bubble ends.
func (f *fake) run(t *testing.T, concurrency int, handler Handler, adjust ...func(*Config)) *rig {
	t.Helper()
	r := &rig{fake: f, ended: make(chan struct{}), seen: make(chan Observation, 10_000)}
	cfg := Config{
		Name: "default", Concurrency: concurrency, Node: "n", Boot: "b", Lease: 12 * time.Second,
		Handler: func(string) (Handler, bool) { return handler, true },
		Observe: func(o Observation) { r.seen <- o },
		Rand:    func() float64 { return 1 },
	}
	for _, a := range adjust {
		a(&cfg)
	}
	r.pool = newPool(cfg)
	r.pool.lines = []*line{newLine(r.pool, 0, "s", f, 0)}
	ctx, stop := context.WithCancel(t.Context())
	drain, force := context.WithCancel(t.Context())
	r.stop, r.force = stop, force
	go func() {
		defer close(r.ended)
		if err := r.pool.Run(ctx, drain); err != nil {
			t.Error(err)
		}
	}()
	return r
}

// shut stops the pool at once, and waits.
func (r *rig) shut() {
	r.stop()
	r.force()
	<-r.ended
}

func (r *rig) observed(what Observed) int {
	n := 0
	for {
		select {
		case o := <-r.seen:
			if o.What == what {
				n++
			}
		default:
			return n
		}
	}
}

// entry is one entry with a message of the given runs.
func entry(runs ...string) store.Fetched {
	m := store.Message{Attempt: 1, Grace: job.GraceNone, JobID: "j", Executor: "default", Task: "t"}
	for _, id := range runs {
		m.Runs = append(m.Runs, store.MessageRun{ID: id})
	}
	return store.Fetched{ID: "e-" + runs[0], Bodies: []string{m.Encode()}}
}

// untilEnd is a handler that works until its context ends, and reports why it did.
func untilEnd(causes chan<- error) Handler {
	return func(ctx context.Context, _ job.Run) (any, error) {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	}
}

// pass lets time pass in a bubble, and everything that happens by then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func nothing(context.Context, job.Run) (any, error) { return nil, nil }

// none reports whether every place is taken.
func (s *slots) none() bool { return s.places() == 0 }

// places is how many are free.
func (s *slots) places() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

// take takes n places as another line does.
func (s *slots) take(n int) {
	t := s.newTurn(0, 0)
	s.join(t, n, n, true)
	s.collect(t)
}
