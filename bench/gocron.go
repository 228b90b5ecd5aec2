package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"
)

// gocronSteady lets the same jobs fire in gocron, which keeps nothing and talks to nobody. It does not
// tell a run for when it was due: a run belongs to the last due time before it, and one that comes less
// than half a second before the next is taken as on time for that.
func (b *bench) gocronSteady(ctx context.Context) (r steadyRound, err error) {
	s, err := gocron.NewScheduler()
	if err != nil {
		return r, fmt.Errorf("gocron: %w", err)
	}
	defer func() { err = errors.Join(err, s.Shutdown()) }()
	first := b.after(2*time.Second, b.steadyJobs, 100*time.Microsecond).Truncate(time.Second)
	late := newLateness()
	from, to := first.Add(b.steadyWarm), first.Add(b.steadyWarm+b.steadyFor)
	var runs atomic.Int64
	for i := range b.steadyJobs {
		start := first.Add(b.phase(i))
		_, err := s.NewJob(gocron.DurationJob(time.Second), gocron.NewTask(func() {
			now := time.Now()
			if now.Before(from) || !now.Before(to) {
				return
			}
			behind := now.Sub(start) % time.Second
			if behind > time.Second/2 {
				behind = 0
			}
			late.add(behind)
			runs.Add(1)
		}), gocron.WithStartAt(gocron.WithStartDateTime(start)))
		if err != nil {
			return r, fmt.Errorf("gocron: %w", err)
		}
	}
	s.Start()
	if err := sleep(ctx, to); err != nil {
		return r, err
	}
	return steadyRound{due: b.steadyJobs * int(b.steadyFor/time.Second), once: int(runs.Load()), late: late}, nil
}
