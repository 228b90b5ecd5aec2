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
// A task that no live node of the executor serves now is accepted and waits; Submit says so.
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
	sent, err := c.submit(ctx, task, args, opts)
	return sent.RunIDs, err
}

// Submitted is what became of a Submit.
type Submitted struct {
	RunIDs []string // in the order of the args
	// Existing is true when the idempotency key stood for a run of an earlier call, whose id is RunIDs[0].
	Existing bool
	// Unserved is true when no live node that serves the executor has a handler for the task now, as far as the
	// leader has said: the runs wait until one does, or until they are cancelled.
	Unserved bool
}

// Submit is EnqueueMany with an answer that says more. It reads the registry of the store for it.
func (c *Client) Submit(ctx context.Context, task string, args []any, opts ...CallOption) (Submitted, error) {
	sent, err := c.submit(ctx, task, args, opts)
	if err != nil {
		return sent, err
	}
	sent.Unserved, _ = c.Unserved(ctx, task, opts...) // the runs are enqueued, whether this is known or not
	return sent, nil
}

// Unserved reports whether no live node of an executor, see OnExecutor, has a handler for the task, as far as the
// leader has said.
func (c *Client) Unserved(ctx context.Context, task string, opts ...CallOption) (bool, error) {
	o := callOf(opts)
	s, err := c.store(o.store)
	if err != nil {
		return false, err
	}
	return s.Unserved(ctx, o.executor, task)
}

func (c *Client) submit(ctx context.Context, task string, args []any, opts []CallOption) (Submitted, error) {
	var none Submitted
	o := callOf(opts)
	s, err := c.store(o.store)
	if err != nil {
		return none, err
	}
	if o.key != "" && len(args) != 1 {
		return none, errors.New("carillon: enqueue: an idempotency key goes with one run")
	}
	if err := job.ValidID("task", task); err != nil {
		return none, fmt.Errorf("%w: %w", ErrInvalidJob, err)
	}
	if err := s.Knows(ctx, o.executor, task); err != nil {
		return none, err
	}
	e := enqueuing{store: s, task: task, call: o}
	if e.due, err = e.settle(ctx, s); err != nil {
		return none, err
	}
	if err := e.nameKey(); err != nil {
		return none, err
	}
	ids, runs := make([]string, len(args)), make([]store.AdHocRun, len(args))
	for i, a := range args {
		if runs[i], err = e.run(c, a); err != nil {
			return none, err
		}
		ids[i] = runs[i].ID
	}
	sent, err := e.send(ctx, c, runs)
	if err != nil {
		return none, fmt.Errorf("carillon: enqueue: %d of %d runs were enqueued: %w", sent.runs, len(args), err)
	}
	answer := Submitted{RunIDs: ids}
	if sent.first != "" && sent.first != ids[0] {
		answer.Existing, ids[0] = true, sent.first
	}
	return answer, sent.short
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
