package executor

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// heard gathers the events of a pool, as "run kind (cause)".
type heard struct {
	mu  sync.Mutex
	all []string
}

func (h *heard) listen(c *Config) {
	c.Listen = func(e job.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = append(h.all, strings.TrimSuffix(fmt.Sprintf("%s %s (%s)", e.RunID, e.Kind, e.Cause), " ()"))
	}
}

// retrying is an entry whose runs may be tried three times.
func retrying(grace job.Grace, runs ...string) store.Fetched {
	m := store.Message{
		Attempt: 1, Grace: grace, JobID: "j", Executor: "default", Task: "t", Retry: job.Retry{MaxAttempts: 3},
	}
	for _, id := range runs {
		m.Runs = append(m.Runs, store.MessageRun{ID: id})
	}
	return store.Fetched{ID: "e-" + runs[0], Bodies: []string{m.Encode()}}
}

// What the store made of an outcome is what listeners hear.
func TestListenersHearHowARunReallyEnded(t *testing.T) {
	fails := func(context.Context, job.Run) (any, error) { return nil, errNo }
	untilStopped := func(ctx context.Context, _ job.Run) (any, error) { <-ctx.Done(); return nil, errNo }
	tests := []struct {
		name    string
		handler Handler
		runs    []string
		grace   job.Grace
		reply   store.FinishReply
		want    []string
	}{
		{name: "it is tried again", handler: fails, runs: []string{"a"}, want: []string{"a job_retrying (no)"}},
		{name: "it was asked to cancel", handler: fails, runs: []string{"a"}, reply: store.FinishReply{Cancelled: true},
			want: []string{"a job_cancelled (cancelled on request)"}},
		{name: "it was asked to cancel, what follows waits", handler: fails, runs: []string{"a", "b"},
			reply: store.FinishReply{Cancelled: true, Back: true}, want: []string{"a job_cancelled (cancelled on request)"}},
		{name: "its job is gone", handler: fails, runs: []string{"a", "b"}, grace: 1e9, reply: store.FinishReply{Removed: true},
			want: []string{"a job_error (no)", "b job_cancelled (job removed)"}},
		{name: "what follows is missed", handler: nothing, runs: []string{"a", "b"}, grace: 1e9,
			want: []string{"a job_executed", "b job_missed (later than its grace)"}},
		{name: "handed back", handler: untilStopped, runs: []string{"a", "b"}, want: []string{"a job_retrying (node shutdown)"}},
		{name: "handed back, its job is gone", handler: untilStopped, runs: []string{"a", "b"}, reply: store.FinishReply{Removed: true},
			want: []string{"a job_cancelled (node shutdown)", "b job_cancelled (job removed)"}},
		{name: "handed back, it was asked to cancel", handler: untilStopped, runs: []string{"a", "b"},
			reply: store.FinishReply{Cancelled: true, Back: true}, want: []string{"a job_cancelled (cancelled on request)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, h := newFake(), &heard{}
				f.finish = func(int, []store.Finish) ([]store.FinishReply, error) { return []store.FinishReply{tt.reply}, nil }
				grace := tt.grace
				if grace == 0 {
					grace = job.GraceNone
				}
				f.entries <- []store.Fetched{retrying(grace, tt.runs...)}
				r := f.run(t, 1, tt.handler, h.listen)
				synctest.Wait()
				r.shut()
				if diff := cmp.Diff(append([]string{"a job_started"}, tt.want...), h.all); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
