package executor

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// pausedFake is a queue whose executor is paused until the function that is returned is called.
func pausedFake() (f *fake, resume func()) {
	f = newFake()
	var resumed atomic.Bool
	taken := false // of the reader's goroutine alone
	f.paused = func(int) (bool, error) { return !resumed.Load(), nil }
	f.start = func(_ int, st store.Start) ([]store.StartReply, error) {
		if resumed.Load() {
			return startAll(st), nil
		}
		taken = true
		return []store.StartReply{{Verdict: store.StartPaused, Message: st.Run[0].Message}}, nil
	}
	f.pending = func(int) ([]store.Fetched, error) {
		if !taken {
			return nil, nil
		}
		taken = false
		return []store.Fetched{entry("a")}, nil
	}
	return f, func() { resumed.Store(true) }
}

func TestPausedExecutorKeepsWhatItHasFetchedAndRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, resume := pausedFake()
		r := f.run(t, 2, nothing)
		defer r.shut()
		synctest.Wait()
		<-r.pool.Ready()
		f.take()
		f.entries <- []store.Fetched{entry("a")}
		pass(0)
		want := []string{"fetch 1", "paused", "start 1+0"}
		if diff := cmp.Diff(want, slices.Compact(inOrder(f.take()))); diff != "" {
			t.Error(diff)
		}
		pass(time.Minute) // one question in a second, and nothing else
		want = slices.Repeat([]string{"paused"}, 60)
		if diff := cmp.Diff(want, f.take()); diff != "" {
			t.Error(diff)
		}
		if r.pool.slots.free != 2 {
			t.Errorf("%d places are free", r.pool.slots.free)
		}
		resume()
		r.pool.LookNow()
		synctest.Wait()
		if diff := cmp.Diff([]string{"a executed"}, f.outcomes()); diff != "" {
			t.Errorf("after the resumption, without any time passing:\n%s", diff)
		}
	})
}

func TestPauseThatNobodyTellsTheEndOfIsLeftWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, resume := pausedFake()
		f.entries <- []store.Fetched{entry("a")}
		r := f.run(t, 1, nothing)
		defer r.shut()
		synctest.Wait()
		resume()
		f.entries <- []store.Fetched{entry("b")}
		pass(time.Second)
		if diff := cmp.Diff([]string{"a executed", "b executed"}, f.outcomes()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReadyWhilePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := pausedFake()
		f.entries <- []store.Fetched{entry("x")}
		pending := f.pending
		first := true
		f.pending = func(n int) ([]store.Fetched, error) {
			if first { // the list that the node finds on its start
				first = false
				return []store.Fetched{entry("a")}, nil
			}
			return pending(n)
		}
		r := f.run(t, 1, nothing)
		synctest.Wait()
		select {
		case <-r.pool.Ready():
		default:
			t.Error("a node is not ready since an executor is paused")
		}
		r.shut() // in the middle of its rest
		if len(f.outcomes()) != 0 {
			t.Errorf("outcomes %q", f.outcomes())
		}
	})
}

func TestFollowerOfAPausedExecutorIsNotToldAsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.finish = func(int, []store.Finish) ([]store.FinishReply, error) {
			return []store.FinishReply{{Back: true}}, nil
		}
		var heard []string
		f.entries <- []store.Fetched{entry("a", "b")}
		r := f.run(t, 1, nothing, func(c *Config) {
			c.Listen = func(e job.Event) { heard = append(heard, e.RunID+" "+string(e.Kind)) }
		})
		synctest.Wait()
		if diff := cmp.Diff([]string{"a job_started", "a job_executed"}, heard); diff != "" {
			t.Error(diff)
		}
		r.shut()
	})
}
