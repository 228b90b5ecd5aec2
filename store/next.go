package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// asked are the heads of lines that next was asked for and gave no answer, by owner: asked again for the same
// owner, next tells of what the lost answer told of.
type asked struct {
	mu    sync.Mutex
	heads map[string]lineHead
}

// lineHead is the first in line for a slot.
type lineHead struct {
	id string // of its first run; "" when nobody is in line
	m  Message
}

// askedLimit bounds what asked remembers: one head for each owner that gave up asking.
const askedLimit = 10_000

func (a *asked) of(owner string) (h lineHead, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, ok = a.heads[owner]
	return h, ok
}

func (a *asked) note(owner string, h lineHead) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.heads == nil || len(a.heads) >= askedLimit {
		a.heads = map[string]lineHead{}
	}
	a.heads[owner] = h
}

func (a *asked) forget(owner string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.heads, owner)
}

// StartNext answers a nudge that is pending for c: it starts the first in line for the slot, if there is room.
// The verdict is Started, StartFull, StartPaused (the nudge is back in the stream then), or StartGone when
// nobody is in line or the nudge is not pending for c.
//
// After an error a run may have been started for owner, unless the error wraps ErrNotStarted: ask again, for the
// same owner, until it is known or the lease is over.
func (s *Store) StartNext(ctx context.Context, c Consumer, owner string, lease time.Duration, entry, slot string) (StartReply, error) {
	k := s.partitions[c.Partition]
	for range maxNextRounds {
		h, again := s.asked.of(owner)
		if !again {
			var err error
			if h.id, h.m, err = s.headOfLine(ctx, k, slot); err != nil {
				return StartReply{}, errors.Join(ErrNotStarted, err)
			}
			if h.id != "" && h.m.Executor != c.Executor {
				err := s.sendNudgeTo(ctx, k, c, h.m.Executor, entry, slot)
				if err != nil {
					err = errors.Join(ErrNotStarted, err)
				}
				return StartReply{Verdict: StartGone}, err
			}
			if h.id != "" && c.lacks(h.m.Task) {
				if err := s.stepOut(ctx, k, c, slot, h.id, &h.m); err != nil {
					return StartReply{}, errors.Join(ErrNotStarted, err)
				}
				continue
			}
			s.asked.note(owner, h)
		}
		reply, err := s.askNext(ctx, k, c, owner, lease, entry, slot, h)
		if err != nil {
			return StartReply{}, err
		}
		s.asked.forget(owner)
		verdict, missed := pair(reply)
		switch Verdict(verdict) {
		case Started:
			n := numbers{}
			if list, ok := reply.([]any); ok && len(list) > 2 {
				h.m.Runs = h.m.Runs[min(missed, len(h.m.Runs)-1):]
				return StartReply{Verdict: Started, Message: &h.m, Now: n.read(text(list[2]))}, n.err
			}
		case StartFull, StartPaused, StartGone:
			return StartReply{Verdict: Verdict(verdict)}, nil
		case startEmpty:
			return StartReply{Verdict: StartGone}, nil
		}
	}
	return StartReply{}, fmt.Errorf("store %s: start next of slot %q: %w: %w", s.cfg.Name, slot, ErrNotStarted, ErrChanged)
}

// askNext sends the script for the head that was read.
func (s *Store) askNext(ctx context.Context, k keys, c Consumer, owner string, lease time.Duration, entry, slot string, h lineHead) (any, error) {
	keys := []string{
		k.events(), k.jobs(), k.stream(c.Executor), k.running(), k.leases(), k.removed(), k.waitingIndex(),
		k.slot(slot), k.waiting(slot), k.waitingRuns(slot), k.history(h.m.JobID), k.pausedExecutors(),
	}
	args := append(s.env(), group, c.Name, owner, lease.Milliseconds(), c.Executor, entry, h.id, slot)
	for _, run := range h.m.Runs {
		args = append(args, run.ID)
	}
	return s.runGrouped(ctx, c, nextScript, keys, args)
}
