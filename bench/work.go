package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience is how long a measurement may take at most.
const patience = 5 * time.Minute

// loaders is how many goroutines store what is measured later.
const loaders = 64

// counter counts what happens and tells when all has.
type counter struct {
	left atomic.Int64
	done chan struct{}
	once sync.Once
}

func newCounter(n int) *counter {
	c := &counter{done: make(chan struct{})}
	c.left.Store(int64(n))
	return c
}

func (c *counter) add() {
	if c.left.Add(-1) == 0 {
		c.once.Do(func() { close(c.done) })
	}
}

// wait waits until all has happened, or says how much has not.
func (c *counter) wait(ctx context.Context, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return fmt.Errorf("after %s, %d runs are missing", limit, c.left.Load())
	}
}

// share calls f for 0 to n-1 from so many goroutines, and returns how long all of it took.
func share(ctx context.Context, goroutines, n int, f func(ctx context.Context, i int) error) (time.Duration, error) {
	began := time.Now()
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range goroutines {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := f(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	err := g.Wait()
	return time.Since(began), err
}

// sleep waits until t, or returns why ctx ended.
func sleep(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// perSecond is a rate.
func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

// millis is a duration in ms.
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
