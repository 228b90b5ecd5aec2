package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	cancelRounds = 10 // bounds how often a run that moves is looked for again
	lookRounds   = 3  // bounds it for a run that was not found
)

// Cancel ends a run. One that a node has is asked to end: the node learns it at its next renewal, or
// at once when it listens. One that has not started is closed at once, with the outcome cancelled,
// also when a node has fetched it. ErrRunFollows when it follows another run in its slot, which has
// to end first; ErrRunNotFound when it has ended or never was, or lies beyond ScanLimit.
func (s *Store) Cancel(ctx context.Context, runID string) error {
	for missed := 0; missed < cancelRounds; {
		p, asked, err := s.askOrFind(ctx, runID)
		if asked || err != nil && !errors.Is(err, ErrRunNotFound) {
			return err
		}
		switch {
		case err != nil: // it may have moved from place to place behind each look
			if missed += cancelRounds / lookRounds; missed >= cancelRounds {
				return err
			}
		case p.Place == InRunning && p.index(runID) > 0:
			return fmt.Errorf("store: cancel run %s: %w: %s; cancel it when that has ended", runID, ErrRunFollows, p.Runs[0].ID)
		case p.Place == InRunning:
			missed++ // it has started meanwhile
		default:
			done, err := s.withdraw(ctx, p, runID)
			if done || err != nil {
				return err
			}
			missed++
		}
	}
	return fmt.Errorf("store: cancel run %s: %w: it moved %d times; try again", runID, ErrChanged, cancelRounds)
}

// askOrFind asks the node that has the run, if one has, or finds where else it is. A run that is tried again
// moves between running and delayed, which one script looks at together.
func (s *Store) askOrFind(ctx context.Context, runID string) (p Placed, asked bool, err error) {
	for i, k := range s.partitions {
		tag, err := s.askToCancel(ctx, k, runID)
		if err != nil {
			return Placed{}, false, err
		}
		switch tag {
		case "CANCELLING":
			return Placed{}, true, nil
		case "DELAYED":
			body, err := s.reader.HGet(ctx, k.delayedRuns(), runID).Result()
			if err != nil && !errors.Is(err, redis.Nil) {
				return Placed{}, false, s.explain("cancel run", err)
			}
			if m, fault := DecodeMessage(body); err == nil && fault == nil {
				return Placed{Message: m, Place: InDelayed, Partition: i, body: body}, false, nil
			}
		}
	}
	p, err = s.Find(ctx, runID)
	return p, false, err
}

func (s *Store) askToCancel(ctx context.Context, k keys, runID string) (tag string, err error) {
	keys := []string{k.events(), k.jobs(), k.running(), k.delayedRuns()}
	reply, err := s.run(ctx, cancelScript, keys, append(s.env(), k.wake(), runID)...)
	return text(reply), err
}

// cancelRunning asks the node that has the run in this partition, if one has.
func (s *Store) cancelRunning(ctx context.Context, k keys, runID string) (asked bool, err error) {
	tag, err := s.askToCancel(ctx, k, runID)
	return tag == "CANCELLING", err
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
