package carillon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// idempotencyLife is how long an idempotency key is remembered.
const idempotencyLife = 24 * time.Hour

// TriggerNow runs a job once, now, beside its schedule, and returns the run's id. The run obeys
// max_instances and overlap like any other.
func (c *Client) TriggerNow(ctx context.Context, id string, opts ...CallOption) (string, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return "", err
	}
	e, err := s.Get(ctx, id)
	if err != nil {
		return "", err
	}
	run, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("carillon: trigger job %q: %w", id, err)
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return "", err
	}
	m := e.Message(store.MessageRun{ID: run.String(), Scheduled: now, Due: now})
	return s.Enqueue(ctx, s.PartitionOf(id), run.String(), run.String(), 0, id, e.UID, []store.Message{m})
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

// bulk is how many runs one script call enqueues.
const bulk = 500

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
	at, err := o.settle(ctx, s)
	if err != nil {
		return nil, err
	}
	messages := make([]store.Message, len(args))
	for i, a := range args {
		if messages[i], err = adHoc(s, task, a, o, at); err != nil {
			return nil, err
		}
	}
	return send(ctx, s, messages, o)
}

func adHoc(s *store.Store, task string, args any, o call, at int64) (store.Message, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return store.Message{}, fmt.Errorf("%w: args: %w", ErrInvalidJob, err)
	}
	if len(raw) > job.MaxDocument {
		return store.Message{}, fmt.Errorf("%w: args: %d bytes, at most %d are allowed", ErrInvalidJob, len(raw), job.MaxDocument)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return store.Message{}, fmt.Errorf("carillon: enqueue: %w", err)
	}
	if o.key != "" {
		ns, err := uuid.Parse(s.UID())
		if err != nil {
			return store.Message{}, fmt.Errorf("carillon: enqueue: %w", err)
		}
		id = uuid.NewSHA1(ns, []byte("idempotency/"+task+"/"+o.key))
	}
	retry := job.BuiltIn().Retry
	if o.retrySaid {
		retry = o.retry
	}
	return store.Message{
		Attempt: 1, Grace: job.GraceNone, Overlap: job.OverlapSkip, JobID: "@" + task, Executor: o.executor, Task: task,
		OnLost: job.OnLostRerun, Retry: retry, Timeout: time.Duration(o.timeout), Args: raw,
		Runs: []store.MessageRun{{ID: id.String(), Scheduled: at, Due: at}},
	}, nil
}

// send enqueues messages by partition, in batches, of which the next is made while one is under way.
func send(ctx context.Context, s *store.Store, messages []store.Message, o call) ([]string, error) {
	byPartition := map[int][]store.Message{}
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.Runs[0].ID
		p := s.PartitionOf(ids[i])
		byPartition[p] = append(byPartition[p], m)
	}
	var sending sync.WaitGroup
	places, results := make(chan struct{}, 2), batches{all: len(ids)}
	for p, all := range byPartition {
		for batch := range slices.Chunk(all, bulk) {
			places <- struct{}{}
			if results.failed() {
				<-places
				break
			}
			sending.Go(func() {
				sub := store.Submission{Op: uuid.NewString(), Answer: batch[0].Runs[0].ID, Messages: batch}
				if !o.at.IsZero() {
					sub.At = ceilMillis(o.at)
				}
				if o.key != "" {
					sub.Op, sub.Life = "idempotency:"+ids[0], o.keyLife
				}
				_, err := s.Submit(ctx, p, sub)
				results.add(batch, err)
				<-places
			})
		}
	}
	sending.Wait()
	if results.err != nil {
		return nil, fmt.Errorf("carillon: enqueue: %d of %d runs were enqueued: %w", results.sent, results.all, results.err)
	}
	return ids, results.short
}

// batches is what became of the batches of one EnqueueMany.
type batches struct {
	mu         sync.Mutex
	all, sent  int
	err, short error // the first failure; of what was carried out and too few replicas have
}

func (b *batches) add(batch []store.Message, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case errors.Is(err, ErrNotReplicated):
		b.short = fmt.Errorf("carillon: enqueue: run %s: %w", batch[0].Runs[0].ID, err)
	case err != nil:
		b.err = errors.Join(b.err, err)
		return
	}
	b.sent += len(batch)
}

func (b *batches) failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil
}

// Events returns what the log of each store holds, oldest first within a store.
func (c *Client) Events(ctx context.Context) ([]Event, error) {
	var all []Event
	for _, name := range c.Stores() {
		s := c.stores[name]
		var at store.Cursor
		for {
			got, next, err := s.Events(ctx, at, 0)
			if err != nil {
				return nil, err
			}
			if len(got) == 0 {
				break
			}
			all, at = append(all, got...), next
		}
	}
	return all, nil
}
