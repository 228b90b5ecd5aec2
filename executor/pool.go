package executor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Pool is one executor of one node. Its methods are safe for concurrent use.
type Pool struct {
	cfg     Config
	lines   []*line
	slots   slots
	tally   tally
	busy    atomic.Int64
	unready atomic.Int64
	ready   chan struct{}
	ran     atomic.Bool
}

// New makes an executor that does nothing until Run. The error lists every fault of cfg.
func New(cfg Config) (*Pool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := newPool(cfg)
	for _, s := range cfg.Stores {
		for partition := range s.Partitions() {
			p.lines = append(p.lines, newLine(p, len(p.lines), s.Name(), s, partition))
		}
	}
	p.slots.init(p.cfg.Concurrency, len(p.lines), p.cfg.Now)
	return p, nil
}

func newPool(cfg Config) *Pool {
	p := &Pool{cfg: cfg.withDefaults(), ready: make(chan struct{})}
	p.tally.zero = make(chan struct{})
	p.slots.init(p.cfg.Concurrency, 1, p.cfg.Now)
	return p
}

// Busy is how many handlers run now.
func (p *Pool) Busy() int { return int(p.busy.Load()) }

// Ready returns a channel that closes when every partition of every store is consumed. It never
// closes before Run.
func (p *Pool) Ready() <-chan struct{} { return p.ready }

// RenewNow renews all leases soon instead of when it is their time, and so learns of requests to
// cancel runs. It does not wait.
func (p *Pool) RenewNow() {
	for _, l := range p.lines {
		l.renewSoon()
	}
}

// LookNow has readers that wait for the end of a pause of the executor look soon whether it is over,
// instead of within Config.Block. It does not wait.
func (p *Pool) LookNow() {
	for _, l := range p.lines {
		l.lookSoon()
	}
}

// Run fetches, starts and runs until ctx ends. Then it fetches no more, gives back what has not
// started and waits for the handlers, with what follows them in their slots. When drain ends too,
// it ends the contexts of the handlers that still run, hands their runs to other nodes and waits
// for them, but not longer than Grace. A reader that is waiting for work takes up to
// Config.Block, and two seconds when the store does not answer, to notice that ctx has ended, and
// outcomes are reported until the store takes or refuses them, or Grace has passed after the end of drain.
//
// The contexts of handlers carry the values of ctx. An executor runs once: another call fails. The
// error is nil otherwise.
func (p *Pool) Run(ctx, drain context.Context) error {
	if !p.ran.CompareAndSwap(false, true) {
		return fmt.Errorf("executor %q: run: it has run before", p.cfg.Name)
	}
	work, force := context.WithCancelCause(context.WithoutCancel(ctx))
	defer force(nil)
	keep, done := context.WithCancel(context.WithoutCancel(ctx))
	report, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	p.unready.Store(int64(len(p.lines)))
	p.tally.add(len(p.lines))
	var all sync.WaitGroup
	for _, l := range p.lines {
		all.Go(func() { l.consume(ctx, work) })
		all.Go(func() { l.renew(keep) })
		all.Go(func() { l.finish(keep, work, report) })
	}
	<-ctx.Done()
	select {
	case <-p.tally.zero:
	case <-drain.Done():
		force(ErrShutdown)
		p.awaitGrace(giveUp)
	}
	done()
	all.Wait()
	return nil
}

// awaitGrace waits for everything that Run waits for, but for the handlers, and for reports that the store does not
// take, only as long as Grace.
func (p *Pool) awaitGrace(giveUp func()) {
	timer := time.NewTimer(p.cfg.Grace)
	defer timer.Stop()
	for {
		select {
		case <-p.tally.zero:
			return
		case <-timer.C:
			p.abandon()
			giveUp()
		}
	}
}

// abandon leaves the handlers that ignore their contexts behind.
func (p *Pool) abandon() {
	for _, l := range p.lines {
		for _, a := range l.leases.abandon() {
			l.log.Error("handler ignores the end of its context and is left behind; its run is left to recovery",
				"run", a.msg.Runs[0].ID, "job", a.msg.JobID, "task", a.msg.Task, "attempt", a.msg.Attempt)
			p.tally.done()
		}
	}
}
