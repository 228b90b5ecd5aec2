package scheduler

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/carillon-project/carillon/store"
)

// A process is taken for gone on two signs: a proof, or another process that is a member under its name; and
// no answer to a question. A proof alone may be wrong, when a proxy in front of the process has died, say.
const (
	// answerTime is how long a living process has to renew the leases of its runs when it is asked.
	answerTime = 400 * time.Millisecond
	// asks is how often it is asked in that time: a message of Redis may be lost.
	asks = 2
)

// aftermath is when, after runs of a process that is gone were taken, they are looked for again:
// Redis may carry out late what the process had sent, or hand an entry to a connection that it has
// not yet found closed.
var aftermath = []time.Duration{250 * time.Millisecond, 2 * time.Second}

// estate is what is left to be done about one process that seems to be gone.
type estate struct {
	consumer string
	suspects []store.Suspect // its runs, while it is asked whether it lives
	asked    int             // how often it was
	round    int             // how often it was looked through
	at       time.Duration   // local time of the next step
	failing  bool            // the last step failed
}

// recoverGone takes over from each process that seems to be gone, as soon as that is said, until ctx
// ends; an error means that the office is over. Other failures are tried again.
func (p *partition) recoverGone(ctx context.Context) error {
	known := map[string]bool{}
	members := ""
	var open []estate
	for ctx.Err() == nil {
		gone, more := p.cfg.Gone()
		replaced, now, err := p.replaced(ctx, members)
		if lostOffice(err) {
			return err
		}
		members = now
		for _, consumer := range append(gone, replaced...) {
			if !known[consumer] {
				known[consumer] = true
				open = append(open, estate{consumer: consumer})
			}
		}
		left := open[:0]
		for _, e := range open {
			if e.at <= p.elapsed() {
				err := p.step(ctx, &e)
				if lostOffice(err) {
					return err
				}
				if err != nil && !e.failing && ctx.Err() == nil {
					p.log.Warn("runs of a process that is gone not recovered, trying again", "consumer", e.consumer, "error", err)
				}
				if e.failing = err != nil; e.failing {
					e.at = p.elapsed() + retryPause
				}
			}
			if e.round <= len(aftermath) {
				left = append(left, e)
			}
		}
		open = left
		p.awaitGone(ctx, more, open, err != nil)
	}
	return nil
}

// replaced returns the processes that have runs and whose name another process has as a member: a name is
// given to one process at a time. They are looked for when this office begins, and whenever the members are
// others than those that were looked at; members is what they were, in the form that is returned.
func (p *partition) replaced(ctx context.Context, members string) (consumers []string, now string, err error) {
	living, _, sure := p.cfg.Members()
	if now = strings.Join(slices.Sorted(maps.Keys(living)), " "); !sure || now == members {
		return nil, members, nil
	}
	call, done := p.limited(ctx)
	defer done()
	owners, err := p.cfg.Store.Owners(call, p.index)
	if err != nil {
		return nil, members, err
	}
	names := map[string]bool{}
	for consumer := range living {
		names[nameOf(consumer)] = true
	}
	for _, owner := range owners {
		if names[nameOf(owner)] && !living[owner] {
			consumers = append(consumers, owner)
		}
	}
	return consumers, now, nil
}

// nameOf is the node's name in "node/boot".
func nameOf(consumer string) string {
	name, _, _ := strings.Cut(consumer, "/")
	return name
}

// awaitGone waits until more is said, the first estate is due, or, with again, a moment after a failure.
func (p *partition) awaitGone(ctx context.Context, more <-chan struct{}, open []estate, again bool) {
	var due <-chan time.Time
	if len(open) > 0 || again {
		first := p.elapsed() + retryPause
		for i, e := range open {
			if i == 0 && !again {
				first = e.at
			}
			first = min(first, e.at)
		}
		timer := time.NewTimer(first - p.elapsed())
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-more:
	case <-due:
	}
}

// step does the next thing about an estate: puts back what the process had fetched, and asks whether it lives
// if it has runs; asks again; takes the runs whose leases have not moved.
func (p *partition) step(ctx context.Context, e *estate) error {
	call, done := p.limited(ctx)
	defer done()
	switch {
	case e.asked == 0:
		if err := p.takeFetched(ctx, e.consumer); err != nil {
			return err
		}
		suspects, err := p.cfg.Store.Suspects(call, p.index, e.consumer)
		if err != nil {
			return err
		}
		if e.suspects = suspects; len(suspects) == 0 {
			e.next(p.elapsed())
			return nil
		}
		fallthrough
	case e.asked < asks:
		if err := p.cfg.Store.AskToRenew(call, p.index); err != nil {
			return err
		}
		e.asked++
		e.at = p.elapsed() + answerTime/asks
		return nil
	}
	if err := p.takeFrom(call, e.consumer, e.suspects); err != nil {
		return err
	}
	e.next(p.elapsed())
	return nil
}

// next ends a look.
func (e *estate) next(now time.Duration) {
	if e.round < len(aftermath) {
		e.at = now + aftermath[e.round]
	}
	e.round++
	e.suspects, e.asked = nil, 0
}

// takeFrom takes those of the runs of one process that it has not renewed since it was asked.
func (p *partition) takeFrom(ctx context.Context, consumer string, suspects []store.Suspect) error {
	n, err := p.cfg.Store.RecoverSuspects(ctx, p.index, p.office, suspects)
	if n > 0 {
		p.log.Warn("runs recovered, their process is gone", "consumer", consumer, "count", n)
		p.cfg.Observe(Observation{Partition: p.index, Rescued: n})
	}
	if err == nil && n < len(suspects) {
		p.log.Info("runs left to a process that seemed gone: it renewed or ended them", "consumer", consumer, "count", len(suspects)-n)
	}
	return err
}

// takeFetched puts back what the process had fetched and not started.
func (p *partition) takeFetched(ctx context.Context, consumer string) error {
	call, done := p.limited(ctx)
	defer done()
	known, err := p.cfg.Store.Registry(call)
	if err != nil {
		return err
	}
	consumers, err := p.cfg.Store.Consumers(call, p.index, known.Executors)
	if err != nil {
		return err
	}
	for _, c := range consumers {
		if c.Name != consumer {
			continue
		}
		if err := p.reclaimFrom(ctx, c, 0, true); err != nil {
			return err
		}
	}
	return nil
}
