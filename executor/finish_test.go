package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestLoneOutcomeIsReportedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := f.run(t, 1, nothing)
		defer r.shut()
		synctest.Wait()
		begin := time.Now()
		f.entries <- []store.Fetched{entry("a")}
		synctest.Wait()
		if diff := cmp.Diff([]string{"a executed"}, f.outcomes()); diff != "" || !time.Now().Equal(begin) {
			t.Errorf("after %s: %s", time.Since(begin), diff)
		}
	})
}

func TestOutcomesGatherWhileOneIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var sizes []int // by the finisher alone
		f.finish = func(n int, done []store.Finish) ([]store.FinishReply, error) {
			sizes = append(sizes, len(done))
			if n == 1 {
				time.Sleep(time.Second)
			}
			return make([]store.FinishReply, len(done)), nil
		}
		r := f.run(t, 1000, nothing)
		defer r.shut()
		f.entries <- []store.Fetched{entry("a")}
		synctest.Wait()
		var many []store.Fetched
		for i := range 2*finishLimit + 50 {
			many = append(many, entry(fmt.Sprint(i)))
		}
		f.entries <- many
		pass(2 * time.Second)
		if diff := cmp.Diff([]int{1, finishLimit, finishLimit, 50}, sizes); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPlainOutcomesAreReportedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		most := map[bool]int{} // in one call, by plain or not
		f.finish = func(n int, done []store.Finish) ([]store.FinishReply, error) {
			if n == 1 {
				time.Sleep(time.Second)
			}
			replies := make([]store.FinishReply, len(done))
			for i, d := range done {
				replies[i].Next = d.Next
				if d.Plain() != done[0].Plain() {
					t.Errorf("a call of both kinds: %+v", done)
				}
			}
			most[done[0].Plain()] = max(most[done[0].Plain()], len(done))
			return replies, nil
		}
		r := f.run(t, 1000, nothing)
		defer r.shut()
		f.entries <- []store.Fetched{entry("first")}
		synctest.Wait()
		f.entries <- []store.Fetched{entry("a"), entry("b", "c"), entry("d"), entry("e", "f"), entry("g")}
		pass(2 * time.Second)
		if diff := cmp.Diff(map[bool]int{true: 3, false: 2}, most); diff != "" || len(f.outcomes()) != 8 {
			t.Errorf("%d outcomes, want 8; most in a call: %s", len(f.outcomes()), diff)
		}
	})
}

func TestOutcomeIsReportedUntilItIsTaken(t *testing.T) {
	tests := []struct {
		name string
		down time.Duration
		want []string
	}{
		{name: "back in time", down: 9 * time.Second, want: []string{"a executed"}},
		{name: "after the lease has ended here", down: 16 * time.Second, want: []string{"a executed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, begin := newFake(), time.Now()
				f.finish = func(_ int, done []store.Finish) ([]store.FinishReply, error) {
					if time.Since(begin) < tt.down {
						return nil, errDown
					}
					return make([]store.FinishReply, len(done)), nil
				}
				f.entries <- []store.Fetched{entry("a")}
				r := f.run(t, 1, nothing)
				pass(20 * time.Second)
				if diff := cmp.Diff(tt.want, f.outcomes()); diff != "" {
					t.Error(diff)
				}
				if dropped := r.observed(ObservedDropped); dropped != 0 {
					t.Errorf("%d dropped", dropped)
				}
				if n := f.count["finish "]; n > 20 {
					t.Errorf("tried %d times", n)
				}
				r.stop()
				<-r.ended // nothing holds an orderly shutdown up
			})
		})
	}
}

func TestOutcomeThatCannotBeTakenHoldsNoOtherUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.finish = func(_ int, done []store.Finish) ([]store.FinishReply, error) {
			if slices.ContainsFunc(done, func(d store.Finish) bool { return d.RunID == "poison" }) {
				return nil, replyError("ERR user_script: bad argument")
			}
			return make([]store.FinishReply, len(done)), nil
		}
		entries := []store.Fetched{entry("poison")}
		for i := range 30 {
			entries = append(entries, entry(fmt.Sprint(i)))
		}
		f.entries <- entries
		r := f.run(t, 100, nothing)
		defer r.shut()
		pass(15 * time.Second)
		if n := len(f.outcomes()); n != 30 {
			t.Errorf("%d of 30 were reported", n)
		}
		if n := r.observed(ObservedDropped); n != 1 {
			t.Errorf("%d were dropped", n)
		}
	})
}

func TestLeaseOfAFollowerCountsFromTheFirstSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, causes, begin := newFake(), make(chan error, 1), time.Now()
		var renewal time.Duration
		f.renew = func(n int) (store.Renewal, error) {
			if n == 1 {
				renewal = time.Since(begin)
			}
			return "", errDown
		}
		f.finish = func(n int, done []store.Finish) ([]store.FinishReply, error) {
			if n == 1 { // taken, but the answer is lost
				time.Sleep(5 * time.Second)
				return nil, errDown
			}
			return []store.FinishReply{{Next: done[0].Next}}, nil
		}
		f.entries <- []store.Fetched{entry("a", "b")}
		r := f.run(t, 1, func(ctx context.Context, run job.Run) (any, error) {
			if run.ID == "a" {
				return nil, nil
			}
			return untilEnd(causes)(ctx, run)
		})
		defer r.shut()
		if cause := <-causes; !errors.Is(cause, ErrLeaseLost) {
			t.Errorf("cause is %v", cause)
		}
		if after := time.Since(begin); after != 12*time.Second {
			t.Errorf("lost after %s", after)
		}
		synctest.Wait()
		if renewal != 5*time.Second+firstPause {
			t.Errorf("first renewed after %s, want at once", renewal)
		}
	})
}

func TestRefusedOutcomeIsCountedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.finish = func(int, []store.Finish) ([]store.FinishReply, error) {
			return []store.FinishReply{{Refused: true}}, nil
		}
		var heard []job.EventKind
		f.entries <- []store.Fetched{entry("a", "b")}
		r := f.run(t, 1, nothing, func(c *Config) { c.Listen = func(e job.Event) { heard = append(heard, e.Kind) } })
		defer r.shut()
		synctest.Wait()
		if n := r.observed(ObservedRefused); n != 1 || r.pool.slots.none() {
			t.Errorf("%d refused; place taken: %v", n, r.pool.slots.none())
		}
		if diff := cmp.Diff([]job.EventKind{job.JobStarted}, heard); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFollowerWhoseStartIsHeardTooLateDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ran := newFake(), 0
		f.finish = func(_ int, done []store.Finish) ([]store.FinishReply, error) {
			time.Sleep(12 * time.Second)
			return []store.FinishReply{{Next: done[0].Next}}, nil
		}
		f.entries <- []store.Fetched{entry("a", "b")}
		r := f.run(t, 1, func(context.Context, job.Run) (any, error) { ran++; return nil, nil })
		defer r.shut()
		pass(13 * time.Second)
		if ran != 1 || r.pool.slots.none() {
			t.Errorf("%d ran; place taken: %v", ran, r.pool.slots.none())
		}
	})
}

// replyError is an error that Redis answers with.
type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

// A shutdown that is forced ends although outcomes cannot be reported.
func TestForcedShutdownDropsWhatCannotBeReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begin := newFake(), time.Now()
		f.finish = func(int, []store.Finish) ([]store.FinishReply, error) { return nil, errDown }
		f.entries <- []store.Fetched{entry("a")}
		r := f.run(t, 1, nothing)
		pass(time.Minute)
		r.shut()
		if took := time.Since(begin) - time.Minute; took > DefaultGrace+lastPause {
			t.Errorf("it took %s", took)
		}
		if n := r.observed(ObservedDropped); n != 1 {
			t.Errorf("%d were dropped", n)
		}
	})
}

// Reports wake when the store answers a read: nothing is left of their pause, and they are in before the next start. Without that the reader is back 500 ms before the finisher.
func TestReportsComeBeforeStartsWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begin := newFake(), time.Now()
		down := func() error {
			if d := time.Since(begin); d > 1500*time.Millisecond && d < 6*time.Second {
				return errDown
			}
			return nil
		}
		f.down, f.fetch = down, func(int) error { return down() }
		f.finish = func(_ int, done []store.Finish) ([]store.FinishReply, error) {
			if err := down(); err != nil {
				return nil, err
			}
			f.note("reported ", fmt.Sprint(len(done)))
			return make([]store.FinishReply, len(done)), nil
		}
		f.entries <- []store.Fetched{entry("a"), entry("b"), entry("c")}
		r := f.run(t, 8, lasting2(2500*time.Millisecond))
		defer r.shut()
		pass(3 * time.Second)
		f.entries <- []store.Fetched{entry("d")}
		f.take()
		pass(10 * time.Second)
		calls := slices.DeleteFunc(f.take(), func(c string) bool { return c[:5] != "start" && c != "reported 3" })
		if at := slices.Index(calls, "start 1+0"); at < 1 || calls[at-1] != "reported 3" {
			t.Errorf("calls were %q, want one report of all three before the start", calls)
		}
	})
}

func lasting2(d time.Duration) Handler {
	return func(context.Context, job.Run) (any, error) {
		time.Sleep(d)
		return nil, nil
	}
}
