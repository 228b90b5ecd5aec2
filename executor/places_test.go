package executor

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// lasting is a handler that takes a millisecond, but an hour for the runs that are named.
func lasting(long ...string) Handler {
	return func(ctx context.Context, r job.Run) (any, error) {
		d := time.Millisecond
		if slices.Contains(long, r.ID) {
			d = time.Hour
		}
		ctx, end := context.WithTimeout(ctx, d)
		defer end()
		<-ctx.Done()
		return nil, nil
	}
}

// queued is a queue whose reads return one entry each, but the first, which returns two.
func queued(runs ...string) *fake {
	f := newFake()
	f.entries <- []store.Fetched{entry(runs[0]), entry(runs[1])}
	for _, run := range runs[2:] {
		f.entries <- []store.Fetched{entry(run)}
	}
	return f
}

func TestWhatWasFetchedAheadGoesBackWhenNoPlaceComesFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := queued("a", "b", "c", "d", "e", "f")
		r := f.run(t, 2, lasting("c", "d"))
		pass(time.Millisecond) // the first two have ended, the next two have not
		pass(holdLimit - 2*time.Millisecond)
		if calls := f.take(); slices.Contains(calls, "back 1") || len(f.entries) != 1 {
			t.Errorf("%v were asked for, %d reads are left", calls, len(f.entries))
		}
		pass(2 * time.Millisecond)
		if diff := cmp.Diff([]string{"back 1"}, f.take()); diff != "" {
			t.Error(diff)
		}
		pass(59 * time.Minute)
		if calls := slices.DeleteFunc(f.take(), func(c string) bool { return c[:5] == "renew" }); len(calls) > 0 {
			t.Errorf("%v were asked for without room", calls)
		}
		pass(time.Minute)
		if diff := cmp.Diff([]string{"a executed", "b executed", "c executed", "d executed", "f executed"}, inOrder(f.outcomes())); diff != "" {
			t.Error(diff)
		}
		r.shut()
	})
}

// Handlers that take long do not keep a node's hand on what it cannot start.
func TestNothingIsHoardedWhileNoPlaceComesFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := f.run(t, 8, lasting("r0", "r1", "r2", "r3", "s0", "s1", "s2", "s3", "t0", "t1", "t2", "t3"))
		crowd := func(letter string, n int) (all []store.Fetched) {
			for i := range n {
				all = append(all, entry(letter+string(rune('0'+i))))
			}
			return all
		}
		f.entries <- crowd("q", 8)
		f.entries <- crowd("r", 4)
		f.entries <- crowd("s", 4)
		f.entries <- crowd("t", 4)
		f.entries <- crowd("u", 4)
		pass(time.Minute)
		back := func(call string) bool { return strings.HasPrefix(call, "back ") }
		calls := f.take()
		if n := len(slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return !back(c) })); n != 1 || len(f.entries) != 1 {
			t.Errorf("%v were asked for, %d reads are left, want one that goes back and one that is left", calls, len(f.entries))
		}
		r.shut()
	})
}

func TestPendingIsReadAfterWhatWasFetchedAheadCouldNotGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := queued("a", "b", "c", "d", "e", "f")
		f.back = func(n int) error {
			if n == 1 {
				return errDown
			}
			return nil
		}
		r := f.run(t, 2, lasting("c", "d"))
		pass(3 * time.Second)
		calls := f.take()
		at := slices.Index(calls, "back 1")
		if at < 0 || at+1 == len(calls) || calls[at+1] != "pending 1" {
			t.Errorf("%v were asked for, want the pending list after what could not go back", calls)
		}
		r.shut()
	})
}

// What was fetched ahead is in the pending list, and is taken from there after an error.
func TestWhatWasFetchedAheadIsForgottenWhenTheExecutorIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, asked := queued("a", "b", "c", "d", "e", "f"), []string{}
		f.start = func(_ int, st store.Start) ([]store.StartReply, error) {
			run := st.Run[0].Message.Runs[0].ID
			if asked = append(asked, run); run != "d" {
				return startAll(st), nil
			}
			time.Sleep(time.Second)
			return []store.StartReply{{Verdict: store.StartPaused, Message: st.Run[0].Message}}, nil
		}
		r := f.run(t, 2, lasting())
		pass(time.Second / 2) // the start of d is under way, that of e is to follow, and f is ahead
		if len(f.entries) != 0 {
			t.Fatalf("%d reads are left, none was ahead", len(f.entries))
		}
		pass(time.Minute)
		r.shut()
		if slices.Contains(asked, "f") || r.pool.slots.free != 2 {
			t.Errorf("starts of %v were asked for, %d places are free", asked, r.pool.slots.free)
		}
	})
}

func TestCut(t *testing.T) {
	of := func(sizes ...int) (s sorted) {
		for _, n := range sizes {
			s.start = append(s.start, opened{messages: make([]store.Message, n)})
			s.count += n
		}
		return s
	}
	for _, tt := range []struct {
		name        string
		s           sorted
		room        int
		first, rest int // messages
	}{
		{name: "all", s: of(3, 3), room: 6, first: 6},
		{name: "some", s: of(3, 3, 1), room: 5, first: 3, rest: 4},
		{name: "one that is too large", s: of(8, 8), room: 2, first: 8, rest: 8},
		{name: "none there", s: of(), room: 2},
		{name: "nudges come first", s: sorted{nudges: make([]nudge, 2), start: of(1, 1, 1).start, count: 3}, room: 4, first: 2, rest: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.s
			first := s.cut(tt.room, true)
			if first.count != tt.first || s.count != tt.rest || len(first.nudges) != len(tt.s.nudges) || len(s.nudges) != 0 {
				t.Errorf("%d messages and %d are left, want %d and %d", first.count, s.count, tt.first, tt.rest)
			}
			if len(first.start)+len(s.start) != len(tt.s.start) {
				t.Errorf("%d and %d entries of %d", len(first.start), len(s.start), len(tt.s.start))
			}
		})
	}
}
