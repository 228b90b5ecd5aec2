package scheduler

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// partition is the loop of one partition. Its fields belong to the goroutine of run; the
// housekeeping beside it uses only what running holds.
type partition struct {
	*running
	index    int
	log      hclog.Logger
	mail     *mailbox
	clock    clock
	jobs     *cache[*known]
	triggers *cache[trigger.Trigger]
	alike    map[int64]*terms // by store.Record.Alike
	// calendars are as they were at their version; review is how far their last change has been followed.
	calendars store.Calendars
	review    review
	rezone    rezone
	held      map[string]*hold
	unsure    bool // whether a backlog that goes on may be missing in held
	swept     time.Duration
	pulse     pulse // for the watchdog
	trust     trust // of leases that seem to have ended
	// excess is by how much a lease may lie ahead before it is clamped, 0 = nothing to clamp now.
	excess time.Duration
}

const (
	stuckPause   = 250 * time.Millisecond // before trying again what is due and did not move
	utmostPage   = 6_500                  // of a look, with held jobs; beyond some 7,900 a script cannot
	promoteLimit = 500
	recoverLimit = 100
)

// run takes office and works until ctx ends or the office is over, and returns why.
func (p *partition) run(ctx context.Context) error {
	if err := p.takeOffice(ctx); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var beside sync.WaitGroup
	defer beside.Wait()
	for _, part := range []func(context.Context) error{p.keepHouse, p.doChores, p.recoverGone} {
		beside.Go(func() {
			if err := part(ctx); err != nil {
				end(err)
			}
		})
	}
	for ctx.Err() == nil {
		p.pulse.beat()
		p.mail.take()
		began := p.elapsed()
		target, err := p.pass(ctx)
		switch over := p.judge(ctx, began, err); {
		case over != nil:
			end(over)
		case err == nil && target != 0:
			p.mail.sleep(ctx, p.clock.local(target)-p.elapsed(), target)
		}
	}
	return context.Cause(ctx)
}

// takeOffice tries until Redis answers.
func (p *partition) takeOffice(ctx context.Context) error {
	for ctx.Err() == nil {
		began := p.elapsed()
		call, done := p.call(ctx)
		err := p.cfg.Store.TakeOffice(call, p.index, p.office)
		done()
		if err == nil {
			p.health.ok(p.index)
			p.rezone = rezone{pending: p.office.Zones != ""}
			p.log.Info("office taken")
			return nil
		}
		if over := p.judge(ctx, began, err); over != nil {
			return over
		}
	}
	return context.Cause(ctx)
}

// judge looks at the error of what was begun at a local time: what it returns ends the office.
// Otherwise it has waited a little after a failure.
func (p *partition) judge(ctx context.Context, began time.Duration, err error) (over error) {
	switch {
	case err == nil:
		if p.health.ok(p.index) {
			p.log.Info("partition answers again", "recovery_waits", p.cfg.Lease)
		}
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case lostOffice(err):
		return err
	}
	now := p.elapsed()
	p.trust.doubt(now)
	first, hopeless := p.health.failed(p.index, began, now)
	if first {
		p.log.Warn("partition does not answer, trying again", "error", err)
	}
	p.noteSevered(p.index, began, now, err)
	if hopeless {
		return fmt.Errorf("no partition has answered for %s: %w", p.cfg.Patience, err)
	}
	pause(ctx, retryPause)
	return nil
}

// pass does everything that is due, once, and returns the time of Redis to sleep until; 0 = there
// is more to do at once.
func (p *partition) pass(ctx context.Context) (target int64, err error) {
	limit := min(store.MaxDispatch+len(p.held), utmostPage)
	due, err := p.look(ctx, limit)
	if err != nil {
		return 0, err
	}
	again := false
	if !due.Paused && len(due.Jobs) > 0 {
		if again, err = p.fire(ctx, due, len(due.Jobs) < limit); err != nil {
			return 0, err
		}
	}
	moved, err := p.promote(ctx, due)
	if err != nil {
		return 0, err
	}
	if err := p.clampLeases(ctx); err != nil {
		return 0, err
	}
	taken, err := p.recoverExpired(ctx, due)
	if err != nil {
		return 0, err
	}
	reviewed, err := p.followCalendars(ctx, due)
	if err != nil {
		return 0, err
	}
	rezoned, err := p.followZones(ctx, due)
	if err != nil {
		return 0, err
	}
	if again || moved || taken || reviewed || rezoned {
		return 0, nil
	}
	target = p.nap(ctx, due)
	p.foresee(ctx, due, target)
	return target, nil
}

// look reads up to limit jobs that are due, and learns the time of Redis from it.
func (p *partition) look(ctx context.Context, limit int) (store.Due, error) {
	call, done := p.call(ctx)
	defer done()
	sent := p.elapsed()
	due, err := p.cfg.Store.Due(call, p.index, limit)
	if err != nil {
		return store.Due{}, err
	}
	received := p.elapsed()
	if gap := p.trust.answered(received); gap > 0 {
		p.log.Warn("redis may have been away, recovery waits", "for", gap, "recovery_waits", p.cfg.Lease)
	}
	if due.Known > due.Sequence {
		if err := p.noteRolledBack(call, due); err != nil {
			return store.Due{}, err
		}
	}
	if p.clock.observe(sent, received, due.Now) {
		p.log.Warn("the clock of Redis was set, recovery waits", "redis_time", time.UnixMilli(due.Now).UTC(), "recovery_waits", p.cfg.Lease)
		p.trust.doubt(received)
		p.excess = p.cfg.Lease
	}
	return due, p.seeCalendars(ctx, due)
}

// noteRolledBack says that Redis has lost its latest writes, such as the end of its append-only file.
func (p *partition) noteRolledBack(ctx context.Context, due store.Due) error {
	first, err := p.cfg.Store.NoteRolledBack(ctx, p.index, p.office, due)
	if err != nil || !first {
		return err
	}
	p.log.Error("store_rolled_back: redis has lost its latest writes, going on", "dispatches_lost", due.Known-due.Sequence,
		"remedy", "CONFIG SET appendfsync always loses none")
	p.cfg.Observe(Observation{Partition: p.index, RolledBack: 1})
	p.cfg.Listen(job.Event{
		Kind: job.StoreRolledBack, Time: time.UnixMilli(due.Now).UTC(), Store: p.cfg.Store.Name(), Node: p.cfg.Node, Term: p.office.Term,
	})
	return nil
}

// promote sends delayed runs whose time has come.
func (p *partition) promote(ctx context.Context, due store.Due) (more bool, err error) {
	if due.NextDelayed == 0 || due.NextDelayed > due.Now {
		return false, nil
	}
	call, done := p.call(ctx)
	defer done()
	held, err := p.holdUnserved(call, due)
	if err != nil {
		return false, err
	}
	n, err := p.cfg.Store.PromoteDelayed(call, p.index, p.office, due.Now, promoteLimit)
	if n > 0 && err == nil {
		p.cfg.Observe(Observation{Partition: p.index, Promoted: n})
	}
	return n > 0 || held, err
}

// recoverExpired takes runs whose leases have ended from their nodes.
func (p *partition) recoverExpired(ctx context.Context, due store.Due) (more bool, err error) {
	if due.NextLease == 0 || due.NextLease > due.Now || !p.trust.holds(p.elapsed()) {
		return false, nil
	}
	call, done := p.call(ctx)
	defer done()
	n, err := p.cfg.Store.RecoverExpired(call, p.index, p.office, due.Now, recoverLimit)
	if n > 0 {
		p.log.Warn("runs recovered, their leases had ended", "count", n)
		p.cfg.Observe(Observation{Partition: p.index, Recovered: n})
	}
	return n > 0, err
}

// clampLeases shortens what a clock of Redis that was ahead has left in the future: for so long the
// runs of a node that is gone would not be recovered.
func (p *partition) clampLeases(ctx context.Context) error {
	if p.excess == 0 {
		return nil
	}
	call, done := p.call(ctx)
	defer done()
	n, err := p.cfg.Store.ClampLeases(call, p.index, p.office, p.excess)
	if err != nil {
		return err
	}
	p.excess = 0
	if n > 0 {
		p.log.Warn("leases that lay ahead were shortened", "count", n)
	}
	return nil
}

// nap returns until when there is nothing to do: the earliest of what Redis knows, and of what is
// held here. What is due and did not move is tried again after a pause.
func (p *partition) nap(ctx context.Context, due store.Due) int64 {
	target := due.Now + min(p.cfg.Nap, p.cfg.Lease/6).Milliseconds() // often enough to notice an outage
	soon := due.Now + stuckPause.Milliseconds()
	if due.NextRun > due.Now {
		target = min(target, due.NextRun)
	} else if due.NextRun != 0 {
		target = min(target, p.heldUntil(ctx, due.Now))
	}
	if due.NextDelayed > due.Now {
		target = min(target, due.NextDelayed)
	} else if due.NextDelayed != 0 {
		target = min(target, soon)
	}
	if due.NextLease != 0 {
		lease := max(due.NextLease, p.clock.redis(p.trust.from)+1)
		if lease <= due.Now {
			lease = soon
		}
		target = min(target, lease)
	}
	return target
}
