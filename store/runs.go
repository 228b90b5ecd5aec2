package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
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

// bodies are the values of an entry; go-redis folds the repeated field "m" of one entry into a
// map, so an entry with several messages numbers its fields.
func bodies(entry redis.XMessage) []string {
	if len(entry.Values) == 1 {
		if v, ok := entry.Values["m"]; ok {
			return []string{text(v)}
		}
	}
	all := make([]string, 0, len(entry.Values))
	for i := range len(entry.Values) {
		v, ok := entry.Values["m"+strconv.Itoa(i+1)]
		if !ok {
			break
		}
		all = append(all, text(v))
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

// Consumer identifies who fetches and starts: the consumer name (node id and boot id) and the
// stream.
type Consumer struct {
	Partition int
	Executor  string
	Name      string
}

// Start asks for slots and leases for fetched messages, and gives back the others, in one call.
type Start struct {
	Consumer
	Owner   string        // chosen before sending, unique to this call
	Lease   time.Duration // how long until others may take the runs
	Entries []string      // ids of all entries concerned, in the order they were fetched
	Run     []Taken       // to be started, in the order of their entries
	Return  []Taken       // to be put back as one entry, since there is no room for them; likewise
}

// Taken is one body of an entry.
type Taken struct {
	Entry   int // index into Entries
	Message Message
}

// Verdict is what Start decided of one message.
type Verdict string

// The verdicts. Only Started gives the right to run.
const (
	Started       Verdict = "STARTED"
	StartMissed   Verdict = "MISSED"  // every run of it was beyond its grace
	StartFull     Verdict = "FULL"    // no slot, and the job does not queue
	StartWaiting  Verdict = "WAITING" // in line for a slot
	StartRemoved  Verdict = "REMOVED" // its job is gone
	StartRunning  Verdict = "RUNNING" // somebody runs it already
	StartGone     Verdict = "GONE"    // the entry is not in this consumer's pending list any more
	StartPaused   Verdict = "PAUSED"  // the executor is paused: hand back, and wait until it is not
	startEmpty    Verdict = "EMPTY"
	startChanged  Verdict = "CHANGED"
	maxNextRounds         = 1000
)

// StartReply is the answer for one message: the message as it is to be run, without the runs that
// were dropped as missed, when the verdict is Started.
type StartReply struct {
	Verdict Verdict
	Message Message
	Now     int64 // Redis time of the decision, Unix ms
}

// Start carries out st and answers for each of st.Run. Resending the same st is safe. While the
// executor is paused it does nothing, gives nothing back either, and every verdict is StartPaused.
func (s *Store) Start(ctx context.Context, st Start) ([]StartReply, error) {
	if len(st.Entries) == 0 {
		return nil, nil
	}
	k := s.partitions[st.Partition]
	keys := []string{
		k.events(), k.jobs(), k.stream(st.Executor), k.running(), k.leases(), k.removed(), k.waitingIndex(), k.pausedExecutors(),
	}
	args := append(s.env(), group, st.Name, st.Owner, st.Lease.Milliseconds(), st.Executor, len(st.Entries))
	counts := make([][2]int, len(st.Entries))
	for _, t := range st.Run {
		counts[t.Entry][0]++
	}
	for _, t := range st.Return {
		counts[t.Entry][1]++
	}
	for i, id := range st.Entries {
		args = append(args, id, counts[i][0], counts[i][1])
	}
	for _, t := range st.Run {
		m := t.Message
		keys = append(keys, k.slot(m.Slot), k.waiting(m.Slot), k.waitingRuns(m.Slot), k.history(m.JobID))
		args = append(args, m.Encode())
	}
	for _, t := range st.Return {
		args = append(args, t.Message.Encode())
	}
	reply, err := s.run(ctx, startScript, keys, args...)
	if noGroup(err) { // nothing is pending for anybody: what was fetched comes again
		if err = s.EnsureGroup(ctx, st.Partition, st.Executor); err == nil {
			reply, err = s.run(ctx, startScript, keys, args...)
		}
	}
	if err != nil {
		return nil, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) != len(st.Run)+1 {
		return nil, fmt.Errorf("store %s: start: unexpected answer of %d parts", s.cfg.Name, len(list))
	}
	n := numbers{}
	now := n.read(text(list[0]))
	replies, replaces := make([]StartReply, len(st.Run)), false
	for i, t := range st.Run {
		verdict, missed := verdictOf(list[i+1])
		replies[i] = StartReply{Verdict: Verdict(verdict), Message: t.Message, Now: now}
		replies[i].Message.Runs = t.Message.Runs[min(missed, len(t.Message.Runs)-1):]
		replaces = replaces || (replies[i].Verdict == StartWaiting && t.Message.Overlap == job.OverlapReplace)
	}
	if replaces {
		s.wakeToCancel(ctx, k)
	}
	return replies, n.err
}

// wakeToCancel tells the nodes that somebody asked to cancel a run. When it is lost they learn it at
// their next renewal.
func (s *Store) wakeToCancel(ctx context.Context, k keys) {
	if err := s.writer.Publish(ctx, k.wake(), "cancel").Err(); err != nil {
		s.log.Debug("nodes not woken to cancel", "error", err)
	}
}

// StartNext answers a nudge: it starts the first in line for the slot, if there is room. The
// verdict is Started, StartFull, StartPaused (the nudge is back in the stream then), or StartGone when
// nobody is in line.
func (s *Store) StartNext(ctx context.Context, c Consumer, owner string, lease time.Duration, entry, slot string) (StartReply, error) {
	k := s.partitions[c.Partition]
	for range maxNextRounds {
		head, m, err := s.headOfLine(ctx, k, slot)
		if err != nil {
			return StartReply{}, err
		}
		if head != "" && m.Executor != c.Executor {
			return StartReply{Verdict: StartGone}, s.sendNudgeTo(ctx, k, c, m.Executor, entry, slot)
		}
		keys := []string{
			k.events(), k.jobs(), k.stream(c.Executor), k.running(), k.leases(), k.removed(), k.waitingIndex(),
			k.slot(slot), k.waiting(slot), k.waitingRuns(slot), k.history(m.JobID), k.pausedExecutors(),
		}
		args := append(s.env(), group, owner, lease.Milliseconds(), c.Executor, entry, head, slot)
		for _, run := range m.Runs {
			args = append(args, run.ID)
		}
		reply, err := s.run(ctx, nextScript, keys, args...)
		if err != nil {
			return StartReply{}, err
		}
		verdict, missed := pair(reply)
		switch Verdict(verdict) {
		case Started:
			n := numbers{}
			if list, ok := reply.([]any); ok && len(list) > 2 {
				m.Runs = m.Runs[min(missed, len(m.Runs)-1):]
				return StartReply{Verdict: Started, Message: m, Now: n.read(text(list[2]))}, n.err
			}
		case StartFull, StartPaused:
			return StartReply{Verdict: Verdict(verdict)}, nil
		case startEmpty:
			return StartReply{Verdict: StartGone}, nil
		}
	}
	return StartReply{}, fmt.Errorf("store %s: start next of slot %q: %w", s.cfg.Name, slot, ErrChanged)
}

// headOfLine reads the first in line; an empty id when there is none.
func (s *Store) headOfLine(ctx context.Context, k keys, slot string) (string, Message, error) {
	ids, err := s.reader.ZRange(ctx, k.waiting(slot), 0, 0).Result()
	if err != nil {
		return "", Message{}, s.explain("line", err)
	}
	if len(ids) == 0 {
		return "", Message{}, nil
	}
	body, err := s.reader.HGet(ctx, k.waitingRuns(slot), ids[0]).Result()
	if errors.Is(err, redis.Nil) {
		return "", Message{}, nil // it left the line between the two reads; the script says CHANGED
	}
	if err != nil {
		return "", Message{}, s.explain("line", err)
	}
	m, err := DecodeMessage(body)
	return ids[0], m, err
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
// an attempt, and puts the others of the entry back.
func (s *Store) Postpone(ctx context.Context, c Consumer, entry string, delay time.Duration, postpone, back []Message) error {
	k := s.partitions[c.Partition]
	args := append(s.env(), group, c.Name, entry, delay.Milliseconds(), len(postpone))
	for _, m := range append(append([]Message{}, postpone...), back...) {
		args = append(args, m.Encode())
	}
	_, err := s.run(ctx, postponeScript, []string{k.events(), k.jobs(), k.stream(c.Executor), k.delayed(), k.delayedRuns()}, args...)
	return err
}
