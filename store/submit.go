package store

import (
	"context"
	"errors"
	"time"

	"github.com/carillon-project/carillon/job"
)

// Submission is runs to enqueue, all in one partition and for one executor. Op, Answer and Messages
// are required.
type Submission struct {
	Op     string        // a repeat of it within Life does nothing and gets the first answer
	Answer string        // what is kept under Op, usually the run id
	Life   time.Duration // how long; at least ten minutes
	JobID  string        // a job that must still be there, with
	UID    string        // this uid; both empty for ad-hoc runs
	At     int64         // when they are due, Unix ms; what is not after now goes to the stream at once
	// Cause says in the event why they were submitted. Empty means "enqueued", or "enqueued for" the
	// time.
	Cause    string
	Messages []Message
}

// Submit carries out a submission, once per op. It returns the kept answer: of this call, or of the
// first with the op. ErrJobNotFound when the job is not there any more.
func (s *Store) Submit(ctx context.Context, partition int, sub Submission) (string, error) {
	if len(sub.Messages) == 0 {
		return "", errors.New("store: enqueue: no messages")
	}
	k := s.partitions[partition]
	keys := []string{k.events(), k.jobs(), k.stream(sub.Messages[0].Executor), k.delayed(), k.delayedRuns(), k.op(sub.Op)}
	largest := 0
	for i := range sub.Messages {
		largest = max(largest, sub.Messages[i].weight().bytes)
	}
	args := append(make([]any, 0, 11+3*len(sub.Messages)), s.env()...)
	args = append(args, lifeOf(sub.Life), sub.JobID, sub.UID, timeOrEmpty(sub.At), k.wake(), share(len(sub.Messages), largest), sub.Answer)
	cause := sub.cause()
	for _, m := range sub.Messages {
		var events []byte
		for i, r := range m.Runs {
			if i > 0 {
				events = append(events, '\n')
			}
			events = appendRunEvent(events, job.JobSubmitted, &m, r, s.cfg.Node, 0, cause)
		}
		args = append(args, m.Runs[0].ID, m.Encode(), events)
	}
	reply, err := s.run(ctx, enqueueScript, keys, args...)
	if refused(err) {
		return "", err
	}
	if text(reply) == "MISSING" {
		return "", notFound("trigger job", sub.JobID)
	}
	return text(reply), err
}

// cause is what the events say.
func (sub Submission) cause() string {
	if sub.Cause != "" {
		return clean(sub.Cause)
	}
	if sub.At != 0 {
		return "enqueued for " + job.FormatTime(time.UnixMilli(sub.At))
	}
	return "enqueued"
}

// Enqueue puts runs into their executor's stream, all in one partition and for one executor, once
// per op: a repeat within life gets the answer that the first call kept. answer is what is kept,
// usually the run ids. jobID and uid name a job that must still be that one, or are empty.
func (s *Store) Enqueue(ctx context.Context, partition int, op, answer string, life time.Duration, jobID, uid string, messages []Message) (string, error) {
	return s.Submit(ctx, partition, Submission{Op: op, Answer: answer, Life: life, JobID: jobID, UID: uid, Messages: messages})
}

// Life returns the token with which the present life of a name began, in one partition. When there is none
// it begins one with the given token, which ends after life, or ten minutes if that is longer.
func (s *Store) Life(ctx context.Context, partition int, name, token string, life time.Duration) (string, error) {
	reply, err := s.run(ctx, lifeScript, []string{s.partitions[partition].op(name)}, lifeOf(life), token)
	if refused(err) {
		return "", err
	}
	return text(reply), err
}

// Backfill puts runs of past times of a job into its stream; each run at most once within life,
// however often and with whatever others it is sent. At most 500 runs a call. ErrJobNotFound when
// the job is not there any more.
func (s *Store) Backfill(ctx context.Context, e Entry, cause string, life time.Duration, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	for from, to := range portions(len(messages), func(i int) weight { return messages[i].weight() }) {
		if err := s.backfillPart(ctx, e, cause, life, messages[from:to]); err != nil {
			return err
		}
	}
	return nil
}

// backfillPart is Backfill of what one call of the script takes.
func (s *Store) backfillPart(ctx context.Context, e Entry, cause string, life time.Duration, messages []Message) error {
	id := e.Job.ID
	k := s.partitions[s.PartitionOf(id)]
	keys := []string{k.events(), k.jobs(), k.stream(e.Job.Executor)}
	args := append(s.env(), lifeOf(life), id, e.UID, clean(cause))
	for _, m := range messages {
		for _, run := range m.Runs {
			keys = append(keys, k.op(run.ID))
		}
		args = append(args, m.Encode())
	}
	reply, err := s.run(ctx, backfillScript, keys, args...)
	if !refused(err) && text(reply) == "MISSING" {
		return notFound("backfill job", id)
	}
	return err
}
