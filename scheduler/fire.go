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
	job      *compiled
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
	jobs, err := p.admit(ctx, due)
	if err != nil || len(jobs) == 0 {
		return false, err
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

// admit leaves out the jobs that are held, and sees to those whose headers cannot be used.
func (p *partition) admit(ctx context.Context, due store.Due) ([]store.DueJob, error) {
	now := p.elapsed()
	p.sweepHolds(now)
	jobs := make([]store.DueJob, 0, len(due.Jobs))
	for _, j := range due.Jobs {
		var err error
		switch {
		case p.isHeld(j, now):
		case errors.Is(j.Bad, store.ErrNewerFormat):
			if p.held[j.ID] == nil {
				p.log.Warn("job has a newer format, left to a newer node", "job", j.ID, "error", j.Bad)
			}
			p.keep(j, now).until = now + newerPause
		case j.Bad != nil:
			err = p.park(ctx, j, "its header cannot be read", j.Bad)
		case j.Header.State != store.Active || j.Header.Next == 0:
			err = p.park(ctx, j, "it is in the schedule without being active", nil)
		default:
			jobs = append(jobs, j)
		}
		if err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// park takes a job that cannot be used out of the schedule.
func (p *partition) park(ctx context.Context, j store.DueJob, why string, cause error) error {
	if cause != nil {
		why += ": " + cause.Error()
	}
	p.log.Error("job parked", "job", j.ID, "reason", why)
	call, done := p.limited(ctx)
	defer done()
	if err := p.cfg.Store.Park(call, p.index, p.office, j, why); err != nil {
		return err
	}
	p.jobs.drop(j.ID)
	delete(p.held, j.ID)
	p.cfg.Observe(Observation{Partition: p.index, Parked: 1})
	return nil
}

// prepare decides a batch. Jobs that vanished, changed, or need more steps are left out.
func (p *partition) prepare(ctx context.Context, batch []store.DueJob, now int64, spend *budget) ([]item, error) {
	jobs, err := p.compile(ctx, batch)
	if err != nil {
		return nil, err
	}
	items := make([]item, 0, len(batch))
	for _, j := range batch {
		known := jobs[j.ID]
		if known == nil || !known.serves(j.Header) {
			continue
		}
		lineUp, ready, err := p.backlogEnded(ctx, j)
		if err != nil {
			return nil, err
		}
		if !ready {
			continue
		}
		d, rest, done, err := decideSafely(known.rules, j, now, p.tallyOf(j), spend)
		switch {
		case err != nil:
			err = p.park(ctx, j, "its trigger failed", err)
		case !done:
			h := p.keep(j, p.elapsed())
			h.header, h.tally = j.Header, rest
		default:
			items = append(items, p.item(j, known, d, now, lineUp))
		}
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}

// compile returns the jobs of a batch ready for use; those that are gone or unusable are not in it.
func (p *partition) compile(ctx context.Context, batch []store.DueJob) (map[string]*compiled, error) {
	jobs := make(map[string]*compiled, len(batch))
	var missing []store.DueJob
	for _, j := range batch {
		if known, ok := p.jobs.get(j.ID); ok && known.serves(j.Header) {
			jobs[j.ID] = known
		} else {
			missing = append(missing, j)
		}
	}
	for part := range slices.Chunk(missing, recordsBatch) {
		if err := p.compileMissing(ctx, part, jobs); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// recordsBatch bounds the memory of records that are read together.
const recordsBatch = 250

func (p *partition) compileMissing(ctx context.Context, missing []store.DueJob, into map[string]*compiled) error {
	ids := make([]string, len(missing))
	for i, j := range missing {
		ids[i] = j.ID
	}
	call, done := p.limited(ctx)
	found, bad, err := p.cfg.Store.Records(call, p.index, ids)
	done()
	if err != nil {
		return err
	}
	for _, j := range missing {
		cause := bad[j.ID]
		if e, ok := found[j.ID]; ok {
			var c *compiled
			if c, cause = compile(e, p.triggers); cause == nil {
				into[j.ID] = c
				p.jobs.put(j.ID, c, c.size())
				continue
			}
		}
		if err := p.notCompiled(ctx, j, cause); err != nil {
			return err
		}
	}
	return nil
}

// notCompiled sees to a job without a usable record; cause is nil when it is not there any more.
func (p *partition) notCompiled(ctx context.Context, j store.DueJob, cause error) error {
	p.jobs.drop(j.ID)
	switch {
	case cause == nil:
		p.stumble(j, p.elapsed(), 0)
		return nil
	case errors.Is(cause, store.ErrNewerFormat):
		p.keep(j, p.elapsed()).until = p.elapsed() + newerPause
		return nil
	}
	return p.park(ctx, j, "its record cannot be used", cause)
}
