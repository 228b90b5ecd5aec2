package carillontest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"testing" //nolint:depguard // a test kit is linked into tests only
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/carillontest/internal/memory"
	"github.com/carillon-project/carillon/store"
)

// Options say what a kit begins with. The zero value works.
type Options struct {
	// Start is the time at which the test begins; default: midnight UTC, 1 January 2000, at which
	// every bubble begins. It must not be before that.
	Start time.Time
	// Register is called once with the node, before it runs: to register handlers, middleware and
	// listeners as the program under test does.
	Register func(*carillon.Node)
	// Executors are served, name to concurrency; default {"default": 64}.
	Executors map[string]int
	// Defaults are for jobs that leave an option unsaid.
	Defaults carillon.Options
	// Down begins the test with the node down, until Up.
	Down bool
	// Logger hears what the node says; default: silent.
	Logger hclog.Logger
}

const (
	// rest is how long the node may sleep and a run may go without renewal: nothing is lost between
	// the parts of one process, so a month takes few steps.
	rest = 24 * time.Hour
	// grace is how long a handler may ignore that its context has ended.
	grace = 365 * 24 * time.Hour
	limit = 1_000_000 // rows of history, and events

	forever = 200 * 365 * 24 * time.Hour // their age
)

// Kit is a node with its store inside a bubble. Its methods are for the goroutine of the test,
// and fail the test where they cannot do what they say.
type Kit struct {
	t      testing.TB
	now    func() time.Time
	server *memory.Server
	store  *store.Store
	alone  *carillon.Alone
	client *carillon.Client

	down func() // makes the node go; nil while it is down

	mu   sync.Mutex
	runs []*RunRecord
	last map[string]*RunRecord // by run id: the latest attempt
}

// Run calls f with a kit in a bubble of its own, in which time passes only while everything waits.
// When f has returned, the node is shut down without waiting for handlers.
func Run(t *testing.T, opts Options, f func(t *testing.T, kit *Kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, New(t, opts)) })
}

// New starts a kit inside the bubble that the caller runs in, until the test ends. Use it instead
// of Run to have other things in the same bubble.
func New(t testing.TB, opts Options) *Kit {
	t.Helper()
	k := &Kit{t: t, now: time.Now, server: memory.New(), last: map[string]*RunRecord{}}
	t.Cleanup(k.server.Close)
	if !opts.Start.IsZero() {
		k.AdvanceTo(opts.Start)
	}
	s, err := store.Open(t.Context(), store.Config{
		URL: "redis://memory", Dial: k.server.Dial, Node: "kit", Create: true, Logger: opts.Logger,
		HistoryLimit: limit, HistoryAge: forever, EventLimit: limit, EventAge: forever,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	k.store = s
	n, err := carillon.NewNode(carillon.Config{
		Name: "kit", Etcd: []string{"memory"}, Redis: "redis://memory", Executors: opts.Executors, Defaults: opts.Defaults,
		RunLease: rest, Logger: opts.Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Use(k.record)
	n.AddListener(endings, k.note)
	if opts.Register != nil {
		opts.Register(n)
	}
	k.alone = &carillon.Alone{Node: n, Store: s, Rest: rest, Grace: grace}
	k.client = k.alone.Client()
	k.register()
	t.Cleanup(k.Down)
	if !opts.Down {
		k.Up()
	}
	return k
}

// Node is the kit's node, to register handlers, middleware and listeners. It must not be run.
func (k *Kit) Node() *carillon.Node { return k.alone.Node }

// Client is a client of the kit's store, the real one, to hand to the program under test.
func (k *Kit) Client() *carillon.Client {
	k.register()
	return k.client
}

// register makes the tasks known that were registered since.
func (k *Kit) register() {
	k.t.Helper()
	k.must(k.alone.Register(context.Background()))
}

func (k *Kit) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// Handle registers fn as the handler of a task, as carillon.Handle does, with a kit that runs.
func Handle[A, R any](k *Kit, task string, fn func(ctx context.Context, args A) (R, error)) {
	carillon.Handle(k.Node(), task, fn)
	k.register()
}

// Now is the time in the bubble, in UTC.
func (k *Kit) Now() time.Time { return k.now().UTC() }

// Advance lets time pass, with all that happens in it, and returns when everything waits again. A
// run that is due at the very end has started then.
func (k *Kit) Advance(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	synctest.Wait()
}

// AdvanceTo is Advance until a time, which must not be over.
func (k *Kit) AdvanceTo(at time.Time) {
	k.t.Helper()
	d := at.Sub(k.now())
	if d < 0 {
		k.t.Fatalf("carillontest: advance to %s: it is %s already", at, k.Now())
	}
	k.Advance(d)
}

// Settle lets everything happen that can without time passing.
func (k *Kit) Settle() { synctest.Wait() }

// Down shuts the node down as Node.Shutdown does without waiting: handlers are cancelled and their
// runs handed back. It takes until they have returned: one that ignores its context is not left
// behind, as it would be in production. Nothing fires or starts until Up; the client works. Down
// again does nothing.
func (k *Kit) Down() {
	if k.down != nil {
		k.down()
		k.down = nil
	}
}

// Up starts a node that is down: it finds what came due meanwhile. Up again does nothing.
func (k *Kit) Up() {
	if k.down != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.alone.Run(ctx, ctx) }()
	k.down = func() {
		k.t.Helper()
		synctest.Wait() // no read is about to begin, so that Release meets them all
		cancel()
		synctest.Wait()
		k.server.Release()
		if err := <-ended; err != nil {
			k.t.Error(err)
		}
	}
	synctest.Wait()
}

// Outage is a time in which every node is down: Down, Advance, Up. It is longer than d only where
// Down takes longer.
func (k *Kit) Outage(d time.Duration) {
	end := k.now().Add(d)
	k.Down()
	k.Advance(end.Sub(k.now()))
	k.Up()
}

// AddJob adds a job as Client.AddJob does, and returns it as stored.
func (k *Kit) AddJob(j carillon.Job, opts ...carillon.CallOption) carillon.Job {
	k.t.Helper()
	stored, err := k.Client().AddJob(context.Background(), j, opts...)
	k.must(err)
	k.Settle()
	return stored
}

// SetCalendar keeps a calendar as Client.SetCalendar does; doc is a Go value such as a map, or
// json.RawMessage.
func (k *Kit) SetCalendar(name string, doc any) {
	k.t.Helper()
	k.must(k.client.SetCalendar(context.Background(), name, k.Trigger(doc)))
	k.Settle()
}

// RemoveCalendar forgets a calendar as Client.RemoveCalendar does.
func (k *Kit) RemoveCalendar(name string) {
	k.t.Helper()
	k.must(k.client.RemoveCalendar(context.Background(), name))
	k.Settle()
}

// Enqueue runs a task once, as Client.Enqueue does, and returns the run's id.
func (k *Kit) Enqueue(task string, args any, opts ...carillon.CallOption) string {
	k.t.Helper()
	id, err := k.Client().Enqueue(context.Background(), task, args, opts...)
	k.must(err)
	k.Settle()
	return id
}

// PauseJob stops a job's times as Client.PauseJob does.
func (k *Kit) PauseJob(id string) {
	k.t.Helper()
	_, err := k.client.PauseJob(context.Background(), id)
	k.must(err)
	k.Settle()
}

// ResumeJob lets a job's times go on as Client.ResumeJob does.
func (k *Kit) ResumeJob(id string) {
	k.t.Helper()
	_, err := k.client.ResumeJob(context.Background(), id)
	k.must(err)
	k.Settle()
}

// RemoveJob deletes a job as Client.RemoveJob does.
func (k *Kit) RemoveJob(id string, opts ...carillon.CallOption) {
	k.t.Helper()
	k.must(k.client.RemoveJob(context.Background(), id, opts...))
	k.Settle()
}

// NextRun is when a job runs next, in UTC; the zero time when it is paused.
func (k *Kit) NextRun(id string) time.Time {
	k.t.Helper()
	j, err := k.client.GetJob(context.Background(), id)
	k.must(err)
	at, _ := j.NextRunTime.Time()
	return at.UTC()
}

// Trigger makes a trigger document of a Go value, such as a map; it fails the test when it cannot.
func (k *Kit) Trigger(v any) json.RawMessage {
	k.t.Helper()
	doc, err := json.Marshal(v)
	k.must(err)
	return doc
}

// jobs are the ids of all histories, sorted: of jobs that are gone too, and of tasks with an @.
func (k *Kit) jobs() []string {
	const lists, days = "{default:0}:history:", "{default:0}:past:"
	ids := map[string]bool{}
	for _, key := range k.server.Keys(lists) {
		ids[key[len(lists):]] = true
	}
	for _, key := range k.server.Keys(days) {
		for _, id := range k.server.Fields(key) {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}
