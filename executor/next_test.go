package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func nudgeEntry() store.Fetched { return store.Fetched{ID: "e-nudge", Bodies: []string{"N\tj"}} }

// What was started unheard is asked for by the same owner, until it is known or the lease is over.
func TestNextIsAskedForTheSameOwnerUntilItIsKnown(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		fails   int // calls
		started []string
	}{
		{name: "two answers are lost", err: errDown, fails: 2, started: []string{"a executed"}},
		{name: "all answers are lost for a lease", err: errDown, fails: 1000},
		{name: "nothing was started", err: store.ErrNotStarted, fails: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, begin := newFake(), time.Now()
				var owners []string
				var last time.Duration
				f.next = func(n int, owner string) (store.StartReply, error) {
					owners, last = append(owners, owner), time.Since(begin)
					if n <= tt.fails {
						return store.StartReply{}, tt.err
					}
					m := store.Message{Attempt: 1, Grace: job.GraceNone, JobID: "j", Executor: "default", Task: "t", Runs: []store.MessageRun{{ID: "a"}}}
					return store.StartReply{Verdict: store.Started, Message: &m}, nil
				}
				f.entries <- []store.Fetched{nudgeEntry()}
				r := f.run(t, 1, nothing)
				pass(time.Minute)
				if diff := cmp.Diff(tt.started, f.outcomes()); diff != "" {
					t.Error(diff)
				}
				for _, owner := range owners {
					if owner != owners[0] {
						t.Errorf("asked for %q after %q", owner, owners[0])
					}
				}
				if last > 12*time.Second || len(owners) > 30 {
					t.Errorf("asked %d times, the last time after %s", len(owners), last)
				}
				r.shut()
			})
		})
	}
}

func TestForcedShutdownDoesNotWaitForNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.next = func(int, string) (store.StartReply, error) { return store.StartReply{}, errDown }
		f.entries <- []store.Fetched{nudgeEntry()}
		r := f.run(t, 1, nothing)
		synctest.Wait()
		begin := time.Now()
		r.shut()
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("took %s", took)
		}
	})
}
