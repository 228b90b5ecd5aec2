package store

import (
	"context"
	"fmt"

	"github.com/carillon-project/carillon/job"
)

// Dead is a run that failed for good: its message as it was last started, whose first run it is.
type Dead struct {
	Message
	Partition int
	// Unreadable is why the message cannot be read, of one that was set aside; job and run are told
	// as far as they are known then, and nothing else is.
	Unreadable string

	body string
}

// DeadRuns returns up to limit runs that failed for good and were not retried, the latest first
// within a partition. Each partition keeps the latest 1,000.
func (s *Store) DeadRuns(ctx context.Context, limit int) ([]Dead, error) {
	var all []Dead
	for p, k := range s.partitions {
		bodies, err := s.reader.LRange(ctx, k.dead(), 0, int64(limit)-1).Result()
		if err != nil {
			return nil, s.explain("dead runs", err)
		}
		for _, body := range bodies {
			d, err := decodeDead(p, body)
			if err != nil {
				s.warnOnce("dead run cannot be read, left out", k.dead(), body[:min(len(body), 100)], "partition", p, "error", err)
				continue
			}
			all = append(all, d)
		}
	}
	return all[:min(limit, len(all))], nil
}

// maxDead is how many runs the list of a partition holds at most.
const maxDead = 1000

// FindDead returns a run that failed for good. ErrRunNotFound when it is not in the list.
func (s *Store) FindDead(ctx context.Context, runID string) (Dead, error) {
	all, err := s.DeadRuns(ctx, maxDead*len(s.partitions))
	if err != nil {
		return Dead{}, err
	}
	for _, d := range all {
		if runID != "" && d.Runs[0].ID == runID {
			return d, nil
		}
	}
	return Dead{}, runNotFound(runID, "it is not among the runs that failed for good")
}

// Retry takes a run out of the dead list and sends again in its place, as a new run; both or
// neither. op identifies the call: a repeat of it gets the same answer. ErrRunNotFound when the
// run is not in the list, since it was retried before or many failed after it; ErrJobNotFound
// when its job was removed; ErrUnreadable when its message was set aside; ErrLineFull when 1,000 runs
// wait for its slot: it stays in the list then.
func (s *Store) Retry(ctx context.Context, op string, d Dead, again Message) error {
	if d.Unreadable != "" {
		return fmt.Errorf("store: retry run %s: %w: trigger the job or enqueue the task again: %s", d.Runs[0].ID, ErrUnreadable, d.Unreadable)
	}
	k := s.partitions[d.Partition]
	old := d.Runs[0].ID
	keys := []string{
		k.events(), k.jobs(), k.op(op), k.dead(), k.removed(), k.stream(again.Executor),
		k.slot(again.Slot), k.waiting(again.Slot), k.waitingRuns(again.Slot), k.waitingIndex(), k.removedDead(),
	}
	lineUp := "0"
	if d.Overlap == job.OverlapQueue {
		lineUp = "1"
	}
	args := append(s.env(), int(opLife.Seconds()), d.body, again.Encode(), "retry of "+old, lineUp)
	reply, err := s.run(ctx, retryScript, keys, args...)
	if refused(err) {
		return err
	}
	switch text(reply) {
	case "MISSING":
		return runNotFound(old, "it is not among the runs that failed for good")
	case "REMOVED":
		return fmt.Errorf("store: retry run %s: %w: %q was removed", old, ErrJobNotFound, d.JobID)
	case "FULL":
		return fmt.Errorf("store: retry run %s: %w: 1,000 runs wait for slot %q; it is still among the dead runs, retry it when the line is shorter", old, ErrLineFull, again.Slot)
	}
	return err
}
