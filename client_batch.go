package carillon

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
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
	due   int64  // when they are due, Unix ms; 0 = now
	keyID string // names the idempotency key, the same in all its lives; empty without a key
}

// run makes one run, with an id of its own.
func (e *enqueuing) run(c *Client, args any) (r store.AdHocRun, err error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return r, fmt.Errorf("%w: args: %w", ErrInvalidJob, err)
	}
	if len(raw) > job.MaxDocument {
		return r, fmt.Errorf("%w: args: %d bytes, at most %d are allowed", ErrInvalidJob, len(raw), job.MaxDocument)
	}
	id, err := c.ids.next()
	if err != nil {
		return r, fmt.Errorf("carillon: enqueue: %w", err)
	}
	return store.AdHocRun{ID: id.String(), Args: string(raw)}, nil
}

// nameKey sets keyID: the UUIDv5 of task and key in the namespace of the store's uid.
func (e *enqueuing) nameKey() error {
	if e.key == "" {
		return nil
	}
	namespace, err := uuid.Parse(e.store.UID())
	if err != nil {
		return fmt.Errorf("carillon: enqueue: %w", err)
	}
	e.keyID = uuid.NewSHA1(namespace, []byte("idempotency/"+e.task+"/"+e.key)).String()
	return nil
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

// op is what a repeat of the call is known by, if it may have one. The answer that is kept under it is the
// id of the run that the present life of the key began with.
func (e *enqueuing) op() string {
	if e.keyID == "" {
		return ""
	}
	return "idempotency:" + e.keyID
}

// partitionOf is where a run goes: every life of a key has its answer in the same partition.
func (e *enqueuing) partitionOf(r store.AdHocRun) int {
	if e.keyID != "" {
		return e.store.PartitionOf(e.keyID)
	}
	return e.store.PartitionOf(r.ID)
}

// send enqueues runs by partition, in batches, of which the next is made while one is under way. An
// error is of what was not carried out, and is not ErrNotReplicated.
func (e *enqueuing) send(ctx context.Context, c *Client, runs []store.AdHocRun) (sent, error) {
	var results batches
	if len(runs) == 0 {
		return results.sent, nil
	}
	form := e.form(c)
	if len(runs) == 1 {
		answer, err := e.put(ctx, e.partitionOf(runs[0]), form, runs)
		results.add(runs, err)
		results.sent.first = answer
		return results.sent, results.err
	}
	var sending sync.WaitGroup
	places := make(chan struct{}, 2)
	for p, all := range e.byPartition(runs) {
		for batch := range inBatches(all) {
			places <- struct{}{}
			if results.failed() {
				<-places
				break
			}
			sending.Go(func() {
				_, err := e.put(ctx, p, form, batch)
				results.add(batch, err)
				<-places
			})
		}
	}
	sending.Wait()
	return results.sent, results.err
}

// bulkBytes is how long the args of a batch may be together, unless it is a single run.
const bulkBytes = 1 << 20

// inBatches divides runs into batches that one call takes each.
func inBatches(runs []store.AdHocRun) iter.Seq[[]store.AdHocRun] {
	return func(yield func([]store.AdHocRun) bool) {
		from, bytes := 0, 0
		for i, r := range runs {
			if i > from && (i-from == bulk || bytes+len(r.Args) > bulkBytes) {
				if !yield(runs[from:i]) {
					return
				}
				from, bytes = i, 0
			}
			bytes += len(r.Args)
		}
		if from < len(runs) {
			yield(runs[from:])
		}
	}
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

// put enqueues a batch of runs of one partition, and returns the id of the first: of another run if the
// idempotency key stands for one.
func (e *enqueuing) put(ctx context.Context, partition int, form *store.Form, batch []store.AdHocRun) (first string, err error) {
	op := e.op()
	if e.due == 0 {
		return e.store.EnqueueNow(ctx, partition, store.AdHoc{Form: form, Op: op, Life: e.keyLife, Runs: batch})
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
	return e.store.Submit(ctx, partition, store.Submission{Op: op, Answer: batch[0].ID, Life: e.keyLife, At: e.due, Messages: messages})
}

// sent is what was carried out.
type sent struct {
	runs  int
	first string // the id of the run, where there was one
	short error  // some of it too few replicas have
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
