package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

const (
	// cutPatience is how long every connection must have been refused or ended at once before it is
	// asked whether another node fares better.
	cutPatience = time.Second
	// cutAgain is the pause between two such questions.
	cutAgain = 500 * time.Millisecond
)

// noteSevered tells yield of a failure, when all there was for a while were connections that were
// refused or ended at once.
func (r *running) noteSevered(partition int, began, now time.Duration, err error) {
	if !r.health.severed(partition, cutOff(err), began, now, cutPatience) {
		return
	}
	select {
	case r.severed <- struct{}{}:
	default: // it has heard of one; the next try tells again
	}
}

// cutOff reports whether the error came from a connection that was refused, or ended by the other side:
// unlike silence it says at once that nothing can be reached.
func cutOff(err error) bool {
	for _, end := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// yield ends the office of a leader that is cut off from a store which another node reaches. When the
// store itself is away nobody reaches it and the office stays where it is; if it came back just then, a
// connection made after the other's answer finds it.
func (r *running) yield(ctx context.Context, end context.CancelCauseFunc) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-r.severed:
		}
		if err := r.isolated(ctx); err != nil {
			end(fmt.Errorf("another node reaches the store, this one has been cut off from it for %s: %w", cutPatience, err))
			return
		}
		pause(ctx, cutAgain)
	}
}

// isolated says how the store cannot be reached from here while another node reaches it, or nil.
func (r *running) isolated(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, cutPatience)
	defer done()
	if !r.cfg.Elsewhere(ctx) {
		return nil
	}
	if err := r.cfg.Store.Reach(ctx); cutOff(err) {
		return err
	}
	return nil
}
