package carillon

import (
	"context"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/store"
)

// RunAt lets an Enqueue run at t and not before; a time that has passed means now. The run's
// scheduled time is t. It needs a leader to be sent on, and may be cancelled until it starts.
func RunAt(t time.Time) CallOption { return func(c *call) { c.at, c.after = t, 0 } }

// RunAfter is RunAt for a time so long after the call, by the clock of Redis.
func RunAfter(d time.Duration) CallOption { return func(c *call) { c.at, c.after = time.Time{}, d } }

// IdempotencyKeyFor makes an Enqueue with the same key and task within life return the run of the
// first, whatever its other options. Of a run for later, life counts from its time. At least ten
// minutes are kept. After that the key is free, and makes a run of the same id.
func IdempotencyKeyFor(key string, life time.Duration) CallOption {
	return func(c *call) { c.key, c.keyLife = key, life }
}

// settle turns what the options say of time into at, and returns it in ms; 0 means now.
func (c *call) settle(ctx context.Context, s *store.Store) (at int64, err error) {
	if c.key != "" && c.keyLife <= 0 {
		return 0, fmt.Errorf("carillon: enqueue: the life of an idempotency key, %s, must be positive", c.keyLife)
	}
	if c.after <= 0 && c.at.IsZero() {
		return 0, nil
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return 0, err
	}
	if c.after > 0 {
		c.at = time.UnixMilli(now).Add(c.after)
	}
	at = ceilMillis(c.at)
	if at > now {
		c.keyLife += time.Duration(at-now) * time.Millisecond
	}
	return at, nil
}
