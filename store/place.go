package store

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Place is where a run is while it has not ended.
type Place string

// The places of a run.
const (
	InStream  Place = "stream"  // waiting for an executor to take it up
	InRunning Place = "running" // a node has it
	InDelayed Place = "delayed" // waiting for a time: enqueued for later, in backoff, or handed back
	InWaiting Place = "waiting" // in line for a slot
)

// ScanLimit is how many messages of one stream, of delayed, or of one line are looked through for a
// run or a list. What lies beyond is not found.
const ScanLimit = 100_000

// Placed is a message in its place.
type Placed struct {
	Message
	Place     Place
	Partition int
	Due       int64  // Unix ms; when a delayed run is due, else 0
	Entry     string // of a run in a stream
	Owner     string // of a running one, and its node
	Node      string
	Started   int64 // Unix ms
	Cancelled bool  // somebody asked to cancel it
	Unserved  int64 // Unix ms; since when a delayed run waits for a live node of its executor to serve its task, else 0

	body  string
	marks map[string]string // unserved, of a delayed run
}

// page is how many messages are read at once.
const page = 500

// Each calls f for the messages in one place of one partition until f returns false: the earliest
// due first in delayed and in lines, the oldest first in streams; runs that nodes have in no
// order. Messages that cannot be read are logged and left out. What moves meanwhile may be missed
// or seen twice.
func (s *Store) Each(ctx context.Context, partition int, place Place, f func(Placed) bool) error {
	k := s.partitions[partition]
	see := func(p Placed, body string) bool {
		m, err := DecodeMessage(body)
		if err != nil {
			s.warnOnce("message cannot be read, left out", k.prefix+string(place), body[:min(len(body), 100)], "place", string(place), "error", err)
			return true
		}
		p.Message, p.Place, p.Partition, p.body = m, place, partition, body
		if u, ok := decodeUnserved("", p.marks[m.Runs[0].ID]); ok {
			p.Unserved = u.since
		}
		return f(p)
	}
	switch place {
	case InRunning:
		return s.eachRunning(ctx, partition, f)
	case InDelayed:
		marks, err := s.unservedMarks(ctx, k)
		if err != nil {
			return err
		}
		_, err = s.eachScored(ctx, k.delayed(), k.delayedRuns(), func(due int64, body string) bool {
			return see(Placed{Due: due, marks: marks}, body)
		})
		return err
	case InWaiting:
		slots, err := s.reader.SMembers(ctx, k.waitingIndex()).Result()
		for _, slot := range slots {
			var more bool
			more, err = s.eachScored(ctx, k.waiting(slot), k.waitingRuns(slot), func(_ int64, body string) bool {
				return see(Placed{}, body)
			})
			if err != nil || !more {
				return err
			}
		}
		return s.explain("lines", err)
	case InStream:
		reg, err := s.RegistryIn(ctx, partition)
		if err != nil {
			return err
		}
		for _, e := range reg.Executors {
			more, err := s.eachEntry(ctx, k.stream(e), func(entry, body string) bool { return see(Placed{Entry: entry}, body) })
			if err != nil || !more {
				return err
			}
		}
	}
	return nil
}

func (s *Store) eachRunning(ctx context.Context, partition int, f func(Placed) bool) error {
	runs, err := s.Running(ctx, partition)
	for _, r := range runs {
		if !f(placedRunning(partition, r)) {
			break
		}
	}
	return err
}

func placedRunning(partition int, r RunningRun) Placed {
	return Placed{
		Message: r.Message, Place: InRunning, Partition: partition, Owner: r.Owner, Node: r.Node, Started: r.Started,
		Cancelled: r.Cancelled,
	}
}

// eachScored goes through a zset of run ids and the hash of their bodies. more is false when f ended it.
func (s *Store) eachScored(ctx context.Context, zset, hash string, f func(score int64, body string) bool) (more bool, err error) {
	for from := int64(0); from < ScanLimit; from += page {
		heads, err := s.reader.ZRangeWithScores(ctx, zset, from, from+page-1).Result()
		if err != nil || len(heads) == 0 {
			return true, s.explain("read runs", err)
		}
		ids := make([]string, len(heads))
		for i, h := range heads {
			ids[i] = text(h.Member)
		}
		bodies, err := s.reader.HMGet(ctx, hash, ids...).Result()
		if err != nil {
			return true, s.explain("read runs", err)
		}
		for i, b := range bodies {
			if b != nil && !f(int64(heads[i].Score), text(b)) {
				return false, nil
			}
		}
	}
	return true, nil
}

// eachEntry goes through the messages of a stream. more is false when f ended it.
func (s *Store) eachEntry(ctx context.Context, stream string, f func(entry, body string) bool) (more bool, err error) {
	from := "-"
	for seen := 0; seen < ScanLimit; {
		entries, err := s.reader.XRangeN(ctx, stream, from, "+", page).Result()
		if err != nil || len(entries) == 0 {
			return true, s.explain("read stream", err)
		}
		for _, entry := range entries {
			for _, body := range bodies(entry) {
				if seen++; !strings.HasPrefix(body, nudgeMark) && !f(entry.ID, body) {
					return false, nil
				}
			}
		}
		from = "(" + entries[len(entries)-1].ID
	}
	return true, nil
}

// Find returns where a run is that has not ended. Runs that follow another in its slot are found
// with it. ErrRunNotFound when it is nowhere, or beyond ScanLimit.
func (s *Store) Find(ctx context.Context, runID string) (Placed, error) {
	for range 2 { // it may have moved behind the first look
		for p := range s.partitions {
			if found, ok, err := s.findIn(ctx, p, runID); ok || err != nil {
				return found, err
			}
		}
	}
	return Placed{}, runNotFound(runID, "it is not waiting, delayed or running")
}

func (s *Store) findIn(ctx context.Context, partition int, runID string) (found Placed, ok bool, err error) {
	k := s.partitions[partition]
	value, err := s.reader.HGet(ctx, k.running(), runID).Result()
	if err == nil {
		r, err := decodeRunning(value)
		return placedRunning(partition, r), true, err
	}
	if !errors.Is(err, redis.Nil) {
		return Placed{}, false, s.explain("find run", err)
	}
	for _, place := range []Place{InDelayed, InWaiting, InStream, InRunning} {
		err := s.Each(ctx, partition, place, func(p Placed) bool {
			if p.index(runID) >= 0 {
				found, ok = p, true
			}
			return !ok
		})
		if ok || err != nil {
			return found, ok, err
		}
	}
	return Placed{}, false, nil
}

// index is the place of the run among the runs of m, -1 when it is not one of them.
func (m Message) index(runID string) int {
	for i, r := range m.Runs {
		if r.ID == runID {
			return i
		}
	}
	return -1
}
