package executor

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/store"
)

// backlogged is a queue whose stream holds an entry for each of the runs, for an executor of two places: two
// are fetched at first, then one by one, after goOn.
func backlogged(runs ...string) (f *fake, goOn func()) {
	f = newFake()
	f.entries <- []store.Fetched{entry(runs[0]), entry(runs[1])}
	for _, run := range runs[2:] {
		f.entries <- []store.Fetched{entry(run)}
	}
	return f, f.holdSecondFetch()
}

// holdSecondFetch has the second read wait for a call of what it returns, so that places are free by then.
func (f *fake) holdSecondFetch() (goOn func()) {
	gate := make(chan struct{})
	f.fetch = func(n int) error {
		if n == 2 {
			<-gate
		}
		return nil
	}
	return func() {
		synctest.Wait()
		f.take()
		close(gate)
	}
}

func inOrder(all []string) []string {
	slices.Sort(all)
	return all
}

func TestNextRunsAreFetchedWhileOthersStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, goOn := backlogged("a", "b", "c", "d", "e")
		answer, asked := make(chan struct{}), []string{}
		f.start = func(n int, st store.Start) ([]store.StartReply, error) {
			if asked = append(asked, st.Run[0].Message.Runs[0].ID); n > 1 {
				<-answer
			}
			return startAll(st), nil
		}
		r := f.run(t, 2, nothing)
		defer r.shut()
		goOn()
		synctest.Wait()
		calls := f.take()
		slices.Sort(calls) // the second read is asked for by then, and maybe one ahead of its turn
		if diff := cmp.Diff([]string{"fetch 1", "start 1+0"}, slices.Compact(calls)); diff != "" {
			t.Error(diff)
		}
		for range 3 {
			answer <- struct{}{}
			synctest.Wait()
		}
		if diff := cmp.Diff([]string{"a", "c", "d", "e"}, asked); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"a executed", "b executed", "c executed", "d executed", "e executed"}, inOrder(f.outcomes())); diff != "" {
			t.Error(diff)
		}
		if r.pool.slots.free != 2 {
			t.Errorf("%d places are free", r.pool.slots.free)
		}
	})
}

// What becomes of a start is heard of at once: no read waits for work beside it.
func TestPauseIsHeardOfByAllStartsBeforeTheLineRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, goOn := backlogged("a", "b", "c", "d")
		f.start = func(n int, st store.Start) ([]store.StartReply, error) {
			if n == 1 {
				return startAll(st), nil
			}
			time.Sleep(time.Second)
			return []store.StartReply{{Verdict: store.StartPaused, Message: st.Run[0].Message}}, nil
		}
		f.paused = func(int) (bool, error) { return true, nil }
		given := false
		f.pending = func(n int) ([]store.Fetched, error) {
			if n == 1 || given {
				return nil, nil
			}
			given = true
			return []store.Fetched{entry("c"), entry("d")}, nil
		}
		r := f.run(t, 2, nothing)
		defer r.shut()
		goOn()
		pass(2*time.Second - 1)
		f.take()
		pass(1)
		want := []string{"paused"}
		if diff := cmp.Diff(want, f.take()); diff != "" {
			t.Error(diff)
		}
		if r.pool.slots.free != 2 {
			t.Errorf("%d places are free", r.pool.slots.free)
		}
	})
}

func TestNoReadWaitsForWorkBesideAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, goOn := backlogged("a", "b", "c")
		f.start = func(n int, st store.Start) ([]store.StartReply, error) {
			if n == 1 {
				return startAll(st), nil
			}
			time.Sleep(DefaultBlock / 2)
			return []store.StartReply{{Verdict: store.StartPaused, Message: st.Run[0].Message}}, nil
		}
		f.paused = func(int) (bool, error) { return true, nil }
		r := f.run(t, 2, nothing)
		defer r.shut()
		goOn()
		synctest.Wait()
		f.take()
		pass(DefaultBlock / 2)
		if diff := cmp.Diff([]string{"paused"}, f.take()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTwoStartsAtMostAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, crowd := newFake(), entry("a1")
		var asked atomic.Int64
		for _, run := range []string{"a2", "a3", "a4", "a5", "a6", "a7", "a8"} {
			crowd.Bodies = append(crowd.Bodies, entry(run).Bodies...)
		}
		f.entries <- []store.Fetched{crowd} // one more such entry would be all that there is room for
		f.entries <- []store.Fetched{entry("b")}
		f.entries <- []store.Fetched{entry("c1"), entry("c2"), entry("c3"), entry("c4")}
		f.entries <- []store.Fetched{entry("d")} // may be read ahead of its turn
		f.entries <- []store.Fetched{entry("e")}
		f.start = func(n int, st store.Start) ([]store.StartReply, error) {
			asked.Add(1)
			if n > 1 {
				time.Sleep(time.Hour)
			}
			return startAll(st), nil
		}
		goOn := f.holdSecondFetch()
		r := f.run(t, 8, nothing)
		goOn()
		pass(time.Hour - 1)
		left := len(f.entries)
		if n := asked.Load(); n != 2 || left < 1 || left > 2 {
			t.Errorf("%d starts were asked for, %d reads are left", n, left)
		}
		pass(1)
		if len(f.entries) >= left && asked.Load() == 2 {
			t.Error("nothing was read after a start had its answer")
		}
		r.shut()
	})
}

func TestShutdownWaitsForStartsBeforeItHandsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, goOn := backlogged("a", "b", "c", "d")
		f.start = func(n int, st store.Start) ([]store.StartReply, error) {
			if n > 1 {
				time.Sleep(10 * time.Second)
			}
			return startAll(st), nil
		}
		hold := f.fetch
		f.fetch = func(n int) error {
			if n == 3 {
				time.Sleep(time.Second) // the shutdown begins meanwhile
			}
			return hold(n)
		}
		r := f.run(t, 2, nothing)
		goOn()
		synctest.Wait()
		r.stop()
		f.take()
		pass(10*time.Second - 1)
		if diff := cmp.Diff([]string(nil), slices.DeleteFunc(f.take(), func(c string) bool { return c[:5] == "renew" })); diff != "" {
			t.Errorf("before the start was answered: %s", diff)
		}
		<-r.ended
		if calls := f.take(); !slices.Contains(calls, "pending 500") {
			t.Errorf("nothing was handed back: %q", calls)
		}
		if diff := cmp.Diff([]string{"a executed", "b executed", "c executed"}, inOrder(f.outcomes())); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStartsAreInOrderWhateverTheirGoroutinesDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s starts
		var order []int
		for i := range 20 {
			s.begin(func(earlier <-chan struct{}, answered func()) error {
				defer answered()
				time.Sleep(time.Duration(20-i) * time.Millisecond) // the later, the sooner ready
				<-earlier
				order = append(order, i)
				if i%7 == 6 {
					return fmt.Errorf("start %d", i)
				}
				return nil
			})
		}
		if err := s.wait(0); err == nil || err.Error() != "start 6" {
			t.Errorf("error is %v, want that of start 6", err)
		}
		if !slices.IsSorted(order) || len(order) != 20 {
			t.Errorf("order was %v", order)
		}
		if err := s.wait(0); err != nil {
			t.Errorf("an error is told twice: %v", err)
		}
	})
}
