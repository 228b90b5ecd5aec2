package executor

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/store"
)

func TestLeaseIsRenewedByThirds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, causes := newFake(), make(chan error, 1)
		f.entries <- []store.Fetched{entry("a")}
		r := f.run(t, 1, untilEnd(causes))
		defer r.shut()
		pass(60*time.Second + time.Millisecond)
		if n := f.count["renew "]; n != 15 {
			t.Errorf("%d renewals of a lease of 12 s in 60 s", n)
		}
		if len(causes) != 0 {
			t.Errorf("the handler's context ended: %v", <-causes)
		}
	})
}

func TestLeaseEndsByTheTimeOfTheLastGoodRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, causes := newFake(), make(chan error, 1)
		f.renew = func(n int) (store.Renewal, error) {
			if n == 1 {
				time.Sleep(2 * time.Second) // the answer is slow: the lease counts from the question
				return store.Renewed, nil
			}
			return "", errDown
		}
		begin := time.Now()
		f.entries <- []store.Fetched{entry("a")}
		r := f.run(t, 1, untilEnd(causes))
		defer r.shut()
		if cause := <-causes; !errors.Is(cause, ErrLeaseLost) {
			t.Errorf("cause is %v", cause)
		}
		if after := time.Since(begin); after != 16*time.Second {
			t.Errorf("lost after %s, want 4 s + 12 s", after)
		}
		synctest.Wait()
		if got := f.outcomes(); len(got) != 0 {
			t.Errorf("reported %v", got)
		}
		if n := r.observed(ObservedDropped); n != 1 {
			t.Errorf("%d were counted as dropped, want 1", n)
		}
		if r.pool.slots.none() {
			t.Error("the place is not free again")
		}
	})
}

func TestRenewNowDoesNotWaitForItsTime(t *testing.T) {
	tests := []struct {
		name   string
		answer store.Renewal
		cause  error
		report []string
	}{
		{name: "cancel", answer: store.RenewCancels, cause: ErrCancelled, report: []string{"a cancelled"}},
		{name: "lost", answer: store.RenewLost, cause: ErrLeaseLost},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, causes := newFake(), make(chan error, 1)
				f.renew = func(int) (store.Renewal, error) { return tt.answer, nil }
				f.entries <- []store.Fetched{entry("a")}
				r := f.run(t, 1, untilEnd(causes))
				defer r.shut()
				synctest.Wait()
				begin := time.Now()
				r.pool.RenewNow()
				if cause := <-causes; !errors.Is(cause, tt.cause) || !time.Now().Equal(begin) {
					t.Errorf("cause is %v after %s", cause, time.Since(begin))
				}
				synctest.Wait()
				if diff := cmp.Diff(tt.report, f.outcomes()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestFailedRenewalIsRepeatedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, causes := newFake(), make(chan error, 1)
		f.renew = func(n int) (store.Renewal, error) {
			if n%4 != 0 {
				return "", errDown
			}
			return store.Renewed, nil
		}
		f.entries <- []store.Fetched{entry("a")}
		r := f.run(t, 1, untilEnd(causes))
		defer r.shut()
		pass(time.Minute)
		if len(causes) != 0 {
			t.Errorf("the handler's context ended: %v", <-causes)
		}
	})
}

func TestStartThatIsAnsweredTooLateDoesNotRun(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
		runs  bool
	}{
		{name: "in time", after: 12*time.Second - 1, runs: true},
		{name: "too late", after: 12 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, causes := newFake(), make(chan error, 1)
				f.start = func(_ int, st store.Start) ([]store.StartReply, error) {
					time.Sleep(tt.after)
					return startAll(st), nil
				}
				f.entries <- []store.Fetched{entry("a")}
				r := f.run(t, 1, untilEnd(causes))
				defer r.shut()
				pass(tt.after)
				if got := r.observed(ObservedStart) + r.pool.Busy() + len(causes); (got > 0) != tt.runs {
					t.Errorf("ran: %v", got > 0)
				}
				if r.pool.slots.none() && !tt.runs {
					t.Error("the place is not free again")
				}
			})
		})
	}
}
