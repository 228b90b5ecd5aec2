package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Fetched is one stream entry in a consumer's pending list.
type Fetched struct {
	ID     string
	Bodies []string // messages, or nudges
}

// Fetch reads up to count new entries of an executor's stream for a consumer, waiting up to block
// for the first. A missing group is made again. It never waits longer than block + 2 s.
func (s *Store) Fetch(ctx context.Context, partition int, executor, consumer string, count int, block time.Duration) ([]Fetched, error) {
	return s.read(ctx, partition, executor, consumer, ">", count, block)
}

// FetchPending reads what the consumer fetched before and neither started nor gave back: to be
// called after any error of Fetch or Start.
func (s *Store) FetchPending(ctx context.Context, partition int, executor, consumer string, count int) ([]Fetched, error) {
	return s.read(ctx, partition, executor, consumer, "0", count, -1)
}

func (s *Store) read(ctx context.Context, partition int, executor, consumer, from string, count int, block time.Duration) ([]Fetched, error) {
	if block < time.Millisecond {
		block = -1 // BLOCK 0 would wait for ever
	}
	ctx, cancel := context.WithTimeout(ctx, max(block, 0)+2*time.Second)
	defer cancel()
	got, err := s.blocking.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: consumer, Count: int64(count), Block: block,
		Streams: []string{s.partitions[partition].stream(executor), from},
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if noGroup(err) {
		s.log.Warn("consumer group was missing, made again", "executor", executor, "partition", partition)
		return nil, s.EnsureGroup(ctx, partition, executor)
	}
	if err != nil {
		return nil, s.explain("fetch", err)
	}
	var all []Fetched
	for _, entry := range got[0].Messages {
		f := Fetched{ID: entry.ID, Bodies: bodies(entry)}
		if len(f.Bodies) == 0 { // deleted under us, or not ours: nothing to start, nothing to keep
			s.blocking.XAck(ctx, s.partitions[partition].stream(executor), group, entry.ID)
			continue
		}
		all = append(all, f)
	}
	return all, nil
}

// noGroup reports whether a command found no consumer group. Inside a script some servers put words of
// their own before the code.
func noGroup(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && strings.Contains(reply.Error(), "NOGROUP ")
}

// bodies are the messages of an entry: its field "m", or the fields "m1" to "m8" in their order; others are unknown
// and of no concern. go-redis folds the repeated field "m" of one entry into a map, so an entry with several
// messages numbers its fields. An entry with fields of which none is a message gives what it holds as one body that
// nobody can read.
func bodies(entry redis.XMessage) []string {
	all := make([]string, 0, len(entry.Values))
	if v, ok := entry.Values["m"]; ok {
		all = append(all, text(v))
	}
	for _, field := range fields {
		if v, ok := entry.Values[field.(string)]; ok {
			all = append(all, text(v))
		}
	}
	if len(all) == 0 && len(entry.Values) > 0 {
		return []string{strings.TrimPrefix(fmt.Sprint(entry.Values), "map")}
	}
	return all
}

// SlotOfNudge returns the slot that a fetched body is a nudge for.
func SlotOfNudge(body string) (slot string, ok bool) {
	if len(body) > len(nudgeMark) && body[:len(nudgeMark)] == nudgeMark {
		return body[len(nudgeMark):], true
	}
	return "", false
}

// sendNudgeTo passes a nudge on to the executor of the first in line, which another job with the
// same key may have put elsewhere.
func (s *Store) sendNudgeTo(ctx context.Context, k keys, c Consumer, executor, entry, slot string) error {
	keys := []string{k.events(), k.jobs(), k.stream(executor)}
	if _, err := s.run(ctx, nudgeScript, keys, append(s.env(), slot)...); err != nil {
		return err
	}
	pipe := s.writer.Pipeline()
	pipe.XAck(ctx, k.stream(c.Executor), group, entry)
	pipe.XDel(ctx, k.stream(c.Executor), entry)
	_, err := pipe.Exec(ctx)
	return s.explain("nudge", err)
}

// Postpone moves the messages of an entry that this node cannot run to delayed, without counting
// an attempt, and puts the others of the entry back. Those whose task no live node of the executor serves are
// marked as such, and wait for a pause that doubles instead of the delay.
func (s *Store) Postpone(ctx context.Context, c Consumer, entry string, delay time.Duration, postpone, back []Message) error {
	k := s.partitions[c.Partition]
	args := append(s.env(), group, c.Name, entry, delay.Milliseconds(), len(postpone))
	for _, m := range postpone {
		args = append(args, m.Encode())
	}
	for i := range postpone {
		args = append(args, c.mark(&postpone[i]))
	}
	for _, m := range back {
		args = append(args, m.Encode())
	}
	keys := []string{k.events(), k.jobs(), k.stream(c.Executor), k.delayed(), k.delayedRuns(), k.unserved()}
	_, err := s.run(ctx, postponeScript, keys, args...)
	return err
}
