package executor

import (
	"context"
	"errors"
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
	consumer  store.Consumer
	log       hclog.Logger

	leases   leases
	out      outbox
	fins     []store.Finish // of the finisher alone
	renewNow chan struct{}  // of capacity 1
	lookNow  chan struct{}  // of capacity 1

	// of the reader alone
	readable bool // it has read once
	shared   int  // messages per entry, of late
	starts   starts
	backlog  bool                 // the last read got all it asked for, so that there may be more
	quick    bool                 // places come free soon
	ahead    sorted               // fetched and not seen to, in the pending list
	left     map[string]time.Time // ids of pending entries of a newer format, and when they go back
	reported map[string]bool      // bodies that were logged as such
}

func newLine(p *Pool, name string, q queue, partition int) *line {
	l := &line{
		cfg: p.cfg, pool: p, queue: q, storeName: name,
		consumer: store.Consumer{Partition: partition, Executor: p.cfg.Name, Name: p.cfg.Node + "/" + p.cfg.Boot},
		log:      p.cfg.Logger.With("executor", p.cfg.Name, "store", name, "partition", partition),
		renewNow: make(chan struct{}, 1), lookNow: make(chan struct{}, 1),
		left: map[string]time.Time{}, reported: map[string]bool{},
	}
	l.leases.now, l.leases.held = p.cfg.Now, map[*attempt]bool{}
	l.out.filled = make(chan struct{}, 1)
	return l
}

// owner makes the token that a start call is known by.
func (l *line) owner() string { return l.consumer.Name + "/" + uuid.NewString() }

func (l *line) trouble(doing string) *trouble {
	return &trouble{log: l.log, doing: doing, rand: l.cfg.Rand}
}

// read fetches and starts until ctx ends, and then gives back what was fetched and not started.
// Its own pending list comes first, at the beginning and after every error.
func (l *line) read(ctx, work context.Context) {
	defer l.pool.tally.done()
	t := l.trouble("fetching and starting runs")
	for pending := true; ctx.Err() == nil; {
		more, err := l.round(ctx, work, pending)
		if err != nil { // nothing is read again before all starts have their answers
			l.ahead = sorted{}
			if other := l.starts.wait(0); errors.Is(other, errPaused) {
				err = other
			}
		}
		if errors.Is(err, errPaused) {
			err = l.rest(ctx)
		}
		if err != nil && ctx.Err() == nil {
			t.note(err)
			t.pause(ctx)
		}
		if err == nil && !pending { // only a read that worked ends the trouble
			t.clear()
		}
		pending = more || err != nil
		l.ready(pending)
	}
	if err := l.starts.wait(0); err != nil {
		l.log.Debug("last start failed, its runs are handed back", "error", err)
	}
	if err := l.handBack(ctx); err != nil {
		l.log.Warn("fetched runs were not handed back, the leader will", "error", err)
	}
}

// ready tells the pool, once, that the line consumes: it has read its pending list, or there is no
// room to start anything.
func (l *line) ready(pending bool) {
	if pending || l.readable {
		return
	}
	l.readable = true
	if l.pool.unready.Add(-1) == 0 {
		close(l.pool.ready)
	}
}

// round fetches once and has what it got started. more says that the pending list has to be read (again),
// as after every error.
func (l *line) round(ctx, work context.Context, pending bool) (more bool, err error) {
	if !pending && (!l.ahead.empty() || l.backlog && l.quick) {
		return l.roundAhead(ctx, work)
	}
	block, err := l.waitForStarts(pending)
	if err != nil {
		return true, err
	}
	free := l.room(ctx)
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	if err := l.giveUp(ctx); err != nil {
		return true, err
	}
	if l.backlog {
		free = min(free, l.half())
	}
	ask := l.entries(free)
	if !pending {
		entries, err := l.queue.Fetch(ctx, l.consumer.Partition, l.cfg.Name, l.consumer.Name, ask, block)
		if err != nil {
			return true, err
		}
		l.backlog = len(entries) >= ask
		s := l.sort(entries)
		return l.act(ctx, work, s, l.pool.slots.take(s.need()))
	}
	fresh, more, err := l.pending(ctx, ask)
	if err != nil || len(fresh) == 0 {
		return more, err
	}
	s := l.sort(fresh)
	_, err = l.act(ctx, work, s, l.pool.slots.take(s.need()))
	return true, err
}

// room waits until there is some, and learns from it how soon places come free.
func (l *line) room(ctx context.Context) (free int) {
	if !l.pool.slots.none() {
		return l.pool.slots.available(ctx)
	}
	l.ready(false) // it consumes as far as there is room
	began := l.cfg.Now()
	free = l.pool.slots.available(ctx)
	l.quick = l.cfg.Now().Sub(began) < quickTurn
	return free
}

// waitForStarts waits for start calls that the next read must not overtake, and returns how long that read
// may wait for work. While there is a backlog, and room to take a good part of it, one call may be under
// way; but no read waits for work then, so that what becomes of the call is heard of at once.
func (l *line) waitForStarts(pending bool) (block time.Duration, err error) {
	if pending || !l.backlog {
		return l.cfg.Block, l.starts.wait(0)
	}
	if err := l.starts.wait(startLimit - 1); err != nil {
		return 0, err
	}
	if !l.pool.slots.has(l.ample()) {
		return l.cfg.Block, l.starts.wait(0)
	}
	return 0, nil
}

// entries is how many entries to ask for when there is room for so many messages.
func (l *line) entries(free int) int { return max(1, free/max(1, l.shared)) }

// pending reads up to count entries of the own pending list, besides those that are left.
func (l *line) pending(ctx context.Context, count int) (fresh []store.Fetched, more bool, err error) {
	count += len(l.left)
	entries, err := l.queue.FetchPending(ctx, l.consumer.Partition, l.cfg.Name, l.consumer.Name, count)
	if err != nil {
		return nil, true, err
	}
	there := map[string]time.Time{}
	for _, e := range entries {
		if until, ok := l.left[e.ID]; ok {
			there[e.ID] = until
			continue
		}
		fresh = append(fresh, e)
	}
	l.left = there
	return fresh, len(entries) == count, nil
}
