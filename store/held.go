package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/carillon-project/carillon/job"
)

// Held is a run that this node has: what Renew and Finish identify it by.
type Held struct {
	RunID string
	Owner string
}

// Renewal is the answer for one run.
type Renewal string

// The answers of Renew.
const (
	Renewed      Renewal = "OK"
	RenewLost    Renewal = "LOST"   // somebody else may run it: stop, and report nothing
	RenewCancels Renewal = "CANCEL" // kept, but somebody asked to cancel it
)

// maxRenew is how many runs one call of the script renews: Lua cannot unpack much more.
const maxRenew = 1000

// Renew keeps the leases of runs of one partition for another lease length.
func (s *Store) Renew(ctx context.Context, partition int, lease time.Duration, held []Held) ([]Renewal, error) {
	answers := make([]Renewal, 0, len(held))
	for chunk := range slices.Chunk(held, maxRenew) {
		some, err := s.renewSome(ctx, s.partitions[partition], lease, chunk)
		if err != nil {
			return nil, err
		}
		answers = append(answers, some...)
	}
	return answers, nil
}

func (s *Store) renewSome(ctx context.Context, k keys, lease time.Duration, held []Held) ([]Renewal, error) {
	args := []any{lease.Milliseconds()}
	for _, h := range held {
		args = append(args, h.RunID, h.Owner)
	}
	reply, err := s.run(ctx, renewScript, []string{k.running(), k.leases()}, args...)
	if err != nil {
		return nil, err
	}
	answers := make([]Renewal, len(held))
	for i, t := range tags(reply) {
		answers[i] = Renewal(t)
	}
	return answers, nil
}

// Finish ends one attempt.
type Finish struct {
	Held
	Message Message // as started; its first run is the one that ended
	Outcome job.Outcome
	Cause   string
	Error   string
	// Retry, when not nil, sends the run again after RetryIn instead of ending it.
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
	Back    bool     // what follows has gone back to the stream, since its executor is paused
}

// Finish ends attempts of one partition and one executor in one call. Calling it again is safe; the
// second answer is Refused then, save that what follows in the slot is told again. When Finish itself
// had to resend after a lost reply, it takes a refusal for the work of its first sending.
func (s *Store) Finish(ctx context.Context, partition int, lease time.Duration, done []Finish) ([]FinishReply, error) {
	if len(done) == 0 {
		return nil, nil
	}
	k := s.partitions[partition]
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
	list, ok := reply.([]any)
	if !ok || len(list) != len(done) {
		return nil, fmt.Errorf("store %s: finish: unexpected answer of %d parts", s.cfg.Name, len(list))
	}
	s.wakeForRetries(ctx, k, done)
	replies := make([]FinishReply, len(done))
	for i, f := range done {
		tag, missed := verdictOf(list[i])
		replies[i].Back = tag == "BACK"
		replies[i].Refused = tag == "REFUSED" && !resent
		if tag == "NEXT" && f.Next != nil {
			next := *f.Next
			next.Runs = next.Runs[min(missed, len(next.Runs)-1):]
			replies[i].Next = &next
		}
	}
	return replies, nil
}

// appendFinish appends what the script takes of one run: its texts are made here, where it is cheap.
func (s *Store) appendFinish(args []any, f Finish) []any {
	m, run, cause, fault := f.Message, f.Message.Runs[0], clean(causeOf(f)), clean(f.Error)
	why := cause
	if why == "" {
		why = fault
	}
	event := func(kind job.EventKind, why string) string {
		return eventLine(kind, m.JobID, run.ID, run.Scheduled, m.Attempt, s.cfg.Node, why)
	}
	head := string(f.Outcome) + "\t" + run.ID + "\t" + strconv.FormatInt(run.Scheduled, 10) + "\t" + strconv.Itoa(m.Attempt) + "\t" + s.cfg.Node + "\t"
	tail := "\t1\t\t" + cause + "\t" + fault + "\t" + resultText(f.Result)
	more := ""
	if f.Outcome == job.Failed || f.Outcome == job.TimedOut {
		more = "d"
	}
	if f.Retry != nil {
		more += "r"
	}
	if f.Next != nil {
		more += "n"
	}
	args = append(args, f.RunID, f.Owner, event(eventOf(f.Outcome), why), head, tail, more)
	if f.Retry != nil {
		args = append(args, f.RetryIn.Milliseconds(), f.Retry.Encode(), event(job.JobRetrying, fault))
	}
	if f.Next != nil {
		args = append(args, f.Next.Encode())
	}
	return args
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
