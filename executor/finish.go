package executor

import (
	"context"
	"sync"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// finishLimit bounds the attempts of one finish call.
const finishLimit = 200

// result is an attempt that has ended, and what the store is to be told.
type result struct {
	attempt *attempt
	fin     store.Finish
	ending  ending
	sent    time.Time // before it was first sent
}

// outbox gathers results for the finisher of a line.
type outbox struct {
	filled chan struct{} // of capacity 1: something was added
	mu     sync.Mutex
	items  []result
}

func (o *outbox) add(items ...result) {
	o.mu.Lock()
	o.items = append(o.items, items...)
	o.mu.Unlock()
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// take takes up to n results, oldest first.
func (o *outbox) take(n int) []result {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = min(n, len(o.items))
	taken := o.items[:n:n]
	o.items = o.items[n:]
	if len(o.items) == 0 {
		o.items = nil
	}
	return taken
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.items)
}

// finish reports results until ctx ends: what is there at once, and what gathered meanwhile next.
// After a failure the call is made smaller, since one result that the store cannot digest must not
// hold up others, and it is repeated until the leases end.
func (l *line) finish(ctx, work context.Context) {
	t := l.trouble("reporting outcomes")
	for limit := finishLimit; ; {
		batch := l.out.take(limit)
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-l.out.filled:
			}
			continue
		}
		batch = l.dropExpired(batch)
		if err := l.report(ctx, work, batch); err != nil {
			limit = max(1, limit/2)
			l.out.add(batch...)
			t.note(err)
			t.pause(ctx)
			continue
		}
		limit = min(finishLimit, limit*2)
		t.clear()
	}
}

// dropExpired drops the results whose leases have ended, since recovery reruns them.
func (l *line) dropExpired(batch []result) []result {
	kept := batch[:0]
	for _, r := range batch {
		if l.leases.live(r.attempt) {
			kept = append(kept, r)
			continue
		}
		m := r.fin.Message
		l.log.Error("outcome could not be reported before the lease ended, left to recovery",
			"run", m.Runs[0].ID, "job", m.JobID, "attempt", m.Attempt, "outcome", r.fin.Outcome)
		l.observe(ObservedDropped, m, Observation{Outcome: r.fin.Outcome, Duration: r.ending.took})
		l.settle(r.attempt)
	}
	return kept
}

// report makes one finish call and acts on its answers. With an error, nothing was acted on.
func (l *line) report(ctx, work context.Context, batch []result) error {
	if len(batch) == 0 {
		return nil
	}
	fins, now := make([]store.Finish, len(batch)), l.cfg.Now()
	for i := range batch {
		fins[i] = batch[i].fin
		if batch[i].sent.IsZero() {
			batch[i].sent = now
		}
	}
	call, cancel := context.WithTimeout(ctx, l.cfg.Lease/2)
	defer cancel()
	replies, err := l.queue.Finish(call, l.consumer.Partition, l.cfg.Lease, fins)
	if err != nil {
		return err
	}
	for i, r := range batch {
		if replies[i].Refused {
			l.refused(r)
			continue
		}
		l.accepted(work, r, replies[i].Next, replies[i].Back)
		if r.sent != now {
			l.renewSoon() // what follows may have started in answer to the first sending
		}
	}
	return nil
}

// accepted acts on an outcome that the store has taken: next is what it has started in the same
// slot, in answer to any sending of r; back says that what follows waits in the stream instead.
func (l *line) accepted(work context.Context, r result, next *store.Message, back bool) {
	m := r.fin.Message
	l.tell(eventOf(r.fin), m, m.Runs[0], causeOf(r.fin))
	l.observe(ObservedEnd, m, Observation{
		Outcome: r.fin.Outcome, Retrying: r.fin.Retry != nil, Duration: r.ending.took, Result: r.ending.result,
	})
	defer l.settle(r.attempt)
	if r.fin.Next == nil {
		return
	}
	rest := *r.fin.Next
	if back {
		return // it waits in the stream
	}
	if next == nil {
		l.tellDropped(rest, rest.Runs)
		return
	}
	l.tellDropped(rest, rest.Runs[:len(rest.Runs)-len(next.Runs)])
	if l.begin(work, *next, r.attempt.owner, r.sent, 0) {
		r.attempt.placed = false // its place is the next one's
	}
}

// tellDropped raises the events of runs that were to follow and were closed instead. The store
// does so for two reasons: the grace has passed, or the job is gone.
func (l *line) tellDropped(m store.Message, runs []store.MessageRun) {
	if m.Grace == job.GraceNone {
		l.tellAll(job.JobCancelled, m, runs, "job removed")
		return
	}
	l.tellAll(job.JobMissed, m, runs, "later than its grace")
}

// refused acts on an outcome that the store has not taken.
func (l *line) refused(r result) {
	m := r.fin.Message
	l.log.Warn("outcome was refused: the run is not this node's any more, or it was taken before and the answer lost",
		"run", m.Runs[0].ID, "job", m.JobID, "attempt", m.Attempt, "outcome", r.fin.Outcome)
	l.observe(ObservedRefused, m, Observation{Outcome: r.fin.Outcome, Duration: r.ending.took})
	l.settle(r.attempt)
}
