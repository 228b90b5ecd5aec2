package executor

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Bounds of what is kept of an error, in bytes.
const (
	errorLimit = 2000
	stackLimit = 1200
)

// conclude decides what an attempt of the first run of m becomes. err is what the handler returned
// and cause why its context ended, if it did; random is in [0,1). What is returned lacks who
// finishes. report is false when nothing may be said, since the lease is lost.
//
// A handler that returned no error has done its work, whatever happened to its context meanwhile.
// One that a forced shutdown interrupted is run again elsewhere, unless its job says that a run
// must not be repeated (on_lost: drop).
func conclude(m *store.Message, err, cause error, random float64) (f store.Finish, report bool) {
	f = store.Finish{Message: m, Next: m.Following()}
	switch {
	case errors.Is(cause, ErrLeaseLost):
		return store.Finish{}, false
	case err == nil:
		f.Outcome = job.Executed
		return f, true
	case errors.Is(err, errNotBegun):
		return handBack(f), true
	case errors.Is(cause, ErrCancelled):
		f.Outcome, f.Cause, f.Error = job.Cancelled, cancelCause, errorText(err)
		return f, true
	case errors.Is(cause, ErrShutdown):
		if m.OnLost == job.OnLostDrop {
			f.Outcome, f.Cause, f.Error = job.Cancelled, shutdownCause+"; on_lost is drop", errorText(err)
			return f, true
		}
		return handBack(f), true
	case errors.Is(cause, ErrTimeout):
		f.Outcome, f.Cause = job.TimedOut, "timeout"
	default:
		f.Outcome = job.Failed
	}
	f.Error = errorText(err)
	var nobody noHandlerError
	if errors.As(err, &nobody) {
		f.Cause = nobody.Error()
	}
	f.Retry, f.RetryIn = retry(m, err, random)
	return f, true
}

// Causes of runs that end as cancelled, and of those that a forced shutdown interrupts.
const (
	cancelCause   = "cancelled on request"
	removedCause  = "job removed"
	shutdownCause = "node shutdown"
)

// handBack sends what a forced shutdown interrupted, with all that follows it, to another node.
func handBack(f store.Finish) store.Finish {
	f.Outcome, f.Cause, f.Error = job.Cancelled, shutdownCause, shutdownCause
	again := *f.Message
	again.Attempt++
	f.Retry, f.Next = &again, nil
	return f
}

// retry returns the message that tries the first run of m again, and when; nil when it is not to
// be tried again.
func retry(m *store.Message, err error, random float64) (*store.Message, time.Duration) {
	if m.Failed+1 >= m.Retry.MaxAttempts || IsPermanent(err) {
		return nil, 0
	}
	again := *m
	again.Runs = m.Runs[:1:1]
	again.Attempt++
	again.Failed++
	return &again, m.Retry.Backoff.Delay(again.Failed, random)
}

// settled is f as the store took it: a run that was to be tried again ended when its cancellation was asked for,
// or its job is gone.
func settled(f store.Finish, reply store.FinishReply) store.Finish {
	if reply.Cancelled {
		f.Outcome, f.Cause, f.Retry = job.Cancelled, cancelCause, nil
	}
	if reply.Removed {
		f.Retry = nil
	}
	return f
}

// eventOf is the event of an attempt that ended so.
func eventOf(f store.Finish) job.EventKind {
	switch {
	case f.Retry != nil:
		return job.JobRetrying
	case f.Outcome == job.Executed:
		return job.JobExecuted
	case f.Outcome == job.Cancelled:
		return job.JobCancelled
	}
	return job.JobError
}

// causeOf is the cause that the event carries.
func causeOf(f store.Finish) string {
	if f.Retry != nil || f.Cause == "" {
		return f.Error
	}
	return f.Cause
}

// noHandlerError is the error of a run whose task no node of the cluster serves.
type noHandlerError struct{ task string }

func (e noHandlerError) Error() string { return fmt.Sprintf("no node serves task %q", e.task) }

// panicError is what a handler panicked with, and where.
type panicError struct {
	value any
	stack string
}

func (e panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// Unwrap lets errors.Is see an error that was panicked with.
func (e panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// caught makes an error of what recover returned; to be called from the deferred function. The
// text of the value is bounded, so that the stack after it is kept.
func caught(value any) error {
	stack := string(debug.Stack())
	if _, after, ok := strings.Cut(stack, "\npanic("); ok {
		stack = after
		for range 2 { // the rest of the line of panic, and where it stands
			_, stack, _ = strings.Cut(stack, "\n")
		}
	}
	if _, isError := value.(error); !isError {
		value = bounded(fmt.Sprint(value), errorLimit-stackLimit-len("panic: \n"))
	}
	return panicError{value: value, stack: bounded(stack, stackLimit)}
}

// errorText is the bounded text of an error; one whose Error method panics has a text too.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("error of type %T, whose text cannot be had", err)
		}
	}()
	return bounded(err.Error(), errorLimit)
}

// bounded cuts text to at most limit bytes of whole characters.
func bounded(text string, limit int) string {
	const more = "…"
	if len(text) <= limit {
		return text
	}
	end := limit - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
