package executor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// finishLimit bounds the attempts of one finish call.
const finishLimit = 200

// result is what the store is to be told of an attempt that has ended.
type result struct {
	fin    store.Finish
	ending ending
	sent   time.Time // before it was first sent
}

// outbox gathers attempts that have ended for the finisher of a line. Those that need no more than
// their end stand apart: the store ends a call of such for less.
type outbox struct {
	filled chan struct{} // of capacity 1: something was added
	mu     sync.Mutex
	plain  []*attempt
	others []*attempt
}

func (o *outbox) add(items ...*attempt) {
	o.mu.Lock()
	for _, a := range items {
		if a.fin.Plain() {
			o.plain = append(o.plain, a)
		} else {
			o.others = append(o.others, a)
		}
	}
	o.mu.Unlock()
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// take moves up to n attempts of one kind to batch, oldest first: of the kind that was not preferred
// when there is none of the other.
func (o *outbox) take(batch []*attempt, n int, plain bool) []*attempt {
	o.mu.Lock()
	defer o.mu.Unlock()
	from := &o.others
	if plain && len(o.plain) > 0 || len(o.others) == 0 {
		from = &o.plain
	}
	n = min(n, len(*from))
	batch = append(batch[:0], (*from)[:n]...)
	rest := copy(*from, (*from)[n:])
	clear((*from)[rest:])
	*from = (*from)[:rest]
	return batch
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.plain) + len(o.others)
}

// finish reports results until ctx ends, each until the store takes or refuses it: a lease that ended here says
// nothing about that. A call that Redis answers with an error is made smaller, since one result that it cannot
// digest must not hold up others. After giveUp has ended, what cannot be reported is dropped.
func (l *line) finish(ctx, work, giveUp context.Context) {
	t := l.trouble("reporting outcomes")
	var batch []*attempt
	for limit, plain := finishLimit, true; ; plain = !plain {
		batch = l.out.take(batch, limit, plain)
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-l.out.filled:
			}
			continue
		}
		n, err := l.report(giveUp, work, batch)
		l.unreported.Add(-int64(n))
		if err == nil {
			limit = min(finishLimit, limit*2)
			t.clear()
			continue
		}
		batch = batch[n:]
		if answered := store.Answered(err); answered || errors.Is(err, context.DeadlineExceeded) {
			limit = max(1, limit/2)
			if answered && len(batch) == 1 && l.leases.over(batch[0]) || giveUp.Err() != nil {
				l.drop(batch, err)
				continue
			}
		} else if giveUp.Err() != nil {
			l.drop(batch, err)
			continue
		}
		l.out.add(batch...)
		l.noteCut(err)
		t.note(err)
		t.pause(giveUp, l.reportNow)
	}
}

// drop gives up results that cannot be reported: recovery runs them again.
func (l *line) drop(batch []*attempt, err error) {
	for _, a := range batch {
		m := a.msg
		l.log.Error("outcome could not be reported, left to recovery",
			"run", m.Runs[0].ID, "job", m.JobID, "attempt", m.Attempt, "outcome", a.fin.Outcome, "error", err)
		l.observe(ObservedDropped, m, Observation{Outcome: a.fin.Outcome, Duration: a.ending.took})
		l.unreported.Add(-1)
		l.settle(a)
	}
}

// report makes one finish call and acts on its answers. With an error it has acted on the first n only.
func (l *line) report(ctx, work context.Context, batch []*attempt) (n int, err error) {
	now := l.cfg.Now()
	l.fins = l.fins[:0]
	for _, a := range batch {
		l.fins = append(l.fins, a.fin)
		if a.sent.IsZero() {
			a.sent = now
		}
	}
	defer clear(l.fins) // what has ended need not be kept
	call, cancel := context.WithTimeout(ctx, l.cfg.Lease/2)
	defer cancel()
	replies, err := l.queue.Finish(call, l.consumer.Partition, l.cfg.Lease, l.fins)
	for i, a := range batch[:len(replies)] {
		if replies[i].Refused {
			l.refused(a)
			continue
		}
		l.accepted(work, a, replies[i])
		if a.sent != now {
			l.renewSoon() // what follows may have started in answer to the first sending
		}
	}
	return len(replies), err
}

// accepted acts on an outcome that the store has taken, with its answer to any sending of a.
func (l *line) accepted(work context.Context, a *attempt, reply store.FinishReply) {
	m := a.msg
	handedBack := a.fin.Retry
	a.fin = settled(a.fin, reply)
	l.tell(eventOf(a.fin), m, m.Runs[0], causeOf(a.fin))
	l.observe(ObservedEnd, m, Observation{
		Outcome: a.fin.Outcome, Retrying: a.fin.Retry != nil, Duration: a.ending.took, Result: a.ending.result,
	})
	defer l.settle(a)
	if reply.Removed {
		l.tellRemoved(handedBack, a.fin.Next)
		return
	}
	rest, next := a.fin.Next, reply.Next
	if rest == nil || reply.Back {
		return // what follows waits in the stream
	}
	missed := rest.Runs
	if next != nil {
		missed = rest.Runs[:len(rest.Runs)-len(next.Runs)]
	}
	if rest.Grace != job.GraceNone { // else the answer that said more was lost
		l.tellAll(job.JobMissed, rest, missed, "later than its grace")
	}
	if next == nil {
		return
	}
	if l.begin(work, next, a.owner, a.sent, 0) {
		a.placed = false // its place is the next one's
	}
}

// tellRemoved raises the events of runs that were to follow an attempt, alone or in a retry with it, and were
// cancelled with their job.
func (l *line) tellRemoved(retry, next *store.Message) {
	if next != nil {
		l.tellAll(job.JobCancelled, next, next.Runs, removedCause)
	} else if retry != nil {
		l.tellAll(job.JobCancelled, retry, retry.Runs[1:], removedCause)
	}
}

// refused acts on an outcome that the store has not taken.
func (l *line) refused(a *attempt) {
	m := a.msg
	l.log.Warn("outcome was refused: the run is not this node's any more, or it was taken before and the answer lost",
		"run", m.Runs[0].ID, "job", m.JobID, "attempt", m.Attempt, "outcome", a.fin.Outcome)
	l.observe(ObservedRefused, m, Observation{Outcome: a.fin.Outcome, Duration: a.ending.took})
	l.settle(a)
}
