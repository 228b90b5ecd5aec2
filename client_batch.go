package carillon

import (
	"bufio"
	"context"
	"crypto/rand"
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

// bulk is how many runs one script call enqueues.
const bulk = 500

// enqueuing is one call of EnqueueMany: runs of a task with the same options.
type enqueuing struct {
	call
	store *store.Store
	task  string
	due   int64 // when they are due, Unix ms; 0 = now
}

// run makes one run, with an id of its own or of the idempotency key.
func (e *enqueuing) run(c *Client, args any) (r store.AdHocRun, err error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return r, fmt.Errorf("%w: args: %w", ErrInvalidJob, err)
	}
	if len(raw) > job.MaxDocument {
		return r, fmt.Errorf("%w: args: %d bytes, at most %d are allowed", ErrInvalidJob, len(raw), job.MaxDocument)
	}
	var id uuid.UUID
	if e.key == "" {
		id, err = c.ids.next()
	} else if id, err = uuid.Parse(e.store.UID()); err == nil {
		id = uuid.NewSHA1(id, []byte("idempotency/"+e.task+"/"+e.key))
	}
	if err != nil {
		return r, fmt.Errorf("carillon: enqueue: %w", err)
	}
	return store.AdHocRun{ID: id.String(), Args: string(raw)}, nil
}

// message is what the runs have in common.
func (e *enqueuing) message() store.Message {
	retry := job.BuiltIn().Retry
	if e.retrySaid {
		retry = e.retry
	}
	return store.Message{
		Attempt: 1, Grace: job.GraceNone, Overlap: job.OverlapSkip, JobID: "@" + e.task, Executor: e.executor, Task: e.task,
		OnLost: job.OnLostRerun, Retry: retry, Timeout: time.Duration(e.timeout),
	}
}

// formOf is what a form without options is made of: a task and an executor that are known to the store.
type formOf struct {
	store          *store.Store
	task, executor string
}

// form is the form of the runs. That of a task without options is made once, so that runs of callers that
// meet have it in common.
func (e *enqueuing) form(c *Client) *store.Form {
	if e.retrySaid || e.timeout != 0 {
		return e.store.Form(e.message())
	}
	of := formOf{e.store, e.task, e.executor}
	if f, ok := c.forms.Load(of); ok {
		return f.(*store.Form)
	}
	f, _ := c.forms.LoadOrStore(of, e.store.Form(e.message()))
	return f.(*store.Form)
}

// op is what a repeat of the call is known by, if it may have one.
func (e *enqueuing) op(run string) string {
	if e.key == "" {
		return ""
	}
	return "idempotency:" + run
}

// send enqueues runs by partition, in batches, of which the next is made while one is under way. An
// error is of what was not carried out, and is not ErrNotReplicated.
func (e *enqueuing) send(ctx context.Context, c *Client, runs []store.AdHocRun) (sent, error) {
	var results batches
	if len(runs) == 0 {
		return results.sent, nil
	}
	form := e.form(c)
	if one := e.store.PartitionOf(runs[0].ID); len(runs) == 1 {
		results.add(runs, e.put(ctx, one, form, runs))
		return results.sent, results.err
	}
	var sending sync.WaitGroup
	places := make(chan struct{}, 2)
	for p, all := range e.byPartition(runs) {
		for batch := range slices.Chunk(all, bulk) {
			places <- struct{}{}
			if results.failed() {
				<-places
				break
			}
			sending.Go(func() {
				results.add(batch, e.put(ctx, p, form, batch))
				<-places
			})
		}
	}
	sending.Wait()
	return results.sent, results.err
}

func (e *enqueuing) byPartition(runs []store.AdHocRun) map[int][]store.AdHocRun {
	if e.store.Partitions() == 1 {
		return map[int][]store.AdHocRun{0: runs}
	}
	split := map[int][]store.AdHocRun{}
	for _, r := range runs {
		p := e.store.PartitionOf(r.ID)
		split[p] = append(split[p], r)
	}
	return split
}

// put enqueues a batch of runs of one partition.
func (e *enqueuing) put(ctx context.Context, partition int, form *store.Form, batch []store.AdHocRun) error {
	op := e.op(batch[0].ID)
	if e.due == 0 {
		_, err := e.store.EnqueueNow(ctx, partition, store.AdHoc{Form: form, Op: op, Life: e.keyLife, Runs: batch})
		return err
	}
	if op == "" {
		op = uuid.NewString()
	}
	messages := make([]store.Message, len(batch))
	for i, r := range batch {
		messages[i] = e.message()
		messages[i].Args = json.RawMessage(r.Args)
		messages[i].Runs = []store.MessageRun{{ID: r.ID, Scheduled: e.due, Due: e.due}}
	}
	_, err := e.store.Submit(ctx, partition, store.Submission{Op: op, Answer: batch[0].ID, Life: e.keyLife, At: e.due, Messages: messages})
	return err
}

// sent is what was carried out.
type sent struct {
	runs  int
	short error // some of it too few replicas have
}

// batches is what became of the batches of one EnqueueMany.
type batches struct {
	mu   sync.Mutex
	sent sent
	err  error // of those that failed
}

func (b *batches) add(batch []store.AdHocRun, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case errors.Is(err, ErrNotReplicated):
		b.sent.short = fmt.Errorf("carillon: enqueue: run %s: %w", batch[0].ID, err)
	case err != nil:
		b.err = errors.Join(b.err, err)
		return
	}
	b.sent.runs += len(batch)
}

func (b *batches) failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil
}

// runIDs makes ids of runs. It reads random bytes ahead, since each read costs a system call. The zero
// value works.
type runIDs struct {
	mu     sync.Mutex
	random *bufio.Reader
}

func (r *runIDs) next() (uuid.UUID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.random == nil {
		r.random = bufio.NewReader(rand.Reader)
	}
	return uuid.NewV7FromReader(r.random)
}
