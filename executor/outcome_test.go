package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var errNo = errors.New("no")

func sample(adjust ...func(*store.Message)) store.Message {
	m := store.Message{
		Attempt: 2, Lost: 1, JobID: "j", Task: "t", OnLost: job.OnLostRerun, Runs: []store.MessageRun{{ID: "a"}, {ID: "b"}},
	}
	for _, f := range adjust {
		f(&m)
	}
	return m
}

func alone(m *store.Message) { m.Runs = m.Runs[:1] }
func drops(m *store.Message) { m.OnLost = job.OnLostDrop }
func retries(failed, attempts int) func(*store.Message) {
	none := 0.0
	return func(m *store.Message) {
		m.Failed = failed
		m.Retry = job.Retry{MaxAttempts: attempts, Backoff: job.Backoff{Jitter: &none}}
	}
}

func TestConclude(t *testing.T) {
	const silent = "silent"
	tests := []struct {
		name  string
		m     store.Message
		err   error
		cause error
		want  string // outcome, cause, retry "attempt/failed/runs in delay", next "attempt/runs"
	}{
		{name: "success", m: sample(alone), want: "executed"},
		{name: "success, others follow", m: sample(), want: "executed next 1/b"},
		{name: "success in spite of a timeout", m: sample(alone), cause: ErrTimeout, want: "executed"},
		{name: "success in spite of a cancellation", m: sample(alone), cause: ErrCancelled, want: "executed"},
		{name: "success in spite of a shutdown", m: sample(alone), cause: ErrShutdown, want: "executed"},
		{name: "success with a lost lease", m: sample(alone), cause: ErrLeaseLost, want: silent},
		{name: "error with a lost lease", m: sample(alone, retries(0, 9)), err: errNo, cause: ErrLeaseLost, want: silent},
		{name: "error", m: sample(alone), err: errNo, want: "error"},
		{name: "error, others follow", m: sample(), err: errNo, want: "error next 1/b"},
		{name: "error, one attempt", m: sample(alone, retries(0, 1)), err: errNo, want: "error"},
		{name: "error, attempts left", m: sample(retries(0, 2)), err: errNo, want: "error retry 3/1/a in 1s next 1/b"},
		{name: "error, second backoff", m: sample(alone, retries(1, 3)), err: errNo, want: "error retry 3/2/a in 2s"},
		{name: "error, none left", m: sample(alone, retries(2, 3)), err: errNo, want: "error"},
		{name: "permanent", m: sample(alone, retries(0, 3)), err: fmt.Errorf("x: %w", Permanent(errNo)), want: "error"},
		{name: "timeout", m: sample(alone), err: errNo, cause: ErrTimeout, want: "timeout (timeout)"},
		{name: "timeout, attempts left", m: sample(alone, retries(0, 2)), err: errNo, cause: ErrTimeout, want: "timeout (timeout) retry 3/1/a in 1s"},
		{name: "cancelled", m: sample(retries(0, 3)), err: errNo, cause: ErrCancelled, want: "cancelled (cancelled on request) next 1/b"},
		{name: "shutdown", m: sample(), err: errNo, cause: ErrShutdown, want: "cancelled (node shutdown) retry 3/0/a,b in 0s"},
		{name: "shutdown, must not be repeated", m: sample(drops), err: errNo, cause: ErrShutdown, want: "cancelled (node shutdown; on_lost is drop) next 1/b"},
		{name: "shutdown before it began", m: sample(drops), err: errNotBegun, want: "cancelled (node shutdown) retry 3/0/a,b in 0s"},
		{name: "no handler", m: sample(alone, retries(0, 3)), err: Permanent(noHandlerError{"t"}), want: `error (no node serves task "t")`},
		{name: "own cause of a middleware", m: sample(alone), err: errNo, cause: context.Canceled, want: "error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, report := conclude(&tt.m, tt.err, tt.cause, 0.5)
			got := silent
			if report {
				got = describe(f)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func describe(f store.Finish) string {
	ids := func(runs []store.MessageRun) string {
		var all []string
		for _, r := range runs {
			all = append(all, r.ID)
		}
		return strings.Join(all, ",")
	}
	s := string(f.Outcome)
	if f.Cause != "" {
		s += " (" + f.Cause + ")"
	}
	if f.Retry != nil {
		s += fmt.Sprintf(" retry %d/%d/%s in %s", f.Retry.Attempt, f.Retry.Failed, ids(f.Retry.Runs), f.RetryIn)
	}
	if f.Next != nil {
		s += fmt.Sprintf(" next %d/%s", f.Next.Attempt, ids(f.Next.Runs))
		if f.Next.Lost != 0 || f.Next.Failed != 0 {
			s += " with a past"
		}
	}
	return s
}

// Every run of a message is accounted for exactly once: it has an outcome, is sent again, or
// follows.
func TestConcludeLosesNoRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := sample(retries(rapid.IntRange(0, 3).Draw(t, "failed"), rapid.IntRange(0, 3).Draw(t, "attempts")))
		m.OnLost = rapid.SampledFrom([]job.OnLost{job.OnLostRerun, job.OnLostDrop}).Draw(t, "on_lost")
		m.Runs = nil
		for i := range rapid.IntRange(1, 4).Draw(t, "runs") {
			m.Runs = append(m.Runs, store.MessageRun{ID: fmt.Sprint(i)})
		}
		err := rapid.SampledFrom([]error{nil, errNo, Permanent(errNo), errNotBegun}).Draw(t, "err")
		cause := rapid.SampledFrom([]error{nil, ErrCancelled, ErrTimeout, ErrShutdown}).Draw(t, "cause")
		f, report := conclude(&m, err, cause, 0.5)
		if !report {
			t.Fatal("nothing is reported of a kept lease")
		}
		count := map[string]int{}
		if f.Retry == nil {
			count["0"]++ // it ends here
		} else {
			for _, r := range f.Retry.Runs {
				count[r.ID]++
			}
		}
		if f.Next != nil {
			for _, r := range f.Next.Runs {
				count[r.ID]++
			}
		}
		for _, r := range m.Runs {
			if count[r.ID] != 1 {
				t.Fatalf("run %s stands %d times in %s", r.ID, count[r.ID], describe(f))
			}
		}
		if f.Retry != nil && f.Retry.Attempt != m.Attempt+1 {
			t.Fatalf("attempt %d follows %d", f.Retry.Attempt, m.Attempt)
		}
	})
}

func TestEventOf(t *testing.T) {
	tests := []struct {
		name  string
		f     store.Finish
		kind  job.EventKind
		cause string
	}{
		{name: "executed", f: store.Finish{Outcome: job.Executed}, kind: job.JobExecuted},
		{name: "error", f: store.Finish{Outcome: job.Failed, Error: "no"}, kind: job.JobError, cause: "no"},
		{name: "timeout", f: store.Finish{Outcome: job.TimedOut, Cause: "timeout", Error: "x"}, kind: job.JobError, cause: "timeout"},
		{name: "cancelled", f: store.Finish{Outcome: job.Cancelled, Cause: "c"}, kind: job.JobCancelled, cause: "c"},
		{name: "retry", f: store.Finish{Outcome: job.Failed, Error: "no", Retry: &store.Message{}}, kind: job.JobRetrying, cause: "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if k, c := eventOf(tt.f), causeOf(tt.f); k != tt.kind || c != tt.cause {
				t.Errorf("got %s %q", k, c)
			}
		})
	}
}

type badError struct{ p *int }

func (e *badError) Error() string { return fmt.Sprint(*e.p) }

func TestErrorTextIsBoundedAndSafe(t *testing.T) {
	if got := errorText(&badError{}); !strings.Contains(got, "badError") {
		t.Errorf("got %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Repeat(rapid.String().Draw(t, "text"), rapid.IntRange(1, 500).Draw(t, "times"))
		got := errorText(errors.New(text))
		if len(got) > errorLimit || utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Fatalf("%d bytes, valid %v", len(got), utf8.ValidString(got))
		}
		if len(text) <= errorLimit && got != text {
			t.Fatal("a short text was changed")
		}
	})
}

func explode(v any) (err error) {
	defer func() { err = caught(recover()) }()
	panic(v)
}

func TestPanicKeepsItsStackAndCause(t *testing.T) {
	err := explode(strings.Repeat("x", 1<<20))
	text := errorText(err)
	if !strings.HasPrefix(text, "panic: xxx") || !strings.Contains(text, "executor.explode") {
		t.Errorf("got %s", text)
	}
	if err := explode(Permanent(errNo)); !errors.Is(err, errNo) || !IsPermanent(err) {
		t.Errorf("the error within is lost: %v", err)
	}
}

func TestPermanentNil(t *testing.T) {
	if Permanent(nil) != nil {
		t.Error("Permanent(nil) is not nil")
	}
}

func TestTroubleDelayGrowsToItsLimit(t *testing.T) {
	for failed, want := range map[int]time.Duration{1: firstPause, 2: 2 * firstPause, 100: lastPause} {
		tr := trouble{rand: func() float64 { return 1 }, failed: failed}
		if got := tr.delay(time.Hour); got != want {
			t.Errorf("after %d failures: %s, want %s", failed, got, want)
		}
		tr.rand = func() float64 { return 0 }
		if got := tr.delay(time.Hour); got != want/2 {
			t.Errorf("after %d failures, at least: %s, want %s", failed, got, want/2)
		}
	}
}
