package executor

import (
	"context"
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

func TestOutcomeIsKeptUntilTheLeaseEnds(t *testing.T) {
	tests := []struct {
		name string
		down time.Duration
		want []string
	}{
		{name: "back in time", down: 9 * time.Second, want: []string{"a executed"}},
		{name: "too late", down: 13 * time.Second},
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
				if dropped := r.observed(ObservedDropped); (dropped == 1) != (tt.want == nil) {
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
				return nil, errDown
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

func TestRefusedOutcomeWhoseFollowerIsOursGoesOn(t *testing.T) {
	tests := []struct {
		name   string
		answer store.Renewal
		ran    []string
		refuse int
	}{
		{name: "answer was lost", answer: store.Renewed, ran: []string{"a", "b"}},
		{name: "run was lost", answer: store.RenewLost, ran: []string{"a"}, refuse: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, ran := newFake(), []string(nil)
				f.renew = func(int) (store.Renewal, error) { return tt.answer, nil }
				f.finish = func(n int, done []store.Finish) ([]store.FinishReply, error) {
					return []store.FinishReply{{Refused: n == 1}}, nil
				}
				f.entries <- []store.Fetched{entry("a", "b")}
				r := f.run(t, 1, func(_ context.Context, run job.Run) (any, error) {
					ran = append(ran, run.ID)
					return nil, nil
				})
				defer r.shut()
				synctest.Wait()
				if diff := cmp.Diff(tt.ran, ran); diff != "" {
					t.Error(diff)
				}
				if n := r.observed(ObservedRefused); n != tt.refuse {
					t.Errorf("%d refused", n)
				}
				if r.pool.slots.none() {
					t.Error("the place is not free again")
				}
			})
		})
	}
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
