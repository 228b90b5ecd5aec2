package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// soon is a backoff without chance.
func soon(attempts int, d time.Duration) carillon.Retry {
	none := 0.0
	return carillon.Retry{MaxAttempts: attempts, Backoff: job.Backoff{Initial: job.Duration(d), Factor: 2, Jitter: &none}}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, c := range []struct {
		name    string
		f       func(ctx context.Context) error
		options []carillon.CallOption
		want    job.Outcome
		attempt int
		says    string
	}{
		{"executed", func(context.Context) error { return nil }, nil, job.Executed, 1, ""},
		{"error", func(context.Context) error { return boom }, nil, job.Failed, 1, "boom"},
		{"panic", func(context.Context) error { panic("kaboom") }, nil, job.Failed, 1, "panic: kaboom"},
		{"retried and failed", func(context.Context) error { return boom }, []carillon.CallOption{carillon.WithRetry(soon(3, 20*time.Millisecond))}, job.Failed, 3, "boom"},
		{"permanent", func(context.Context) error { return carillon.Permanent(boom) }, []carillon.CallOption{carillon.WithRetry(soon(3, 20*time.Millisecond))}, job.Failed, 1, "boom"},
		{"timeout", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, []carillon.CallOption{carillon.WithTimeout(carillon.Duration(50 * time.Millisecond))}, job.TimedOut, 1, ""},
		{"timeout retried", func(ctx context.Context) error {
			if run, _ := carillon.RunFrom(ctx); run.Attempt == 2 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, []carillon.CallOption{carillon.WithTimeout(carillon.Duration(50 * time.Millisecond)), carillon.WithRetry(soon(2, 20*time.Millisecond))}, job.Executed, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := act(t, func(ctx context.Context, _ carillon.Run) (any, error) { return nil, c.f(ctx) })
			id := must(stage.client.Enqueue(t.Context(), "act", args, c.options...))(t)
			r := rowOf(t, stage.client, "@act", id)
			if r.Outcome != c.want || r.Attempt != c.attempt || !strings.Contains(r.Error, c.says) {
				t.Errorf("history is %+v, want %s at attempt %d with %q", r, c.want, c.attempt, c.says)
			}
			if r.Node != "stage" || r.Started.IsZero() || r.Finished.Before(r.Started) {
				t.Errorf("history is %+v", r)
			}
		})
	}
}

// rowOf waits for the row of one run.
func rowOf(t *testing.T, client *carillon.Client, jobID, runID string, opts ...carillon.CallOption) (row carillon.Row) {
	t.Helper()
	eventually(t, 10*time.Second, "the row of run "+runID, func() bool {
		for _, r := range must(client.History(t.Context(), jobID, 1000, opts...))(t) {
			if r.RunID == runID {
				row = r
				return true
			}
		}
		return false
	})
	return row
}

func TestRetriesBackOff(t *testing.T) {
	t.Parallel()
	type try struct {
		run carillon.Run
		at  time.Time
	}
	tries := make(chan try, 10)
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) {
		tries <- try{run, time.Now()}
		if run.Attempt < 3 {
			return nil, errors.New("not yet")
		}
		return "done", nil
	})
	j := hourly(uuid.NewString())
	j.Args, j.Retry = args, soon(5, 200*time.Millisecond)
	must(stage.client.AddJob(t.Context(), j))(t)
	id := must(stage.client.TriggerNow(t.Context(), j.ID))(t)
	var last time.Time
	for i, pause := range []time.Duration{0, 200 * time.Millisecond, 400 * time.Millisecond} {
		got := receive(t, tries, "an attempt")
		if got.run.Attempt != i+1 || got.run.ID != id || got.run.JobID != j.ID {
			t.Errorf("attempt %d is %+v", i+1, got.run)
		}
		if i > 0 && got.at.Sub(last) < pause {
			t.Errorf("attempt %d came %v after the one before, want at least %v", i+1, got.at.Sub(last), pause)
		}
		last = got.at
	}
	if r := rows(t, stage.client, j.ID, 1); len(r) != 1 || r[0].Outcome != job.Executed || r[0].Attempt != 3 {
		t.Errorf("history is %+v, want one row with attempt 3", r)
	}
}

func TestWhatAHandlerKnows(t *testing.T) {
	t.Parallel()
	seen := make(chan carillon.Run, 1)
	name := act(t, func(ctx context.Context, given carillon.Run) (any, error) {
		run, ok := carillon.RunFrom(ctx)
		if !ok || run.ID != given.ID {
			return nil, errors.New("the context has another run")
		}
		carillon.Logger(ctx).Info("here")
		seen <- run
		return nil, nil
	})
	j := hourly(uuid.NewString())
	j.Args, j.Store, j.Executor = name, "redis", "redis"
	must(stage.client.AddJob(t.Context(), j))(t)
	before := time.Now().Add(-time.Second)
	id := must(stage.client.TriggerNow(t.Context(), j.ID, carillon.InStore("redis")))(t)
	got := receive(t, seen, "the run")
	if got.ScheduledTime.Before(before) || got.ScheduledTime.After(time.Now()) {
		t.Errorf("scheduled time is %v", got.ScheduledTime)
	}
	want := carillon.Run{ID: id, Store: "redis", JobID: j.ID, Task: "act", Executor: "redis", ScheduledTime: got.ScheduledTime, Attempt: 1, Node: "stage", Args: name}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	if _, ok := carillon.RunFrom(t.Context()); ok {
		t.Error("a context that is no handler's has a run")
	}
	carillon.Logger(t.Context()).Info("silent")
}

func TestLoggerNamesTheRun(t *testing.T) {
	t.Parallel()
	var said safeBuffer
	cfg := config(t, clusterOf(t), "n")
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: &said})
	node := newNode(t, cfg)
	node.HandleFunc("speak", func(ctx context.Context, _ carillon.Run) (any, error) {
		carillon.Logger(ctx).Info("spoken")
		return nil, nil
	})
	l := lift(t, node)
	id := must(l.Enqueue(t.Context(), "speak", nil))(t)
	rowOf(t, l.Client, "@speak", id)
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "spoken") {
			for _, want := range []string{"node=n", "job=@speak", "run=" + id, "attempt=1"} {
				if !strings.Contains(line, want) {
					t.Errorf("the line %q lacks %s", line, want)
				}
			}
			return
		}
	}
	t.Errorf("the handler's line is not in the log:\n%s", said.String())
}

type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestTriggerNowLeavesTheScheduleAlone(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	j := hourly(uuid.NewString())
	j.Args = act(t, nothing)
	must(client.AddJob(ctx, j))(t)
	before, _ := nextOf(t, client, j.ID)
	first, second := must(client.TriggerNow(ctx, j.ID))(t), ""
	rows(t, client, j.ID, 1)
	must(client.PauseJob(ctx, j.ID))(t)
	second = must(client.TriggerNow(ctx, j.ID))(t)
	if got := rows(t, client, j.ID, 2); got[0].RunID != second || got[1].RunID != first {
		t.Errorf("history is %+v, want %s then %s", got, second, first)
	}
	must(client.ResumeJob(ctx, j.ID))(t)
	if after, _ := nextOf(t, client, j.ID); !after.Equal(before) {
		t.Errorf("next run time moved from %v to %v", before, after)
	}
}

func TestTriggerNowObeysMaxInstances(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	args, begun, end := untilTold(t)
	j := hourly(uuid.NewString())
	j.Args = args
	must(client.AddJob(ctx, j))(t)
	must(client.TriggerNow(ctx, j.ID))(t)
	receive(t, begun, "the first run")
	refused := must(client.TriggerNow(ctx, j.ID))(t)
	if r := rowOf(t, client, j.ID, refused); r.Outcome != job.MaxInstances {
		t.Errorf("history is %+v", r)
	}
	close(end)
	rows(t, client, j.ID, 2)
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	client, ctx := stage.client, t.Context()
	seen := make(chan carillon.Run, 10)
	args := act(t, func(_ context.Context, run carillon.Run) (any, error) { seen <- run; return nil, nil })
	key := uuid.NewString()
	var callers sync.WaitGroup
	ids := make([]string, 5)
	for i := range ids {
		callers.Go(func() {
			var err error
			if ids[i], err = client.Enqueue(ctx, "act", args, carillon.IdempotencyKey(key)); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("ids are %v, want one", ids)
		}
	}
	other := must(client.Enqueue(ctx, "act", args, carillon.IdempotencyKey(key+"2")))(t)
	for range 2 {
		receive(t, seen, "a run")
	}
	rowOf(t, client, "@act", other)
	rowOf(t, client, "@act", ids[0])
	if len(seen) != 0 {
		t.Errorf("one key ran again: %+v", <-seen)
	}
	if _, err := client.EnqueueMany(ctx, "act", []any{1, 2}, carillon.IdempotencyKey(key)); err == nil {
		t.Error("one key for two runs was accepted")
	}
}

func TestEnqueueMany(t *testing.T) {
	t.Parallel()
	cfg := config(t, clusterOf(t), "n")
	cfg.Partitions = 3
	cfg.Executors = map[string]int{"default": 200}
	node := newNode(t, cfg)
	var mu sync.Mutex
	ran := map[string]int{}
	node.HandleFunc("count", func(_ context.Context, run carillon.Run) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[run.ID+"="+string(run.Args)]++
		return nil, nil
	})
	l := lift(t, node)
	args := make([]any, 1200)
	for i := range args {
		args[i] = i
	}
	ids := must(l.EnqueueMany(t.Context(), "count", args))(t)
	want := map[string]int{}
	for i, id := range ids {
		raw, _ := json.Marshal(i)
		want[id+"="+string(raw)] = 1
	}
	eventually(t, 15*time.Second, "all runs", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(ran) >= len(args)
	})
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if none := must(l.EnqueueMany(t.Context(), "count", nil))(t); len(none) != 0 {
		t.Errorf("nothing gave %v", none)
	}
	if _, err := l.Enqueue(t.Context(), "count", strings.Repeat("x", job.MaxDocument)); !errors.Is(err, carillon.ErrInvalidJob) {
		t.Errorf("huge args gave %v", err)
	}
	if _, err := l.Enqueue(t.Context(), "count", func() {}); !errors.Is(err, carillon.ErrInvalidJob) {
		t.Errorf("args that are no JSON gave %v", err)
	}
}
