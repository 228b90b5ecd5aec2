package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/carillon-project/carillon/job"
)

// MaxLost is after how many losses a run is dead, so that a run that kills its node cannot kill
// them all.
const MaxLost = 3

// RecoverExpired takes the runs whose leases have ended from their nodes, up to limit: each is
// sent again as the next attempt, or closed as lost. It returns how many were taken. What no node can read goes to
// the dead runs; runs of a newer format stay with their leases, and stand in nobody's way.
func (s *Store) RecoverExpired(ctx context.Context, partition int, o Office, now int64, limit int) (int, error) {
	taken := 0
	err := s.eachDue(ctx, s.partitions[partition].leases(), now, limit, func(ids []string) (stayed int, more bool, err error) {
		for some := range slices.Chunk(ids, 100) {
			runs := make([]Suspect, len(some))
			for i, id := range some {
				runs[i].RunID = id
			}
			n, left, err := s.recoverSome(ctx, partition, o, runs, false, "lease expired")
			taken, stayed = taken+n, stayed+left
			if err != nil {
				return stayed, false, err
			}
		}
		return stayed, taken < limit, nil
	})
	return taken, err
}

// clampBatch is how many leases one call of the script shortens at most.
const clampBatch = 1000

// ClampLeases lets no lease of the partition end later than ahead from now, and returns how many were
// shortened. It mends what a clock of Redis that was ahead has left.
func (s *Store) ClampLeases(ctx context.Context, partition int, o Office, ahead time.Duration) (int, error) {
	k := s.partitions[partition]
	for all := 0; ; {
		t, err := s.office(ctx, clampScript, o, []string{k.events(), k.jobs(), k.fence(), k.leases()}, ahead.Milliseconds(), clampBatch)
		if err != nil {
			return all, err
		}
		n := numbers{}
		some := int(n.read(t[0]))
		if all += some; some < clampBatch || n.err != nil {
			return all, n.err
		}
	}
}

// recoverSome takes some runs: those whose lease has ended, or, to revoke leases, those whose owner and lease are
// still as given; stayed is how many leases may still be as they were.
func (s *Store) recoverSome(ctx context.Context, partition int, o Office, runs []Suspect, revoke bool, cause string) (taken, stayed int, err error) {
	k := s.partitions[partition]
	ids := make([]string, len(runs))
	for i := range runs {
		ids[i] = runs[i].RunID
	}
	values, err := s.reader.HMGet(ctx, k.running(), ids...).Result()
	if err != nil {
		return 0, 0, s.explain("recover", err)
	}
	bad := k.brokenRunning(ids, values)
	if _, err := s.layAside(ctx, k, o, k.runningPool(), bad); err != nil {
		return 0, 0, err
	}
	var losses []loss
	for i, v := range values {
		l, err := lossOf(runs[i], v, cause)
		if err == nil && revoke && v != nil && l.run.Owner != runs[i].Owner {
			continue
		}
		if err == nil {
			losses = append(losses, l)
		} else if errors.Is(err, ErrNewerFormat) {
			s.warnOnce("a lost run of a newer format waits for a newer node", k.running(), ids[i], "run", ids[i])
			stayed++
		}
	}
	for from, to := range portions(len(losses), func(i int) weight { return losses[i].weight() }) {
		n, left, err := s.recoverPart(ctx, k, o, losses[from:to], revoke)
		taken, stayed = taken+n, stayed+left
		if err != nil {
			return taken, stayed, err
		}
	}
	return taken, stayed, nil
}

// loss is a run whose lease is to be taken, and what becomes of it.
type loss struct {
	id, lease        string     // the lease as it was read, when it is to be revoked
	run              RunningRun // zero for a lease of nothing
	stored           int        // bytes of its value of running
	again, rest, why string
}

func lossOf(of Suspect, value any, cause string) (l loss, err error) {
	l = loss{id: of.RunID, lease: of.Lease, why: cause}
	if value == nil {
		return l, nil
	}
	l.stored = len(text(value))
	if l.run, err = decodeRunning(text(value)); err == nil {
		l.again, l.rest, l.why = afterLoss(l.run, cause)
	}
	return l, err
}

func (l *loss) weight() weight {
	return weight{runs: len(l.run.Runs), bytes: l.stored + len(l.again) + len(l.rest)}
}

// recoverPart carries out what one call of the script takes.
func (s *Store) recoverPart(ctx context.Context, k keys, o Office, losses []loss, revoke bool) (taken, stayed int, err error) {
	keys := []string{k.events(), k.jobs(), k.fence(), k.running(), k.leases(), k.dead(), k.removed()}
	args := []any{""}
	leases := ""
	for _, l := range losses {
		keys = append(keys, k.slot(l.run.Slot), k.waiting(l.run.Slot), k.history(l.run.JobID), k.stream(l.run.Executor))
		args = append(args, l.id, l.run.Owner, l.why, l.again, l.rest)
		leases += l.lease + ";"
	}
	if revoke {
		args[0] = leases
	}
	t, err := s.office(ctx, recoverScript, o, keys, args...)
	for i, tag := range t {
		switch {
		case tag == "RERUN" || tag == "CLOSED":
			taken++
		case tag == "CHANGED" && losses[i].run.Owner != "": // otherwise it was a lease of nothing, and is gone
			stayed++
		}
	}
	return taken, stayed, err
}

// afterLoss decides what a lost run becomes: the body to send again, or "" when it ends here; the body of what
// follows it when it ends; and why. The script ends it, whatever again is, when it was asked to cancel or its job
// is gone.
func afterLoss(r RunningRun, cause string) (again, rest, why string) {
	m := r.Message
	if following := m.Following(); following != nil {
		rest = following.Encode()
	}
	m.Lost++
	switch {
	case m.OnLost == job.OnLostDrop:
		return "", rest, cause + "; on_lost is drop"
	case m.Lost < MaxLost:
		m.Attempt++
		return m.Encode(), rest, cause
	}
	return "", rest, fmt.Sprintf("%s; lost %d times (max_lost)", cause, m.Lost)
}

// ConsumerInfo is one consumer of a work stream.
type ConsumerInfo struct {
	Executor string
	Name     string
	Pending  int64
	Idle     time.Duration
}

// Consumers lists the consumers of the given executors' streams in one partition.
func (s *Store) Consumers(ctx context.Context, partition int, executors []string) ([]ConsumerInfo, error) {
	var all []ConsumerInfo
	for _, e := range executors {
		got, err := s.reader.XInfoConsumers(ctx, s.partitions[partition].stream(e), group).Result()
		if err != nil {
			if strings.Contains(err.Error(), "NOGROUP") || strings.Contains(err.Error(), "no such key") {
				continue
			}
			return nil, s.explain("consumers", err)
		}
		for _, c := range got {
			all = append(all, ConsumerInfo{Executor: e, Name: c.Name, Pending: c.Pending, Idle: c.Idle})
		}
	}
	return all, nil
}

// Reclaim puts back what a consumer has had pending for at least idle, and with drop deletes the
// consumer once nothing is pending for it. It returns how many entries were put back.
func (s *Store) Reclaim(ctx context.Context, partition int, o Office, c ConsumerInfo, idle time.Duration, drop bool) (int, error) {
	k := s.partitions[partition]
	del := "0"
	if drop {
		del = "1"
	}
	n, moved := numbers{}, 0
	for {
		t, err := s.office(ctx, reclaimScript, o, []string{k.events(), k.jobs(), k.fence(), k.stream(c.Executor)},
			group, c.Name, idle.Milliseconds(), reclaimBatch-moved, del)
		if err != nil {
			return moved, err
		}
		moved += int(n.read(t[0]))
		if t[2] == "0" || moved >= reclaimBatch || n.err != nil {
			return moved, n.err
		}
	}
}

// reclaimBatch is how many entries one Reclaim puts back at most.
const reclaimBatch = 100

// sweepBacklog is how long a stream may be for Sweep to nudge it: the consumers of a longer one are
// behind or gone, and nudges would only make it longer.
const sweepBacklog = 1000

// Sweep nudges every line whose slot has room: a nudge may have been lost with its consumer. What no node can
// read at the head of a line is moved to the dead runs; a line whose head is of a newer format waits. Where the
// head is to replace another run, Sweep sees to it that one was asked to end: a node may have died before it
// asked. A line that fails stops no other; the error names them all.
func (s *Store) Sweep(ctx context.Context, partition int) error {
	k := s.partitions[partition]
	slots, err := s.reader.SMembers(ctx, k.waitingIndex()).Result()
	if err != nil {
		return s.explain("sweep", err)
	}
	var faults []error
	var full []string
	for _, slot := range slots {
		replaces, err := s.sweepLine(ctx, k, slot)
		if ctx.Err() != nil {
			return s.explain("sweep", err)
		}
		if errors.Is(err, ErrNewerFormat) {
			s.warnOnce("a line waits for a newer node", k.waiting(slot), slot, "slot", slot, "error", err)
			continue
		}
		if replaces {
			full = append(full, slot)
		}
		faults = append(faults, err)
	}
	return errors.Join(append(faults, s.makeRoom(ctx, k, full))...)
}

// sweepLine nudges one line if its slot has room, or reports that its head is to replace a run that holds the slot.
func (s *Store) sweepLine(ctx context.Context, k keys, slot string) (replaces bool, err error) {
	id, m, err := s.headOfLine(ctx, k, slot)
	if err != nil {
		return false, err
	}
	executor := m.Executor
	if id == "" {
		executor = job.DefaultName // an empty line: the nudge takes it out of the index
	}
	busy, err := s.reader.Get(ctx, k.slot(slot)).Int()
	if err == nil && busy >= m.Max {
		return m.replaces(), nil
	}
	waiting, err := s.reader.XLen(ctx, k.stream(executor)).Result()
	if err == nil && waiting > sweepBacklog {
		return false, nil
	}
	_, err = s.run(ctx, nudgeScript, []string{k.events(), k.jobs(), k.stream(executor)}, append(s.env(), slot)...)
	return false, err
}
