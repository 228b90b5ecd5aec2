package carillon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// idempotencyLife is how long an idempotency key is remembered.
const idempotencyLife = 24 * time.Hour

// RunAt lets an Enqueue run at t and not before; a time that has passed means now. The run's
// scheduled time is t. It needs a leader to be sent on, and may be cancelled until it starts.
func RunAt(t time.Time) CallOption { return func(c *call) { c.at, c.after = t, 0 } }

// RunAfter is RunAt for a time so long after the call, by the clock of Redis.
func RunAfter(d time.Duration) CallOption { return func(c *call) { c.at, c.after = time.Time{}, d } }

// IdempotencyKeyFor makes an Enqueue with the same key and task within life return the run of the
// first, whatever its other options. Of a run for later, life counts from its time. At least ten
// minutes are kept. After that the key is free, and an Enqueue makes a new run with an id of its own,
// whether the first has ended or not.
func IdempotencyKeyFor(key string, life time.Duration) CallOption {
	return func(c *call) { c.key, c.keyLife = key, life }
}

// Enqueue runs a task once and returns the run's id: as soon as an executor has room, or at a later
// time with RunAt or RunAfter. args is encoded as JSON. ErrUnknownTask and ErrUnknownExecutor as for AddJob.
func (c *Client) Enqueue(ctx context.Context, task string, args any, opts ...CallOption) (string, error) {
	ids, err := c.EnqueueMany(ctx, task, []any{args}, opts...)
	if len(ids) == 0 {
		return "", err
	}
	return ids[0], err
}

// EnqueueMany runs a task once for each of args, in batches, and returns the run ids in their
// order. Each batch is enqueued whole or not at all; after an error other batches stay
// enqueued, and the error says how many runs they had. An idempotency key goes with a single run.
func (c *Client) EnqueueMany(ctx context.Context, task string, args []any, opts ...CallOption) ([]string, error) {
	o := callOf(opts)
	s, err := c.store(o.store)
	if err != nil {
		return nil, err
	}
	if o.key != "" && len(args) != 1 {
		return nil, errors.New("carillon: enqueue: an idempotency key goes with one run")
	}
	if err := job.ValidID("task", task); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidJob, err)
	}
	if err := s.Knows(ctx, o.executor, task); err != nil {
		return nil, err
	}
	e := enqueuing{store: s, task: task, call: o}
	if e.due, err = e.settle(ctx, s); err != nil {
		return nil, err
	}
	if err := e.nameKey(); err != nil {
		return nil, err
	}
	ids, runs := make([]string, len(args)), make([]store.AdHocRun, len(args))
	for i, a := range args {
		if runs[i], err = e.run(c, a); err != nil {
			return nil, err
		}
		ids[i] = runs[i].ID
	}
	sent, err := e.send(ctx, c, runs)
	if err != nil {
		return nil, fmt.Errorf("carillon: enqueue: %d of %d runs were enqueued: %w", sent.runs, len(args), err)
	}
	if sent.first != "" {
		ids[0] = sent.first
	}
	return ids, sent.short
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
