package scheduler

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/carillon-project/carillon/store"
)

// item is one due job on its way through a pass.
type item struct {
	due      store.DueJob
	job      *known
	decision decision
	dispatch store.Dispatch
	bytes    int
}

// sent is what became of a batch.
type sent struct {
	items   []item
	answers []store.Dispatched // of the first of items, as far as the calls went
	at      time.Duration      // local time of the last answer
	err     error
}

// fire decides and dispatches the due jobs of one page, and reports whether there may be more to do
// at once. Batches are decided while Redis carries out those before: one is under way and one is
// ready, since what is read for a third has to wait its turn at Redis.
func (p *partition) fire(ctx context.Context, due store.Due) (again bool, err error) {
	jobs := p.admit(due)
	if len(jobs) == 0 {
		return false, nil
	}
	deadline := p.elapsed() + passPeriod
	spend := &budget{left: passSteps, expired: func() bool { return p.elapsed() > deadline }}
	ready, done := make(chan []item, 1), make(chan []sent, 1)
	go func() { done <- p.sendAll(ctx, ready) }()
	for batch := range slices.Chunk(jobs, store.MaxDispatch) {
		var items []item
		if items, err = p.prepare(ctx, batch, due.Now, spend); err != nil {
			break
		}
		ready <- items
	}
	close(ready)
	for _, s := range <-done {
		p.settle(s)
		err = errors.Join(err, s.err)
	}
	if errors.Is(err, store.ErrPaused) && !lostOffice(err) { // since it was read; the next look says so
		return true, nil
	}
	return true, err
}

// sendAll dispatches batches until there are no more; after a failure it only takes them.
func (p *partition) sendAll(ctx context.Context, ready <-chan []item) []sent {
	var all []sent
	failed := false
	for items := range ready {
		if failed || len(items) == 0 {
			continue
		}
		s := p.send(ctx, items)
		failed = s.err != nil
		all = append(all, s)
	}
	return all
}

// admit leaves out the jobs that are held.
func (p *partition) admit(due store.Due) []store.DueJob {
	now := p.elapsed()
	p.sweepHolds(now)
	jobs := make([]store.DueJob, 0, len(due.Jobs))
	for _, j := range due.Jobs {
		if !p.isHeld(j, now) {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// park takes a job that cannot be used out of the schedule. header is nil when it cannot be read.
func (p *partition) park(ctx context.Context, j store.DueJob, header *store.Header, why string, cause error) error {
	if cause != nil {
		why += ": " + cause.Error()
	}
	p.log.Error("job parked", "job", j.ID, "reason", why)
	call, done := p.call(ctx)
	defer done()
	if err := p.cfg.Store.Park(call, p.index, p.office, j, header, why); err != nil {
		return err
	}
	p.jobs.drop(j.ID)
	delete(p.held, j.ID)
	p.cfg.Observe(Observation{Partition: p.index, Parked: 1})
	return nil
}

// parkFailed parks a job whose trigger gave an error.
func (p *partition) parkFailed(ctx context.Context, j store.DueJob, header *store.Header, cause error) error {
	if errors.Is(cause, errNoTimeLeft) {
		return p.park(ctx, j, header, errNoTimeLeft.Error(), nil)
	}
	return p.park(ctx, j, header, "its trigger failed", cause)
}

// prepare decides a batch. Jobs that vanished, changed, or need more steps are left out.
func (p *partition) prepare(ctx context.Context, batch []store.DueJob, now int64, spend *budget) ([]item, error) {
	jobs, err := p.learn(ctx, batch)
	if err != nil {
		return nil, err
	}
	items := make([]item, 0, len(batch))
	for i, j := range batch {
		p.pulse.beat()
		k := jobs[i]
		if k == nil {
			continue
		}
		lineUp, ready, err := p.backlogEnded(ctx, j, k.header)
		if err != nil {
			return nil, err
		}
		if !ready {
			continue
		}
		d, rest, done, err := decideSafely(k.compiled, k.header, j.RunTime, now, p.tallyOf(j, k.header), spend)
		switch {
		case err != nil:
			err = p.parkFailed(ctx, j, &k.header, err)
		case !done:
			h := p.keep(j, p.elapsed())
			h.header, h.tally = k.header, rest
		default:
			items = append(items, p.item(j, k, d, now, lineUp))
		}
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}
