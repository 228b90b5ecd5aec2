package scheduler

import (
	"context"
	"time"

	"github.com/carillon-project/carillon/store"
)

// hold is what is remembered of a due job that could not be done with at once.
type hold struct {
	header   store.Header  // of the job when its backlog was counted or sent
	until    time.Duration // local time before which the job is left alone
	touched  time.Duration // when it was last due
	stumbles int           // dispatches in a row that were refused
	of       string        // the incarnation of the job that they were of, or noJob
	tally    tally         // of a backlog that is being counted, for this header
	run      string        // the last run of a full message of a backlog; "" = none
	since    time.Duration // when that was dispatched
}

const (
	newerPause    = time.Second           // until a record of a newer format is looked at again
	heldPoll      = 50 * time.Millisecond // while held jobs hide the next run time
	fewHeld       = 100
	longestPause  = time.Second            // between tries of a job that is refused
	backlogPoll   = 250 * time.Millisecond // between looks whether a backlog's runs have ended
	backlogWait   = time.Minute            // until the next runs of a backlog are lined up anyway
	holdLife      = 2 * time.Minute        // of a hold whose job is due no more
	backlogLife   = time.Hour              // the same of one with a backlog: the schedule may be paused
	holdSweep     = 10 * time.Second
	firstStumbles = 2 // refusals that are usual: a job was edited just then
)

// noJob stands for the uid of a job that is not there, though its id is in the schedule.
const noJob = ""

// isHeld reports whether a due job is to be left alone for now.
func (p *partition) isHeld(j store.DueJob, now time.Duration) bool {
	h := p.held[j.ID]
	if h == nil {
		return false
	}
	h.touched = now
	return now < h.until
}

// pauseOfNewer is how long to leave jobs of a newer format alone: a thousand are looked at per second at most.
func (p *partition) pauseOfNewer() time.Duration {
	return newerPause * time.Duration(1+len(p.held)/1000)
}

// keep returns the hold of a due job, and makes it if need be.
func (p *partition) keep(j store.DueJob, now time.Duration) *hold {
	h := p.held[j.ID]
	if h == nil {
		h = &hold{}
		p.held[j.ID] = h
	}
	h.touched = now
	return h
}

// stumbles is how many dispatches in a row of one incarnation of the job were refused.
func (p *partition) stumbles(j store.DueJob, uid string) int {
	if h := p.held[j.ID]; h != nil && h.of == uid {
		return h.stumbles
	}
	return 0
}

// stumble notes that a dispatch of one incarnation of the job was refused. Early refusals are repeated at
// once with what is read afresh, further ones after growing pauses.
func (p *partition) stumble(j store.DueJob, uid string, now, atLeast time.Duration) {
	h := p.keep(j, now)
	h.tally = tally{}
	h.stumbles, h.of = p.stumbles(j, uid), uid
	h.stumbles++
	wait := atLeast
	if over := h.stumbles - firstStumbles; over > 0 {
		wait = max(wait, min(time.Millisecond<<min(over, 10), longestPause))
	}
	h.until = now + wait
}

// tallyOf returns how far the job's backlog has been counted.
func (p *partition) tallyOf(j store.DueJob, header store.Header) tally {
	if h := p.held[j.ID]; h != nil && h.header == header {
		return h.tally
	}
	return tally{}
}

// heldUntil returns the time of Redis at which the first hold ends. Held jobs hide the run times
// behind them, hence it is never far.
func (p *partition) heldUntil(ctx context.Context, now int64) int64 {
	until, local := now+heldPoll.Milliseconds(), p.elapsed()
	if len(p.held) > fewHeld { // to read them all is dear: ask what they hide
		call, done := p.call(ctx)
		defer done()
		if next, err := p.cfg.Store.NextAfter(call, p.index, now); err == nil && next != 0 {
			until = next
		} else if err == nil {
			until = now + p.cfg.Nap.Milliseconds()
		}
	}
	for _, h := range p.held {
		if h.until > local {
			until = min(until, p.clock.redis(h.until)+1)
		}
	}
	return max(until, now+1)
}

// sweepHolds forgets holds of jobs that have not been due for long.
func (p *partition) sweepHolds(now time.Duration) {
	if len(p.held) == 0 || now-p.swept < holdSweep {
		return
	}
	p.swept = now
	for id, h := range p.held {
		if h.run == "" && now-h.touched > holdLife || now-h.touched > backlogLife {
			delete(p.held, id)
		}
	}
}
