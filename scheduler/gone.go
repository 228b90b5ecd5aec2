package scheduler

import (
	"context"
	"time"
)

// aftermath is when, after runs of a process that is gone were taken, they are looked for again:
// Redis may carry out late what the process had sent, or hand an entry to a connection that it has
// not yet found closed.
var aftermath = []time.Duration{250 * time.Millisecond, 2 * time.Second}

// estate is what is left to be done about one process that is proven gone.
type estate struct {
	consumer string
	round    int           // how often it was looked through
	at       time.Duration // local time of the next look
	failing  bool          // the last look failed
}

// recoverGone takes over from each process that is proven gone, as soon as that is said, until ctx
// ends; an error means that the office is over. Other failures are tried again.
func (p *partition) recoverGone(ctx context.Context) error {
	known := map[string]bool{}
	var open []estate
	for ctx.Err() == nil {
		gone, more := p.cfg.Gone()
		for _, consumer := range gone {
			if !known[consumer] {
				known[consumer] = true
				open = append(open, estate{consumer: consumer})
			}
		}
		left := open[:0]
		for _, e := range open {
			if e.at <= p.elapsed() {
				err := p.takeFrom(ctx, e.consumer)
				if lostOffice(err) {
					return err
				}
				if err != nil && !e.failing && ctx.Err() == nil {
					p.log.Warn("runs of a process that is gone not recovered, trying again", "consumer", e.consumer, "error", err)
				}
				e = e.next(p.elapsed(), err)
			}
			if e.round <= len(aftermath) {
				left = append(left, e)
			}
		}
		open = left
		p.awaitGone(ctx, more, open)
	}
	return nil
}

// next is what follows a look.
func (e estate) next(now time.Duration, err error) estate {
	if e.failing = err != nil; e.failing {
		e.at = now + retryPause
		return e
	}
	if e.round < len(aftermath) {
		e.at = now + aftermath[e.round]
	}
	e.round++
	return e
}

// awaitGone waits until more is said or the first estate is due.
func (p *partition) awaitGone(ctx context.Context, more <-chan struct{}, open []estate) {
	var due <-chan time.Time
	if len(open) > 0 {
		first := open[0].at
		for _, e := range open {
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

// takeFrom takes the runs of one process from it, leases or not, and puts back what it had fetched.
func (p *partition) takeFrom(ctx context.Context, consumer string) error {
	call, done := p.limited(ctx)
	defer done()
	n, err := p.cfg.Store.RecoverNode(call, p.index, p.office, consumer)
	if n > 0 {
		p.log.Warn("runs recovered, their process is gone", "consumer", consumer, "count", n)
		p.cfg.Observe(Observation{Partition: p.index, Rescued: n})
	}
	if err != nil {
		return err
	}
	return p.takeFetched(ctx, consumer)
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
