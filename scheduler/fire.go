package scheduler

import (
	"context"
	"errors"

	"github.com/carillon-project/carillon/store"
)

// item is one due job on its way through a pass.
type item struct {
	due      store.DueJob
	job      *known
	decision decision
	bytes    int // about how many its message has
}

// batch is decided jobs and, each in its place, how they are dispatched. What dispatches refer to lies in the
// other slices; all are used again when the batch is settled.
type batch struct {
	items      []item
	dispatches []store.Dispatch
	messages   []store.Message
	runs       []store.MessageRun
	headers    []store.Header
	parts      int // calls that were not settled
}

// empty makes room for other jobs.
func (b *batch) empty() {
	clear(b.items)
	clear(b.dispatches)
	clear(b.messages)
	clear(b.runs)
	clear(b.headers)
	b.items, b.dispatches, b.messages, b.runs, b.headers = b.items[:0], b.dispatches[:0], b.messages[:0], b.runs[:0], b.headers[:0]
}

// fire decides and dispatches what is due, of which due names the first jobs, and reports whether there
// may be more to do at once. whole says that due names all.
func (p *partition) fire(ctx context.Context, due store.Due, whole bool) (again bool, err error) {
	f := &firing{
		partition: p, now: due.Now, read: len(due.Jobs), whole: whole,
		ready: make(chan call, 1), done: make(chan sent, 1),
	}
	f.admitted(due.Jobs)
	err = f.run(ctx)
	if errors.Is(err, store.ErrPaused) && !lostOffice(err) { // since it was read; the next look says so
		return true, nil
	}
	return f.begun, err
}

// admit leaves out the jobs that are held.
func (p *partition) admit(due []store.DueJob) []store.DueJob {
	now := p.elapsed()
	p.sweepHolds(now)
	jobs := make([]store.DueJob, 0, len(due))
	for _, j := range due {
		if !p.isHeld(j, now) {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// park takes a job that cannot be used out of the schedule. One that is not as it was seen any more is looked
// at again instead.
func (p *partition) park(ctx context.Context, seen store.Sighting, why string, cause error) error {
	if cause != nil {
		why += ": " + cause.Error()
	}
	p.log.Debug("parking a job", "job", seen.ID, "reason", why)
	call, done := p.call(ctx)
	defer done()
	parked, err := p.cfg.Store.Park(call, p.index, p.office, seen, why)
	if err != nil {
		return err
	}
	p.jobs.drop(seen.ID)
	if !parked {
		uid := noJob
		if seen.Header != nil {
			uid = seen.Header.UID
		}
		p.stumble(seen.DueJob, uid, p.elapsed(), 0)
		return nil
	}
	p.log.Error("job parked", "job", seen.ID, "reason", why)
	delete(p.held, seen.ID)
	p.cfg.Observe(Observation{Partition: p.index, Parked: 1})
	return nil
}

// parkFailed parks a job whose trigger gave an error.
func (p *partition) parkFailed(ctx context.Context, j store.DueJob, header *store.Header, cause error) error {
	if errors.Is(cause, errNoTimeLeft) {
		return p.park(ctx, store.Sighting{DueJob: j, Header: header}, errNoTimeLeft.Error(), nil)
	}
	return p.park(ctx, store.Sighting{DueJob: j, Header: header}, "its trigger failed", cause)
}

// prepare decides jobs that were read. Those that vanished, changed, or need more steps are left out of b.
func (p *partition) prepare(ctx context.Context, r *reading, now int64, b *batch) error {
	if p.unsure {
		if err := p.recall(ctx); err != nil {
			return err
		}
	}
	jobs, err := p.learn(ctx, r)
	if err != nil {
		return err
	}
	deadline := p.elapsed() + passPeriod
	spend := &budget{left: passSteps, expired: func() bool { return p.elapsed() > deadline }}
	for i, j := range r.batch {
		p.pulse.beat()
		k := jobs[i]
		if k == nil {
			continue
		}
		lineUp, ready, err := p.backlogEnded(ctx, j, k.header)
		if err != nil {
			return err
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
			p.add(b, item{due: j, job: k, decision: d}, now, lineUp)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
