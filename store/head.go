package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// headOfLine reads the first in line for a slot; an empty id when there is none. What no node can read is moved to
// the dead runs before. ErrNewerFormat when the first is of a newer format: the line waits for a newer node then.
func (s *Store) headOfLine(ctx context.Context, k keys, slot string) (string, Message, error) {
	for range maxNextRounds {
		ids, err := s.reader.ZRange(ctx, k.waiting(slot), 0, 0).Result()
		if err != nil {
			return "", Message{}, s.explain("line", err)
		}
		if len(ids) == 0 {
			return "", Message{}, nil
		}
		body, err := s.reader.HGet(ctx, k.waitingRuns(slot), ids[0]).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return "", Message{}, s.explain("line", err)
		}
		m, fault := DecodeMessage(body)
		switch {
		case err == nil && fault == nil:
			return ids[0], m, nil
		case errors.Is(fault, ErrNewerFormat):
			return "", Message{}, fmt.Errorf("store %s: line of slot %q: %w; to go on: %s", s.cfg.Name, slot, fault, newerRemedy)
		}
		if err := s.clearHead(ctx, k, slot); err != nil {
			return "", Message{}, err
		}
	}
	return "", Message{}, fmt.Errorf("store %s: line of slot %q: %w; try again", s.cfg.Name, slot, ErrChanged)
}

// line is the line for a slot.
func (k keys) line(slot string) pool {
	return pool{name: "the line of slot " + slot, set: k.waiting(slot), texts: k.waitingRuns(slot), line: slot}
}

// clearHead moves what no node can read at the head of a line to the dead runs. Runs that left the line between
// the two reads are not there any more when the script looks.
func (s *Store) clearHead(ctx context.Context, k keys, slot string) error {
	ids, err := s.reader.ZRange(ctx, k.waiting(slot), 0, page-1).Result()
	if err != nil || len(ids) == 0 {
		return s.explain("line", err)
	}
	texts, err := s.reader.HMGet(ctx, k.waitingRuns(slot), ids...).Result()
	if err != nil {
		return s.explain("line", err)
	}
	var all []poisoned
	for i, v := range texts {
		bad, _ := judgeText(ids[i], v, decodesMessage)
		if bad == nil {
			break
		}
		all = append(all, *bad)
	}
	_, err = s.layAside(ctx, k, Office{}, k.line(slot), all)
	return err
}
