package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// unservedBatch is how many runs one script call puts off, closes or makes due.
const unservedBatch = 500

// servedLife is how long what a leader last said of who serves what is good for.
const servedLife = time.Minute

// servedField marks in the registry that leaders keep who serves what.
const servedField = "served"

// mark is what the scripts keep of a message that no live node of its executor can run; "" when one can.
func (c Consumer) mark(m *Message) string {
	if c.Served == nil || c.Served(m.Task) {
		return ""
	}
	return m.Executor + "\t" + m.Task
}

// lacks reports whether this consumer's node has no handler for the task.
func (c Consumer) lacks(task string) bool { return c.Able != nil && !c.Able(task) }

// unservedRun is a field of unserved.
type unservedRun struct {
	id, value      string
	since          int64 // Unix ms
	executor, task string
}

func decodeUnserved(id, value string) (unservedRun, bool) {
	f := strings.Split(value, "\t")
	if len(f) != 4 {
		return unservedRun{id: id, value: value}, false
	}
	n := numbers{}
	u := unservedRun{id: id, value: value, since: n.read(f[0]), executor: f[2], task: f[3]}
	return u, n.err == nil
}

// stepOut moves the first in line for a slot, whose task the consumer's node lacks, to delayed.
func (s *Store) stepOut(ctx context.Context, k keys, c Consumer, slot, head string, m *Message) error {
	keys := []string{
		k.events(), k.jobs(), k.waitingIndex(), k.waiting(slot), k.waitingRuns(slot), k.delayed(), k.delayedRuns(), k.unserved(), k.removed(),
		k.history(m.JobID),
	}
	_, err := s.run(ctx, stepOutScript, keys, append(s.env(), slot, head, m.Encode(), handOver.Milliseconds(), c.mark(m))...)
	return err
}

// handOver is how long a run of a line is put off that another node of the executor can run.
const handOver = time.Second

// HoldUnserved puts off again those of the first runs that are due in delayed whose task no live node of their
// executor serves, and closes as missed those that are beyond their grace. served says who is served. It returns
// how many messages it saw to, and how many runs were missed.
func (s *Store) HoldUnserved(ctx context.Context, partition int, o Office, now int64, limit int, served func(executor, task string) bool) (held, missed int, err error) {
	k := s.partitions[partition]
	if n, err := s.reader.HLen(ctx, k.unserved()).Result(); err != nil || n == 0 {
		return 0, 0, s.explain("unserved", err)
	}
	err = s.eachDue(ctx, k.delayed(), now, limit, func(ids []string) (stayed int, more bool, err error) {
		held, missed, err = s.holdSome(ctx, partition, o, ids, served)
		return len(ids) - held, false, err
	})
	return held, missed, err
}

// holdSome is HoldUnserved of some runs.
func (s *Store) holdSome(ctx context.Context, partition int, o Office, ids []string, served func(executor, task string) bool) (held, missed int, err error) {
	k := s.partitions[partition]
	var marks, bodies *redis.SliceCmd
	_, err = s.reader.Pipelined(ctx, func(p redis.Pipeliner) error {
		marks, bodies = p.HMGet(ctx, k.unserved(), ids...), p.HMGet(ctx, k.delayedRuns(), ids...)
		return nil
	})
	if err != nil {
		return 0, 0, s.explain("unserved", err)
	}
	fixed := []string{k.events(), k.jobs(), k.fence(), k.delayed(), k.delayedRuns(), k.unserved(), k.removed()}
	keys, args, runs := slices.Clone(fixed), []any{}, 0
	send := func() error {
		if len(args) == 0 {
			return nil
		}
		t, err := s.office(ctx, unservedScript, o, keys, args...)
		n := numbers{}
		for _, tag := range t {
			if tag != "GONE" {
				held++
				missed += int(n.read(tag))
			}
		}
		keys, args, runs = slices.Clone(fixed), nil, 0
		return errors.Join(err, n.err)
	}
	for i, v := range marks.Val() {
		u, ok := decodeUnserved(ids[i], text(v))
		m, fault := DecodeMessage(text(bodies.Val()[i]))
		if !ok || fault != nil || served(u.executor, u.task) {
			continue
		}
		if runs > 0 && runs+len(m.Runs) > unservedBatch {
			if err := send(); err != nil {
				return held, missed, err
			}
		}
		keys, args, runs = append(keys, k.history(m.JobID)), append(args, u.id, u.value), runs+len(m.Runs)
	}
	return held, missed, send()
}

// SettleUnserved makes the runs in delayed due whose task is served again, and forgets what is noted of runs that
// left delayed some other way. With served nil it only forgets. It returns how many became due and how many wait.
func (s *Store) SettleUnserved(ctx context.Context, partition int, o Office, served func(executor, task string) bool) (due, waiting int, err error) {
	k := s.partitions[partition]
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		var pairs []string
		if pairs, cursor, err = s.reader.HScan(ctx, k.unserved(), cursor, "", unservedBatch).Result(); err != nil {
			return due, waiting, s.explain("unserved", err)
		}
		waiting += len(pairs) / 2
		for some := range slices.Chunk(pairs, 2*unservedBatch) {
			args := make([]any, 0, len(some)*3/2)
			for i := 0; i < len(some); i += 2 {
				u, ok := decodeUnserved(some[i], some[i+1])
				again := "0"
				if !ok || served != nil && served(u.executor, u.task) {
					again = "1"
				}
				args = append(args, u.id, u.value, again)
			}
			t, err := s.office(ctx, settleScript, o, []string{k.events(), k.jobs(), k.fence(), k.delayed(), k.unserved()}, args...)
			if err != nil {
				return due, waiting, err
			}
			n := numbers{}
			due += int(n.read(t[0]))
		}
	}
	return due, max(0, waiting-due), nil
}

// SaveServed keeps for a minute which tasks the live nodes of each executor serve, for clients to read.
func (s *Store) SaveServed(ctx context.Context, partition int, o Office, served map[string][]string) error {
	k := s.partitions[partition]
	args := []any{int(servedLife.Seconds())}
	for executor, tasks := range served {
		args = append(args, executor, strings.Join(tasks, "\n"))
	}
	_, err := s.office(ctx, servingScript, o, []string{k.events(), k.jobs(), k.fence(), k.served(), k.registry()}, args...)
	return err
}

// unservedMarks are the fields of unserved, up to ScanLimit.
func (s *Store) unservedMarks(ctx context.Context, k keys) (map[string]string, error) {
	marks := map[string]string{}
	for cursor, more := uint64(0), true; more && len(marks) < ScanLimit; more = cursor != 0 {
		pairs, next, err := s.reader.HScan(ctx, k.unserved(), cursor, "", unservedBatch).Result()
		if err != nil {
			return nil, s.explain("read runs", err)
		}
		cursor = next
		for i := 0; i+1 < len(pairs); i += 2 {
			marks[pairs[i]] = pairs[i+1]
		}
	}
	return marks, nil
}

// UnservedRuns is how many messages wait in delayed because no live node of their executor serves their task.
// One that has just left may still be counted.
func (s *Store) UnservedRuns(ctx context.Context) (int64, error) {
	var all int64
	for _, k := range s.partitions {
		n, err := s.reader.HLen(ctx, k.unserved()).Result()
		if err != nil {
			return 0, s.explain("unserved", err)
		}
		all += n
	}
	return all, nil
}

// Unserved reports whether the leader last said that no live node of the executor serves the task.
func (r Registry) Unserved(executor, task string) bool {
	return r.Served != nil && !slices.Contains(r.Served[executor], task)
}

// Unserved is Registry.Unserved for the registry of the store, read anew.
func (s *Store) Unserved(ctx context.Context, executor, task string) (bool, error) {
	r, err := s.Registry(ctx)
	return err == nil && r.Unserved(executor, task), err
}

// CancelTask closes every run of a task that has not started, wherever it waits, up to ScanLimit of each place,
// and returns how many. Runs that follow another in the slot that a node has are left.
func (s *Store) CancelTask(ctx context.Context, task string) (int, error) {
	total := 0
	for p := range s.partitions {
		n, err := s.cancelDelayed(ctx, p, task)
		total += n
		if err != nil {
			return total, err
		}
		for _, place := range []Place{InWaiting, InStream, InDelayed} {
			n, err := s.cancelPlaced(ctx, p, place, task)
			total += n
			if err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

// cancelPlaced cancels the runs of a task in one place one by one, the last of a message first.
func (s *Store) cancelPlaced(ctx context.Context, partition int, place Place, task string) (int, error) {
	var ids []string
	err := s.Each(ctx, partition, place, func(p Placed) bool {
		if p.Task == task {
			for _, r := range slices.Backward(p.Runs) {
				ids = append(ids, r.ID)
			}
		}
		return true
	})
	n := 0
	for _, id := range ids {
		if err != nil {
			break
		}
		if err = s.Cancel(ctx, id); err == nil {
			n++
		} else if errors.Is(err, ErrRunNotFound) || errors.Is(err, ErrRunFollows) {
			err = nil // it has moved on meanwhile
		}
	}
	return n, err
}

// cancelDelayed closes the messages of a task in delayed, some in each call.
func (s *Store) cancelDelayed(ctx context.Context, partition int, task string) (int, error) {
	var all []Placed
	err := s.Each(ctx, partition, InDelayed, func(p Placed) bool {
		if p.Task == task {
			all = append(all, p)
		}
		return true
	})
	k, total := s.partitions[partition], 0
	for from := 0; err == nil && from < len(all); {
		to, runs, bytes := from, 0, 0
		keys := []string{k.events(), k.jobs(), k.op(uuid.NewString()), k.delayed(), k.delayedRuns(), k.unserved()}
		args := append(s.env(), int(opLife.Seconds()))
		for ; to < len(all) && (to == from || runs+len(all[to].Runs) <= unservedBatch && bytes+len(all[to].body) <= 1<<20); to++ {
			runs, bytes = runs+len(all[to].Runs), bytes+len(all[to].body)
			keys, args = append(keys, k.history(all[to].JobID)), append(args, all[to].body)
		}
		from = to
		var reply any
		if reply, err = s.run(ctx, cancelDelayedScript, keys, args...); !refused(err) {
			n := numbers{}
			total += int(n.read(text(reply)))
		}
	}
	return total, err
}
