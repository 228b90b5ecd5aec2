package scheduler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/carillon-project/carillon/store"
)

const (
	// firingJobs is how many jobs are taken up before the rest of a pass has its turn again.
	firingJobs = 16_000
	// firingPage is how many more due jobs are read at a time.
	firingPage = 2_000
	// readAhead is how many batches are read at a time: one is decided when it has come, and the next
	// is on its way.
	readAhead = 2
)

// firing is one call of fire: stages that overlap, since at each of them Redis makes one wait. While one
// dispatch is under way the next is written and waits, and jobs behind those are read. Dispatches go one
// after another, so that runs stand in the streams in the order in which they are due.
type firing struct {
	*partition
	now   int64          // the time of Redis that is decided by
	jobs  []store.DueJob // read and not taken up
	last  store.DueJob   // the last that was read
	whole bool           // no more are to be read
	read  int            // how many jobs were
	taken int            // how many of those were not held
	tied  int            // how many were held and have the run time of last: they are still there
	gone  int            // how many of those are settled, or were left out
	begun bool           // some were not

	page     *page           // of jobs, on its way
	readings []*reading      // of batches, the oldest first
	found    [][]store.Found // of readings that are done with
	spare    []*batch        // settled ones

	ready chan call
	done  chan sent
	err   error // of what was sent
}

// call is a part of a batch that is written.
type call struct {
	batch      *batch
	items      []item
	dispatches []store.Dispatch
	write      *store.PreparedDispatch
}

// sent is what became of a call.
type sent struct {
	call
	answers []store.Dispatched // one per item, or none after a failure
	at      time.Duration      // local time of the answer
	err     error
}

// run goes through all jobs. Nothing that it began is under way when it returns.
func (f *firing) run(ctx context.Context) error {
	var sender sync.WaitGroup
	sender.Go(func() { f.sendAll(ctx) })
	err := f.prepareAll(ctx)
	close(f.ready)
	for s := range f.done {
		f.take(s)
	}
	sender.Wait()
	for _, r := range f.readings {
		<-r.done
	}
	if f.page != nil {
		<-f.page.done
	}
	return errors.Join(err, f.err)
}

// prepareAll decides and writes batches until there are no more, or something fails.
func (f *firing) prepareAll(ctx context.Context) error {
	for f.err == nil {
		if err := f.fill(ctx); err != nil {
			return err
		}
		if len(f.readings) == 0 {
			return nil
		}
		r := f.readings[0]
		f.readings = f.readings[1:]
		<-r.done
		b := take(&f.spare)
		if b == nil {
			b = new(batch)
		}
		if err := f.prepare(ctx, r, f.now, b); err != nil {
			return err
		}
		clear(r.found)
		f.found = append(f.found, r.found[:0])
		f.gone += len(r.batch) - len(b.items)
		b.parts++ // until all is written
		for from := 0; from < len(b.items); {
			n := fitting(b.items[from:])
			b.parts++
			f.hand(f.written(b, from, from+n))
			from += n
		}
		f.settled(b)
	}
	return nil
}

// fill has batches read ahead, as far as there are jobs.
func (f *firing) fill(ctx context.Context) error {
	for len(f.readings) < readAhead {
		if len(f.jobs) <= store.MaxDispatch && f.page == nil && !f.whole {
			f.page = f.turn(ctx)
		}
		if len(f.jobs) == 0 {
			if f.page == nil || len(f.readings) > 0 && !f.page.here() {
				return nil
			}
			if err := f.takeUp(); err != nil {
				return err
			}
			continue
		}
		f.begun = true
		n := min(len(f.jobs), store.MaxDispatch)
		f.readings = append(f.readings, f.begin(ctx, f.jobs[:n], take(&f.found)))
		f.jobs = f.jobs[n:]
	}
	return nil
}

// page is a read of further due jobs.
type page struct {
	done chan struct{} // closes when the rest is there
	jobs []store.DueJob
	more bool
	err  error
}

func (p *page) here() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// turn begins to read the jobs behind the last that was read.
func (f *firing) turn(ctx context.Context) *page {
	p := &page{done: make(chan struct{})}
	last, left := f.last, f.read-f.gone+f.tied
	ctx, done := f.call(ctx)
	go func() {
		defer close(p.done)
		defer done()
		p.jobs, p.more, p.err = f.cfg.Store.DueAfter(ctx, f.index, last, f.now, left, firingPage)
	}()
	return p
}

// takeUp waits for the page and takes up its jobs.
func (f *firing) takeUp() error {
	p := f.page
	<-p.done
	f.page = nil
	if p.err != nil {
		return p.err
	}
	f.read += len(p.jobs)
	f.pulse.beat()
	f.admitted(p.jobs)
	f.whole = !p.more || len(p.jobs) == 0 || f.taken >= firingJobs
	return nil
}

// admitted takes up jobs that were read, but for those that are held: they count neither as work nor as gone
// through, so that they hide nothing behind them.
func (f *firing) admitted(jobs []store.DueJob) {
	f.jobs = f.admit(jobs)
	f.taken += len(f.jobs)
	f.gone += len(jobs) - len(f.jobs)
	if len(jobs) == 0 {
		return
	}
	last := jobs[len(jobs)-1]
	if last.RunTime != f.last.RunTime || last.Score != f.last.Score {
		f.tied = 0
	}
	f.last = last
	now := f.elapsed()
	for i := len(jobs) - 1; i >= 0 && jobs[i].RunTime == last.RunTime; i-- {
		if f.isHeld(jobs[i], now) {
			f.tied++
		}
	}
}

// take takes one of what is used again, or returns the zero value.
func take[T any](from *[]T) (one T) {
	if n := len(*from); n > 0 {
		one, *from = (*from)[n-1], (*from)[:n-1]
	}
	return one
}

// settled notes that a part of a batch was settled; after the last the batch is used again.
func (f *firing) settled(b *batch) {
	if b.parts--; b.parts == 0 {
		b.empty()
		f.spare = append(f.spare, b)
	}
}

// written is a call that dispatches a part of a batch.
func (f *firing) written(b *batch, from, to int) call {
	jobs := b.dispatches[from:to]
	return call{b, b.items[from:to], jobs, f.cfg.Store.PrepareDispatch(f.index, f.office, jobs)}
}

// hand gives a call to the sender, and takes what that has done meanwhile.
func (f *firing) hand(c call) {
	for {
		select {
		case f.ready <- c:
			return
		case s := <-f.done:
			f.take(s)
		}
	}
}

// take notes what became of a call.
func (f *firing) take(s sent) {
	f.gone += len(s.items)
	f.err = errors.Join(f.err, s.err)
	f.settle(s)
	f.settled(s.batch)
}

// sendAll sends calls until there are no more; after a failure it only takes them.
func (f *firing) sendAll(ctx context.Context) {
	defer close(f.done)
	failed := false
	for c := range f.ready {
		s := sent{call: c}
		if !failed {
			call, done := f.call(ctx)
			s.answers, s.err = c.write.Send(call)
			done()
			failed, s.at = s.err != nil, f.elapsed()
		}
		f.done <- s
	}
}
