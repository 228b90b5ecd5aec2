package executor

import (
	"context"
	"errors"
	"time"

	"github.com/carillon-project/carillon/store"
)

const (
	// handBackPatience bounds the attempt to give back what was fetched only.
	handBackPatience = 3 * time.Second
	// handBackCount is how many pending entries are given back in one call.
	handBackCount = 500
)

// errPaused is the verdict that the executor is paused: nothing was started.
var errPaused = errors.New("executor is paused")

// rest waits until the executor is not paused any more, or ctx ends. What was fetched stays in the pending
// list, in its order, and is read again then. Nothing is fetched meanwhile; a line that is not told of the end
// asks once in each Config.Block.
func (l *line) rest(ctx context.Context) error {
	l.log.Info("executor is paused, nothing is fetched until it is resumed")
	l.ready() // it consumes as far as it may
	tick := time.NewTicker(l.cfg.Block)
	defer tick.Stop()
	for {
		paused, err := l.queue.ExecutorPaused(ctx, l.consumer.Partition, l.cfg.Name)
		if err != nil {
			return err
		}
		if !paused {
			l.log.Info("executor is resumed")
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-l.lookNow:
		}
	}
}

// lookSoon has a line that rests look whether it still must.
func (l *line) lookSoon() {
	select {
	case l.lookNow <- struct{}{}:
	default:
	}
}

// handBack gives back what this consumer has pending, readable or not.
func (l *line) handBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handBackPatience)
	defer cancel()
	for {
		entries, err := l.queue.FetchPending(ctx, l.consumer.Partition, l.cfg.Name, l.consumer.Name, handBackCount)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := l.queue.HandBack(ctx, l.consumer, idsOf(entries)); err != nil {
			return err
		}
	}
}

func idsOf(entries []store.Fetched) []string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}
