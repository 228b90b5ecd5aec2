package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

const (
	benchEnqueuers = 16   // goroutines that enqueue
	benchAdders    = 64   // goroutines that add jobs
	benchBulk      = 1000 // runs a call of an enqueue in bulk
)

// benchEnqueue enqueues runs one by one, then in bulk.
func benchEnqueue(ctx context.Context, s *benchStage, f benchFlags) (benchResult, error) {
	one, err := s.share(ctx, "one by one", benchEnqueuers, f.runs, func(ctx context.Context, _ int) error {
		_, err := s.client.Enqueue(ctx, benchTask, nil)
		return err
	})
	if err != nil {
		return benchResult{}, err
	}
	calls := (f.runs + benchBulk - 1) / benchBulk
	bulk, err := s.share(ctx, "in bulk", benchEnqueuers, calls, func(ctx context.Context, i int) error {
		_, err := s.client.EnqueueMany(ctx, benchTask, make([]any, min(benchBulk, f.runs-i*benchBulk)))
		return err
	})
	return benchResult{Work: "enqueue", OneByOne: rateOf(f.runs, one), Bulk: rateOf(f.runs, bulk)}, err
}

// benchBurst runs jobs that are all due at once.
func benchBurst(ctx context.Context, s *benchStage, f benchFlags) (r benchResult, err error) {
	var ran atomic.Int64
	all := make(chan struct{})
	s.node.AddListener(carillon.Mask(job.JobExecuted), func(carillon.Event) {
		if ran.Add(1) == int64(f.jobs) {
			close(all)
		}
	})
	if err := s.start(ctx); err != nil {
		return r, err
	}
	if err := s.client.Pause(ctx, carillon.Because("carillon bench stores its jobs")); err != nil {
		return r, err
	}
	due := s.app.now()
	stored, err := s.share(ctx, "storing", benchAdders, f.jobs, func(ctx context.Context, i int) error {
		_, err := s.client.AddJob(ctx, carillon.Job{ID: "job-" + strconv.Itoa(i), Task: benchTask, Trigger: carillon.At(due)})
		return err
	})
	if err != nil {
		return r, err
	}
	stop := s.app.showProgress("running", f.jobs, func() int { return int(ran.Load()) })
	defer stop()
	began := s.app.now()
	if err := s.client.Resume(ctx); err != nil {
		return r, err
	}
	timer := time.NewTimer(benchWaiting + time.Duration(f.jobs)*time.Millisecond)
	defer timer.Stop()
	select {
	case <-all:
	case <-ctx.Done():
		return r, context.Cause(ctx)
	case <-timer.C:
		return r, fmt.Errorf("%d of %d runs have not ended; is another program busy on this Redis?", f.jobs-int(ran.Load()), f.jobs)
	}
	return benchResult{Work: "burst", Stored: rateOf(f.jobs, stored), Ran: rateOf(f.jobs, s.app.now().Sub(began))}, nil
}

// lateRuns is how late each due time of a steady schedule started.
type lateRuns struct {
	mu   sync.Mutex
	from time.Time
	to   time.Time
	due  int
	ran  map[string]bool // by run id
	late []time.Duration
	all  chan struct{}
}

// note counts a run for a due time, that started so late.
func (l *lateRuns) note(run string, due time.Time, late time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if due.Before(l.from) || !due.Before(l.to) || l.ran[run] {
		return
	}
	l.ran[run] = true
	l.late = append(l.late, late)
	if len(l.late) == l.due {
		close(l.all)
	}
}

func (l *lateRuns) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.late)
}

// benchSteady runs jobs that are due once a second each.
func benchSteady(ctx context.Context, s *benchStage, f benchFlags) (r benchResult, err error) {
	if err := s.start(ctx); err != nil {
		return r, err
	}
	ahead, err := clockAhead(ctx, s.admin, s.app.now)
	if err != nil {
		return r, err
	}
	// The jobs are stored while the schedule is paused; what they miss until then is not measured.
	if err := s.client.Pause(ctx, carillon.Because("carillon bench stores its jobs")); err != nil {
		return r, err
	}
	phase := s.app.now().Add(ahead).Truncate(time.Second)
	_, err = s.share(ctx, "storing", benchAdders, f.jobs, func(ctx context.Context, i int) error {
		start := phase.Add(time.Second * time.Duration(i) / time.Duration(f.jobs)).Truncate(time.Millisecond)
		_, err := s.client.AddJob(ctx, carillon.Job{ID: "job-" + strconv.Itoa(i), Task: benchTask, Trigger: fmt.Appendf(nil,
			`{"type":"interval","every":"1s","start_date":%q}`, start.UTC().Format(time.RFC3339Nano))})
		return err
	})
	if err != nil {
		return r, err
	}
	from := s.app.now().Add(ahead + 3*time.Second).Truncate(time.Second)
	l := &lateRuns{from: from, to: from.Add(f.length), due: f.jobs * int(f.length/time.Second), ran: map[string]bool{}, all: make(chan struct{})}
	s.node.AddListener(carillon.Mask(job.JobStarted), func(e carillon.Event) {
		l.note(e.RunID, e.ScheduledTime, s.app.now().Add(ahead).Sub(e.ScheduledTime))
	})
	if err := s.client.Resume(ctx); err != nil {
		return r, err
	}
	stop := s.app.showProgress("running", l.due, l.count)
	defer stop()
	timer := time.NewTimer(l.to.Sub(s.app.now().Add(ahead)) + benchWaiting)
	defer timer.Stop()
	select {
	case <-l.all:
	case <-timer.C: // what has not come is in the answer
	case <-ctx.Done():
		return r, context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return benchResult{Work: "steady", Jobs: f.jobs, Steady: steadyOf(l.due, l.late)}, nil
}

// clockAhead is how far the clock of Redis is ahead of the local one, as the quickest of some answers
// tells.
func clockAhead(ctx context.Context, c redis.UniversalClient, now func() time.Time) (time.Duration, error) {
	var ahead time.Duration
	quickest := time.Hour
	for range 10 {
		asked := now()
		at, err := c.Time(ctx).Result()
		if err != nil {
			return 0, fmt.Errorf("ask Redis for its time: %w", err)
		}
		if took := now().Sub(asked); took < quickest {
			quickest, ahead = took, at.Sub(asked.Add(took/2))
		}
	}
	return ahead, nil
}

// share calls f for 0 to n-1 from some goroutines, shows how far it is, and returns how long it took. It
// ends with the first error.
func (s *benchStage) share(ctx context.Context, what string, goroutines, n int, f func(ctx context.Context, i int) error) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	stop := s.app.showProgress(what, n, func() int { return min(int(next.Load()), n) })
	defer stop()
	began := s.app.now()
	var workers sync.WaitGroup
	for range goroutines {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return s.app.now().Sub(began), context.Cause(ctx)
}
