package scheduler

import (
	"context"
	"sync/atomic"
	"time"
)

// watchdogLooks is how often the watchdog must find a loop where it was before it calls it stalled.
// It counts its own looks rather than time: a process that was stopped as a whole, and goes on, has
// looked once.
const watchdogLooks = 8

// pulse counts the steps of a partition's loop. Its zero value is ready.
type pulse struct{ steps atomic.Int64 }

func (p *pulse) beat() { p.steps.Add(1) }

// watchdog tells Config.Stalled, once, of a partition whose loop has made no step for as long as
// Config.Stall and the longest call of the store, until ctx ends.
func (r *running) watchdog(ctx context.Context) {
	if r.cfg.Stall == 0 {
		return
	}
	whole := r.cfg.Stall + longestCall
	tick := time.NewTicker(whole / watchdogLooks)
	defer tick.Stop()
	seen := make([]struct {
		steps int64
		looks int
	}, len(r.partitions))
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i, p := range r.partitions {
			s := &seen[i]
			if steps := p.pulse.steps.Load(); steps != s.steps {
				s.steps, s.looks = steps, 0
				continue
			}
			if s.looks++; s.looks == watchdogLooks {
				r.log.Error("the loop of a partition has stalled", "partition", p.index, "for", whole)
				r.cfg.Stalled(p.index, whole)
				return
			}
		}
	}
}

// call bounds one call to the store that the loop waits for, and is a step of it.
func (p *partition) call(ctx context.Context) (context.Context, context.CancelFunc) {
	p.pulse.beat()
	return p.limited(ctx)
}
