package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// cancelRounds bounds how often a run that moves is looked for again.
const cancelRounds = 10

// Cancel ends a run. One that a node has is asked to end: the node learns it at its next renewal, or
// at once when it listens. One that has not started is closed at once, with the outcome cancelled,
// also when a node has fetched it. ErrRunFollows when it follows another run in its slot, which has
// to end first; ErrRunNotFound when it has ended or never was, or lies beyond ScanLimit.
func (s *Store) Cancel(ctx context.Context, runID string) error {
	for range cancelRounds {
		for _, k := range s.partitions {
			if asked, err := s.cancelRunning(ctx, k, runID); asked || err != nil {
				return err
			}
		}
		p, err := s.Find(ctx, runID)
		if err != nil {
			return err
		}
		if p.Place == InRunning {
			if p.index(runID) > 0 {
				return fmt.Errorf("store: cancel run %s: %w: %s; cancel it when that has ended", runID, ErrRunFollows, p.Runs[0].ID)
			}
			continue // it has started meanwhile
		}
		done, err := s.withdraw(ctx, p, runID)
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("store: cancel run %s: %w: it moved %d times; try again", runID, ErrChanged, cancelRounds)
}

// cancelRunning asks the node that has the run in this partition, if one has.
func (s *Store) cancelRunning(ctx context.Context, k keys, runID string) (asked bool, err error) {
	reply, err := s.run(ctx, cancelScript, []string{k.events(), k.jobs(), k.running()}, append(s.env(), k.wake(), runID)...)
	return text(reply) == "CANCELLING", err
}

// withdraw takes a run out of where it was found; done is false when it is not there any more.
func (s *Store) withdraw(ctx context.Context, p Placed, runID string) (done bool, err error) {
	k := s.partitions[p.Partition]
	at, hash, entry, slot := k.delayed(), k.delayedRuns(), p.Runs[0].ID, ""
	switch p.Place {
	case InStream:
		at, entry = k.stream(p.Executor), p.Entry
	case InWaiting:
		at, hash, slot = k.waiting(p.Slot), k.waitingRuns(p.Slot), p.Slot
	}
	keys := []string{k.events(), k.jobs(), k.op(uuid.NewString()), k.history(p.JobID), at, hash, k.waitingIndex(), k.removed()}
	args := append(s.env(), int(opLife.Seconds()), runID, string(p.Place), entry, p.body, without(p.Message, runID), group, slot)
	reply, err := s.run(ctx, withdrawScript, keys, args...)
	return text(reply) == "CANCELLED", err
}

// without is the body of m without one of its runs; "" when nothing stays. What comes first then
// begins anew.
func without(m Message, runID string) string {
	i := m.index(runID)
	rest := append(append([]MessageRun{}, m.Runs[:i]...), m.Runs[i+1:]...)
	if len(rest) == 0 {
		return ""
	}
	m.Runs = rest
	if i == 0 {
		m.Attempt, m.Lost, m.Failed = 1, 0, 0
	}
	return m.Encode()
}
