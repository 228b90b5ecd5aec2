package executor

import (
	"context"
	"slices"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// attempt is one attempt of the first run of msg, from its start until the store has been told
// how it ended.
type attempt struct {
	msg    *store.Message // as started
	owner  string
	cancel context.CancelCauseFunc // ends the handler's context
	placed bool                    // it occupies a place of the pool
	result                         // once its handler has returned

	// under the lock of leases
	state    attemptState
	deadline time.Time // local end of the lease
}

type attemptState int

const (
	running   attemptState = iota // its handler has not returned
	lost                          // likewise, and it may report nothing
	ended                         // its handler has returned
	abandoned                     // its handler did not return in time
)

// ending is how a handler ended.
type ending struct {
	result any
	err    error
	cause  error // why its context has ended
	took   time.Duration
}

func (a *attempt) held() store.Held {
	return store.Held{RunID: a.msg.Runs[0].ID, Owner: a.owner, Bytes: len(a.msg.Args) + 64*len(a.msg.Runs)}
}

// begin makes an attempt of the first run of m, which the store has started for owner in answer to
// a call sent then; startedAt is the time of Redis, or 0. The caller has a place for it. begin
// returns false, and does nothing, when the answer took longer than the lease. After the end of
// work the run goes to another node at once.
func (l *line) begin(work context.Context, m *store.Message, owner string, sent time.Time, startedAt int64) bool {
	deadline := sent.Add(l.cfg.Lease)
	if !l.cfg.Now().Before(deadline) {
		l.log.Warn("start was answered after its lease had ended, left to recovery", "run", m.Runs[0].ID, "job", m.JobID)
		return false
	}
	ctx, cancel := context.WithCancelCause(work)
	a := &attempt{msg: m, owner: owner, cancel: cancel, placed: true}
	l.pool.tally.add(1)
	l.leases.add(a, deadline)
	if startedAt > 0 && m.Attempt == 1 {
		late := time.Duration(startedAt-m.Runs[0].Due) * time.Millisecond
		l.observe(ObservedStart, m, Observation{Lateness: max(late, 0)})
	}
	if work.Err() != nil {
		l.tell(job.JobStarted, m, m.Runs[0], "")
		l.ended(a, ending{err: errNotBegun})
		return true
	}
	go l.run(ctx, a)
	return true
}

// run calls the handler and reports its ending, even when it ends the goroutine.
func (l *line) run(ctx context.Context, a *attempt) {
	deepen(0)
	l.tell(job.JobStarted, a.msg, a.msg.Runs[0], "")
	l.pool.busy.Add(1)
	e := ending{err: errExited}
	begun := l.cfg.Now()
	defer func() {
		e.took = l.cfg.Now().Sub(begun)
		l.pool.busy.Add(-1)
		l.ended(a, e)
	}()
	l.call(ctx, a.msg, &e)
}

// deepen makes the stack of a new goroutine grow while there is next to nothing on it to copy; handlers and
// what follows them need that much.
//
//go:noinline
func deepen(i int) byte {
	var room [6 << 10]byte
	room[i] = 1
	return room[len(room)-1-i]
}

func (l *line) call(ctx context.Context, m *store.Message, e *ending) {
	defer func() {
		if r := recover(); r != nil {
			e.err = caught(r)
		}
		e.cause = context.Cause(ctx)
	}()
	handler, ok := l.cfg.Handler(m.Task)
	if !ok || handler == nil {
		e.err = Permanent(noHandlerError{m.Task})
		return
	}
	run := l.runOf(m)
	if m.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, m.Timeout, ErrTimeout)
		defer cancel()
	}
	e.result, e.err = handler(l.cfg.BaseContext(ctx, run), run)
}

// runOf is the first run of m as a handler sees it; its args are the handler's own.
func (l *line) runOf(m *store.Message) job.Run {
	return job.Run{
		ID: m.Runs[0].ID, Store: l.storeName, JobID: m.JobID, Task: m.Task, Executor: l.cfg.Name,
		ScheduledTime: time.UnixMilli(m.Runs[0].Scheduled).UTC(), Attempt: m.Attempt, Node: l.cfg.Node,
		Args: slices.Clone(m.Args),
	}
}

// ended passes on how a handler ended, unless nobody may hear it.
func (l *line) ended(a *attempt, e ending) {
	was := l.leases.end(a)
	a.cancel(nil)
	switch was {
	case abandoned:
		return // Run has returned, or is about to
	case lost:
		e.cause = ErrLeaseLost
	}
	fin, report := conclude(a.msg, e.err, e.cause, l.cfg.Rand())
	if !report {
		l.log.Warn("lease was lost, the attempt reports nothing", "run", a.msg.Runs[0].ID, "job", a.msg.JobID, "attempt", a.msg.Attempt)
		l.observe(ObservedDropped, a.msg, Observation{Duration: e.took})
		l.settle(a)
		return
	}
	fin.Held = a.held()
	if fin.Outcome == job.Executed {
		fin.Result = encodeResult(e.result)
	}
	if fin.Next == nil && l.out.len() < l.cfg.Concurrency+finishLimit {
		l.vacate(a)
	}
	a.fin, a.ending = fin, e
	l.unreported.Add(1)
	l.out.add(a)
}

// vacate gives the attempt's place back, if it still has it.
func (l *line) vacate(a *attempt) {
	if a.placed {
		a.placed = false
		l.pool.slots.give(1)
	}
}

// settle forgets an attempt of which nothing is to come.
func (l *line) settle(a *attempt) {
	l.leases.remove(a)
	l.vacate(a)
	l.pool.tally.done()
}
