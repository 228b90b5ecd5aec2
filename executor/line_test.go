package executor

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestReaderFetchesNoMoreThanThereIsRoomFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, let := newFake(), make(chan struct{})
		r := f.run(t, 3, func(context.Context, job.Run) (any, error) { <-let; return nil, nil })
		synctest.Wait()
		f.entries <- []store.Fetched{entry("a")}
		synctest.Wait()
		f.entries <- []store.Fetched{entry("b"), entry("c")}
		pass(0)
		calls := f.take()
		if i := slices.Index(calls, "start 2+0"); i < 0 || slices.Contains(calls[i:], "fetch 1") {
			t.Errorf("calls were %q", calls)
		}
		pass(time.Hour) // full: not a single call until there is room
		if calls := slices.DeleteFunc(f.take(), func(c string) bool { return c[:5] == "renew" }); len(calls) > 0 {
			t.Errorf("%q while all places are taken", calls)
		}
		let <- struct{}{}
		synctest.Wait()
		if diff := cmp.Diff([]string{"finish 1", "fetch 1"}, slices.Compact(sortedCalls(f.take()))); diff != "" {
			t.Error(diff)
		}
		close(let)
		r.shut()
	})
}

func sortedCalls(calls []string) []string {
	slices.SortFunc(calls, func(a, b string) int { return -compare(a, b) })
	return calls
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

func TestWhatHasNoPlaceIsHeldForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, causes := newFake(), make(chan error, 10)
		f.entries <- []store.Fetched{entry("a"), entry("b"), entry("c")}
		r := f.run(t, 2, untilEnd(causes))
		defer r.shut()
		pass(holdLimit - 1)
		if calls := f.take(); !slices.Contains(calls, "start 2+0") || slices.Contains(calls, "back 1") {
			t.Errorf("calls were %q", calls)
		}
		pass(1)
		if calls := f.take(); !slices.Contains(calls, "back 1") {
			t.Errorf("after a second calls were %q", calls)
		}
		if r.pool.Busy() != 2 || r.pool.slots.spare != 1 {
			t.Errorf("%d run, %d more may be held, want 2 and 1", r.pool.Busy(), r.pool.slots.spare)
		}
	})
}

func TestWhatIsHeldStartsBeforeWhatIsFetchedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, let := newFake(), make(chan struct{})
		f.entries <- []store.Fetched{entry("a"), entry("b"), entry("c"), entry("d")}
		var mu sync.Mutex
		var began []string
		r := f.run(t, 2, func(_ context.Context, run job.Run) (any, error) {
			mu.Lock()
			began = append(began, run.ID)
			mu.Unlock()
			<-let
			return nil, nil
		})
		defer r.shut()
		synctest.Wait()
		f.entries <- []store.Fetched{entry("e"), entry("f")}
		for range 6 {
			let <- struct{}{}
			synctest.Wait()
		}
		slices.Sort(began[:2]) // these began together
		if diff := cmp.Diff([]string{"a", "b", "c", "d", "e", "f"}, began); diff != "" {
			t.Error(diff)
		}
		if calls := f.take(); slices.ContainsFunc(calls, func(c string) bool { return c[:4] == "back" }) {
			t.Errorf("calls were %q", calls)
		}
	})
}

// An entry of more messages than the pool has places starts in parts, in order.
func TestEntryLargerThanThePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, e := newFake(), entry("a")
		for _, run := range []string{"b", "c", "d", "e"} {
			e.Bodies = append(e.Bodies, entry(run).Bodies...)
		}
		f.entries <- []store.Fetched{e}
		rest := []store.Fetched{} // of the reader and its start alone
		f.start = func(_ int, st store.Start) ([]store.StartReply, error) {
			rest = slices.DeleteFunc(rest, func(e store.Fetched) bool { return slices.Contains(st.Entries, e.ID) })
			for _, taken := range st.Return {
				rest = append(rest, store.Fetched{ID: "rest-" + taken.Message.Runs[0].ID, Bodies: []string{taken.Body}})
			}
			return startAll(st), nil
		}
		f.pending = func(int) ([]store.Fetched, error) { return slices.Clone(rest), nil }
		r := f.run(t, 2, nothing)
		defer r.shut()
		pass(time.Second)
		var order []string
		for _, o := range f.outcomes() {
			order = append(order, o[:1])
		}
		slices.Sort(order[:2])
		slices.Sort(order[2:4])
		if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, order); diff != "" {
			t.Error(diff)
		}
		if n := r.pool.slots.places(); n != 2 {
			t.Errorf("%d places are free", n)
		}
	})
}

func TestReaderReadsItsPendingListAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fetch = func(n int) error {
			if n <= 3 {
				return errDown
			}
			return nil
		}
		r := f.run(t, 1, nothing)
		defer r.shut()
		for _, pause := range []time.Duration{0, firstPause, 2 * firstPause, 4 * firstPause} {
			if pause > 0 {
				pass(pause - 1)
				if calls := f.take(); len(calls) != 0 {
					t.Errorf("%q before a pause of %s had passed", calls, pause)
				}
				pass(1)
			}
			synctest.Wait()
			if diff := cmp.Diff([]string{"pending 1", "fetch 1"}, slices.Compact(f.take())); diff != "" {
				t.Error(diff)
			}
		}
		<-r.pool.Ready()
	})
}

func TestUnknownStartIsAskedAgainWithTheSameOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var owners []string
		f.start = func(n int, st store.Start) ([]store.StartReply, error) {
			owners = append(owners, st.Owner)
			if n < 3 {
				return nil, errDown
			}
			return startAll(st), nil
		}
		f.entries <- []store.Fetched{entry("a")}
		r := f.run(t, 1, nothing)
		defer r.shut()
		pass(time.Second)
		if len(owners) != 3 || owners[0] != owners[2] {
			t.Errorf("owners were %q", owners)
		}
		if diff := cmp.Diff([]string{"a executed"}, f.outcomes()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMessagesAreStartedAsTheyWereFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, e := newFake(), entry("a")
		e.Bodies = append(e.Bodies, entry("b").Bodies...)
		var bodies []string
		f.start = func(_ int, st store.Start) ([]store.StartReply, error) {
			for _, taken := range append(st.Run, st.Return...) {
				bodies = append(bodies, taken.Body)
			}
			return startAll(st), nil
		}
		f.entries <- []store.Fetched{e}
		r := f.run(t, 1, nothing)
		synctest.Wait()
		r.shut()
		if diff := cmp.Diff(e.Bodies, bodies); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReadyAlthoughOtherPartitionsTakeAllRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var r *rig
		first := make(chan struct{})
		f.pending = func(n int) ([]store.Fetched, error) {
			if n == 1 {
				<-first
				r.pool.slots.take(1) // as another partition does
				return nil, errDown
			}
			return nil, nil
		}
		r = f.run(t, 1, nothing)
		defer r.shut()
		close(first)
		pass(time.Minute)
		select {
		case <-r.pool.Ready():
		default:
			t.Error("not ready")
		}
		r.pool.slots.give(1)
	})
}

func TestHandlerThatExitsItsGoroutineFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.entries <- []store.Fetched{entry("a")}
		r := f.run(t, 1, func(context.Context, job.Run) (any, error) { runtime.Goexit(); return nil, nil })
		defer r.shut()
		synctest.Wait()
		if diff := cmp.Diff([]string{"a error"}, f.outcomes()); diff != "" {
			t.Error(diff)
		}
		if r.pool.Busy() != 0 || r.pool.slots.none() {
			t.Error("the place is not free again")
		}
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, causes := newFake(), make(chan error, 1)
		f.entries <- []store.Fetched{entry("a", "b")}
		r := f.run(t, 1, untilEnd(causes))
		synctest.Wait()
		r.stop()
		pass(time.Minute)
		select {
		case <-r.ended:
			t.Fatal("it did not wait for its handler")
		default:
		}
		r.force()
		if cause := <-causes; !errors.Is(cause, ErrShutdown) {
			t.Errorf("cause is %v", cause)
		}
		<-r.ended
		if diff := cmp.Diff([]string{"a cancelled again"}, f.outcomes()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatIsFetchedAfterTheEndIsNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fetch = func(int) error {
			time.Sleep(time.Second)
			return nil
		}
		f.entries <- []store.Fetched{entry("a")}
		r := f.run(t, 1, nothing)
		synctest.Wait()
		f.pending = func(n int) ([]store.Fetched, error) {
			if n == 2 {
				return []store.Fetched{entry("a")}, nil
			}
			return nil, nil
		}
		r.stop()
		<-r.ended
		want := []string{"pending 1", "fetch 1", "pending 500", "back 1", "pending 500"}
		if diff := cmp.Diff(want, f.take()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFollowerKeepsThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, let := newFake(), make(chan struct{})
		f.entries <- []store.Fetched{entry("a", "b", "c")}
		r := f.run(t, 1, func(context.Context, job.Run) (any, error) { <-let; return nil, nil })
		defer r.shut()
		for range 3 {
			synctest.Wait()
			if !r.pool.slots.none() {
				t.Error("the place is free while a run has it")
			}
			let <- struct{}{}
		}
		synctest.Wait()
		if r.pool.slots.free != 1 {
			t.Errorf("%d places are free", r.pool.slots.free)
		}
	})
}

func TestFollowerAfterAForcedShutdownGoesBackUnrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ran := newFake(), 0
		f.finish = func(n int, done []store.Finish) ([]store.FinishReply, error) {
			if n == 1 {
				time.Sleep(time.Second) // the shutdown is forced meanwhile
			}
			return []store.FinishReply{{Next: done[0].Next}}, nil
		}
		f.entries <- []store.Fetched{entry("a", "b")}
		r := f.run(t, 1, func(context.Context, job.Run) (any, error) { ran++; return nil, nil })
		synctest.Wait()
		r.shut()
		if diff := cmp.Diff([]string{"a executed", "b cancelled again"}, f.outcomes()); diff != "" || ran != 1 {
			t.Errorf("%d ran\n%s", ran, diff)
		}
	})
}

func TestRunTwiceIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFake().run(t, 1, nothing)
		synctest.Wait()
		if err := r.pool.Run(t.Context(), t.Context()); err == nil {
			t.Error("it ran twice")
		}
		r.shut()
	})
}
