package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
)

// Finish ends one attempt.
type Finish struct {
	Held
	Message *Message // as started; its first run is the one that ended
	Outcome job.Outcome
	Cause   string
	Error   string
	// Retry, when not nil, sends the run again after RetryIn instead of ending it; if it has several runs, also
	// those that follow (they must not be in Next then). A run that was asked to cancel, or whose job is gone,
	// ends all the same, and what follows goes to the stream or ends with the job.
	Retry   *Message
	RetryIn time.Duration
	// Next, when not nil, is what follows in the same slot.
	Next *Message
	// Result is JSON that is kept with the row of a run that ends: see ResultLimit.
	Result json.RawMessage
}

// FinishReply says what became of it.
type FinishReply struct {
	Refused bool     // the run was not this owner's any more: a late result, counted and dropped
	Next    *Message // what follows has started under the same owner, without what was missed
	Back    bool     // what follows has gone back to the stream
	// Cancelled says that the run, which failed or was to be sent again, ended as cancelled instead, since that
	// was asked for.
	Cancelled bool
	// Removed says that its job is gone: it was not sent again, and what follows was cancelled.
	Removed bool
}

// Finish ends attempts of one partition and one executor in one call. Calling it again is safe; the
// second answer is Refused then, save that what follows in the slot is told again. When Finish itself
// had to resend after a lost reply, it takes a refusal for the work of its first sending. With an error it
// returns the answers for as many of the first attempts as it has ended.
func (s *Store) Finish(ctx context.Context, partition int, lease time.Duration, done []Finish) ([]FinishReply, error) {
	var replies []FinishReply
	for from, to := range portions(len(done), func(i int) weight { return done[i].weight() }) {
		some, err := s.finishPart(ctx, partition, lease, done[from:to])
		if from == 0 && to == len(done) || err != nil && replies == nil {
			return some, err
		}
		replies = append(replies, some...)
		if err != nil {
			return replies, err
		}
	}
	return replies, nil
}

// finishPart is Finish of what one call takes.
func (s *Store) finishPart(ctx context.Context, partition int, lease time.Duration, done []Finish) ([]FinishReply, error) {
	k := s.partitions[partition]
	resentBefore := false
	if plain(done) {
		taken, resent, err := s.finishPlain(ctx, k, done)
		if err != nil {
			return nil, err
		}
		if taken {
			return make([]FinishReply, len(done)), nil
		}
		resentBefore = resent
	}
	keys := append(make([]string, 0, 11+2*len(done)),
		k.events(), k.jobs(), k.running(), k.leases(), k.removed(), k.delayed(), k.delayedRuns(), k.dead(), k.waitingIndex(),
		k.stream(done[0].Message.Executor), k.pausedExecutors())
	args := append(make([]any, 0, 5+6*len(done)), s.env()...)
	args = append(args, lease.Milliseconds())
	for _, f := range done {
		keys = append(keys, k.slot(f.Message.Slot), k.history(f.Message.JobID))
		args = s.appendFinish(args, f)
	}
	reply, resent, err := s.runCounted(ctx, finishScript, keys, args...)
	if err != nil {
		return nil, err
	}
	resent = resent || resentBefore
	list, ok := reply.([]any)
	if !ok || len(list) != len(done) {
		return nil, fmt.Errorf("store %s: finish: unexpected answer of %d parts", s.cfg.Name, len(list))
	}
	s.wakeForRetries(ctx, k, done)
	replies := make([]FinishReply, len(done))
	for i, f := range done {
		replies[i] = finishReply(f, text(list[i]), resent)
	}
	return replies, nil
}

// finishReply reads the tags of one run.
func finishReply(f Finish, tags string, resent bool) (r FinishReply) {
	words := strings.Fields(tags)
	for i, word := range words {
		switch word {
		case "BACK":
			r.Back = true
		case "REFUSED":
			r.Refused = !resent
		case "CANCELLED":
			r.Cancelled = true
		case "REMOVED":
			r.Removed = true
		case "NEXT":
			if n := (numbers{}); f.Next != nil && i+1 < len(words) {
				next := *f.Next
				next.Runs = next.Runs[min(n.count(words[i+1]), len(next.Runs)-1):]
				r.Next = &next
			}
		}
	}
	return r
}

// appendFinish appends what the script takes of one run: its texts are made here, where it is cheap.
func (s *Store) appendFinish(args []any, f Finish) []any {
	more := ""
	if f.dead() {
		more = "d"
	}
	if f.Retry != nil {
		more += "r"
	}
	follows := f.Next
	switch {
	case follows != nil:
		more += "n"
	case f.Retry != nil && len(f.Retry.Runs) > 1:
		follows = f.Retry.Following()
		more += "b"
	}
	event := string(s.appendEvent(nil, f, eventOf(f.Outcome), f.why()))
	args = append(args, f.RunID, f.Owner, event, string(s.appendRow(nil, f)), more)
	if f.Retry != nil {
		retrying := string(s.appendEvent(nil, f, job.JobRetrying, f.Error))
		args = append(args, f.RetryIn.Milliseconds(), f.Retry.Encode(), retrying)
	}
	if follows != nil {
		args = append(args, follows.Encode())
	}
	return args
}

// appendRow appends the history row of f without its times, which the script puts in front.
func (s *Store) appendRow(b []byte, f Finish) []byte {
	run := f.Message.Runs[0]
	b = append(append(b, f.Outcome...), '\t')
	b = append(append(b, run.ID...), '\t')
	b = append(strconv.AppendInt(b, run.Scheduled, 10), '\t')
	b = append(strconv.AppendInt(b, int64(f.Message.Attempt), 10), '\t')
	b = append(append(b, s.cfg.Node...), "\t1\t\t"...)
	b = append(append(b, clean(causeOf(f))...), '\t')
	b = append(append(b, clean(f.Error)...), '\t')
	return append(b, resultText(f.Result)...)
}

// appendEvent appends an event of f.
func (s *Store) appendEvent(b []byte, f Finish, kind job.EventKind, cause string) []byte {
	return appendRunEvent(b, kind, f.Message, f.Message.Runs[0], s.cfg.Node, 0, clean(cause))
}

// wakeForRetries has the leader look at the runs that went to delayed. A wake that is lost costs a
// short backoff up to a second, no more: the leader looks again by itself.
func (s *Store) wakeForRetries(ctx context.Context, k keys, done []Finish) {
	for _, f := range done {
		if f.Retry == nil {
			continue
		}
		if err := s.writer.Publish(ctx, k.wake(), "").Err(); err != nil {
			s.log.Debug("leader not woken for a retry", "error", err)
		}
		return
	}
}

func eventOf(o job.Outcome) job.EventKind {
	switch o {
	case job.Executed:
		return job.JobExecuted
	case job.Cancelled:
		return job.JobCancelled
	case job.Lost:
		return job.JobLost
	case job.Missed:
		return job.JobMissed
	}
	return job.JobError
}

func causeOf(f Finish) string {
	if f.Cause == "" && f.Outcome == job.TimedOut {
		return "timeout"
	}
	return f.Cause
}

// why is the cause that the event of f carries.
func (f Finish) why() string {
	if cause := causeOf(f); cause != "" {
		return cause
	}
	return f.Error
}

// dead reports whether the run is kept among those that failed for good, unless it is tried again.
func (f Finish) dead() bool { return f.Outcome == job.Failed || f.Outcome == job.TimedOut }
