package executor

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/store"
)

// queue is what a line needs of a store; *store.Store is one.
type queue interface {
	Fetch(ctx context.Context, partition int, executor, consumer string, count int, block time.Duration) ([]store.Fetched, error)
	FetchPending(ctx context.Context, partition int, executor, consumer string, count int) ([]store.Fetched, error)
	Start(ctx context.Context, st store.Start) ([]store.StartReply, error)
	StartNext(ctx context.Context, c store.Consumer, owner string, lease time.Duration, entry, slot string) (store.StartReply, error)
	HandBack(ctx context.Context, c store.Consumer, entries []string) error
	NoteOutage(ctx context.Context, partition int, lease time.Duration) error
	ExecutorPaused(ctx context.Context, partition int, executor string) (bool, error)
	SetAside(ctx context.Context, c store.Consumer, e store.Fetched) error
	Postpone(ctx context.Context, c store.Consumer, entry string, delay time.Duration, postpone, back []store.Message) error
	Renew(ctx context.Context, partition int, lease time.Duration, held []store.Held) ([]store.Renewal, error)
	Finish(ctx context.Context, partition int, lease time.Duration, done []store.Finish) ([]store.FinishReply, error)
}

// line is one partition of one store: a reader, a renewer and a finisher of its own, so that a
// partition in trouble holds up no other.
type line struct {
	cfg       Config
	pool      *Pool
	queue     queue
	storeName string
	number    int // among the pool's lines
	consumer  store.Consumer
	log       hclog.Logger

	leases     leases
	out        outbox
	fins       []store.Finish // of the finisher alone
	renewNow   chan struct{}  // of capacity 1
	reportNow  chan struct{}  // of capacity 1
	cut        atomic.Bool    // the store was out of reach, and it was not noted yet that it is back
	unreported atomic.Int64   // attempts that have ended and that the store has not taken or refused
	lookNow    chan struct{}  // of capacity 1

	laterMu   sync.Mutex
	laterMail []string // ids of pending entries that are to start later, as starts heard it

	// of the reader alone
	later    map[string]time.Time // ids of pending entries that are to start later, and when they are asked for again
	readable bool                 // it has read once
	shared   int                  // messages per entry, of late
	pace     time.Duration        // how long a read takes that does not wait, of late
	starts   starts
	backlog  bool                 // the last read got all it asked for, so that there may be more
	reread   bool                 // the pending list has to be read
	held     sorted               // fetched and not seen to, in the pending list
	since    time.Time            // when they were fetched
	turn     *turn                // in which they wait for places; nil when they do not
	room     int                  // places that the line has for them
	counted  int                  // how many of them the pool counts as without places
	left     map[string]time.Time // ids of pending entries of a newer format, and when they go back
	reported map[string]bool      // bodies that were logged as such
	lacking  map[string]bool      // tasks that no live node of the executor was last seen to serve
}

func newLine(p *Pool, number int, name string, q queue, partition int) *line {
	l := &line{
		cfg: p.cfg, pool: p, queue: q, storeName: name, number: number,
		consumer: store.Consumer{Partition: partition, Executor: p.cfg.Name, Name: p.cfg.Node + "/" + p.cfg.Boot},
		log:      p.cfg.Logger.With("executor", p.cfg.Name, "store", name, "partition", partition),
		renewNow: make(chan struct{}, 1), reportNow: make(chan struct{}, 1), lookNow: make(chan struct{}, 1),
		left: map[string]time.Time{}, later: map[string]time.Time{}, reported: map[string]bool{}, lacking: map[string]bool{},
	}
	l.reread, l.shared = true, crowd
	l.consumer.Able, l.consumer.Served = l.able, l.served
	l.leases.now, l.leases.held = p.cfg.Now, map[*attempt]bool{}
	l.out.filled = make(chan struct{}, 1)
	return l
}

// owner makes the token that a start call is known by.
func (l *line) owner() string { return l.consumer.Name + "/" + uuid.NewString() }

func (l *line) trouble(doing string) *trouble {
	return &trouble{log: l.log, doing: doing, rand: l.cfg.Rand}
}

// consume fetches and starts until ctx ends, and then gives back what was fetched and not started.
// Its own pending list comes first, at the beginning and after every error.
func (l *line) consume(ctx, work context.Context) {
	defer l.pool.tally.done()
	t := l.trouble("fetching and starting runs")
	for ctx.Err() == nil {
		reread := l.reread
		err := l.comeBack(ctx)
		if err == nil {
			err = l.round(ctx, work)
		}
		if err != nil { // nothing is read again before all starts have their answers
			l.forget()
			if other := l.starts.wait(0); errors.Is(other, errPaused) {
				err = other
			}
		}
		if errors.Is(err, errPaused) {
			err = l.rest(ctx)
		}
		if errors.Is(err, errCutOff) {
			continue
		}
		if err != nil && ctx.Err() == nil {
			l.noteCut(err)
			t.note(err)
			t.pause(ctx)
		}
		if err == nil && !reread { // only a read that worked ends the trouble
			t.clear()
		}
		if err == nil && !l.reread {
			l.ready()
		}
	}
	l.forget()
	if err := l.starts.wait(0); err != nil {
		l.log.Debug("last start failed, its runs are handed back", "error", err)
	}
	if err := l.handBack(ctx); err != nil {
		l.log.Warn("fetched runs were not handed back, the leader will", "error", err)
	}
}

// forget drops what is held. It is in the pending list, which is read again.
func (l *line) forget() {
	l.held, l.backlog, l.reread = sorted{}, false, true
	l.pool.slots.note(l.number, 0, false)
	l.letGo()
}

// ready tells the pool, once, that the line consumes: it has read its pending list, or there is no
// room to start anything.
func (l *line) ready() {
	if l.readable {
		return
	}
	l.readable = true
	if l.pool.unready.Add(-1) == 0 {
		close(l.pool.ready)
	}
}

// round fetches, when nothing is held, and has what is held started as places come free.
func (l *line) round(ctx, work context.Context) error {
	if l.held.empty() {
		if err := l.fetch(ctx); err != nil || l.held.empty() {
			return err
		}
	}
	return l.place(ctx, work)
}
