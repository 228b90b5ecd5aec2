package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Consumer identifies who fetches and starts: the consumer name (node id and boot id) and the
// stream.
type Consumer struct {
	Partition int
	Executor  string
	Name      string
	// Able reports whether the consumer's node has a handler for a task, Served whether some live node of the
	// executor has. Nil means yes.
	Able, Served func(task string) bool
}

// Start asks for slots and leases for fetched messages in one call, and takes entries apart of which only a part
// is to start.
type Start struct {
	Consumer
	Owner   string        // chosen before sending, unique to this call
	Lease   time.Duration // how long until others may take the runs
	Entries []string      // ids of all entries concerned, in the order they were fetched
	Run     []Taken       // to be started, in the order of their entries
	Return  []Taken       // to become entries of their own, pending for the consumer as before; likewise
}

// Taken is one body of an entry.
type Taken struct {
	Entry   int // index into Entries
	Message *Message
	Body    string // the message as it was fetched; empty = to be encoded
}

func (t Taken) body() string {
	if t.Body != "" {
		return t.Body
	}
	return t.Message.Encode()
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
	StartLater    Verdict = "LATER"   // its slot may be free once reports of an outage are in: pending here still
	StartPaused   Verdict = "PAUSED"  // the executor is paused: hand back, and wait until it is not
	startSingly   Verdict = "EACH"    // of startAll: nothing was done
	startEmpty    Verdict = "EMPTY"
	startChanged  Verdict = "CHANGED"
	maxNextRounds         = 1000
)

// StartReply is the answer for one message: the message as it is to be run, without the runs that
// were dropped as missed, when the verdict is Started.
type StartReply struct {
	Verdict Verdict
	Message *Message
	Now     int64 // Redis time of the decision, Unix ms
}

// Start carries out st and answers for each of st.Run. Resending the same st is safe. While the
// executor is paused it does nothing, gives nothing back either, and every verdict is StartPaused.
func (s *Store) Start(ctx context.Context, st Start) ([]StartReply, error) {
	if len(st.Entries) == 0 {
		return nil, nil
	}
	if st.fits() {
		return s.startPart(ctx, st)
	}
	replies := make([]StartReply, 0, len(st.Run))
	for part := range st.parts() {
		some, err := s.startPart(ctx, part)
		if err != nil {
			return nil, err
		}
		replies = append(replies, some...)
	}
	return replies, nil
}

// startPart is Start of what one call takes.
func (s *Store) startPart(ctx context.Context, st Start) ([]StartReply, error) {
	if len(st.Return) == 0 {
		if replies, ok, err := s.startAll(ctx, st); ok || err != nil {
			return replies, err
		}
	}
	return s.startEach(ctx, st)
}

// fits reports whether one call of the script takes st.
func (st *Start) fits() bool {
	sum := weight{}
	for i := range st.Run {
		sum = sum.add(st.Run[i].weight())
	}
	for i := range st.Return {
		sum.bytes += st.Return[i].weight().bytes
	}
	return sum.runs <= callRuns && sum.bytes <= callBytes && len(st.Run)+len(st.Return) <= callItems
}

// parts divides st by its entries, each of which is done with in one call, so that one call takes each part.
func (st *Start) parts() iter.Seq[Start] {
	weights := make([]weight, len(st.Entries))
	for i := range st.Run {
		t := &st.Run[i]
		weights[t.Entry] = weights[t.Entry].add(t.weight())
		weights[t.Entry].runs++
	}
	for i := range st.Return {
		t := &st.Return[i]
		weights[t.Entry].bytes += t.weight().bytes
	}
	return func(yield func(Start) bool) {
		run, back := st.Run, st.Return
		for from, to := range portions(len(weights), func(i int) weight { return weights[i] }) {
			part := *st
			part.Entries = st.Entries[from:to]
			part.Run, run = takenFrom(run, from, to)
			part.Return, back = takenFrom(back, from, to)
			if !yield(part) {
				return
			}
		}
	}
}

// takenFrom takes from all what is of the entries of a part, which begins with them, and returns the rest too.
func takenFrom(all []Taken, from, to int) (part, rest []Taken) {
	n := 0
	for n < len(all) && all[n].Entry < to {
		n++
	}
	part = slices.Clone(all[:n])
	for i := range part {
		part[i].Entry -= from
	}
	return part, all[n:]
}

// startEach has every message of st judged by itself.
func (s *Store) startEach(ctx context.Context, st Start) ([]StartReply, error) {
	k := s.partitions[st.Partition]
	keys := []string{
		k.events(), k.jobs(), k.stream(st.Executor), k.running(), k.leases(), k.removed(), k.waitingIndex(), k.pausedExecutors(), k.outage(),
	}
	args := append(s.env(), group, st.Name, st.Owner, st.Lease.Milliseconds(), st.Executor, len(st.Entries))
	counts := make([][2]int, len(st.Entries)) // to start, to give back
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
		args = append(args, t.body())
	}
	for _, t := range st.Return {
		args = append(args, t.body())
	}
	reply, err := s.runGrouped(ctx, st.Consumer, startScript, keys, args)
	if err != nil {
		return nil, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) != len(st.Run)+1 {
		return nil, fmt.Errorf("store %s: start: unexpected answer of %d parts", s.cfg.Name, len(list))
	}
	n := numbers{}
	now := n.read(text(list[0]))
	replies := make([]StartReply, len(st.Run))
	var full []string // slots of runs that wait to replace another
	for i, t := range st.Run {
		verdict, missed := verdictOf(list[i+1])
		m := *t.Message
		m.Runs = m.Runs[min(missed, len(m.Runs)-1):]
		replies[i] = StartReply{Verdict: Verdict(verdict), Message: &m, Now: now}
		if replies[i].Verdict == StartWaiting && m.replaces() {
			full = append(full, m.Slot)
		}
	}
	if err := s.makeRoom(ctx, k, full); err != nil {
		s.log.Warn("runs that are to be replaced could not be asked to end, the leader asks again", "error", err)
	}
	return replies, n.err
}

// runGrouped is run, for a script that needs the consumer group.
func (s *Store) runGrouped(ctx context.Context, c Consumer, sc *script, keys []string, args []any) (any, error) {
	reply, err := s.run(ctx, sc, keys, args...)
	if noGroup(err) { // nothing is pending for anybody: what was fetched comes again
		if err = s.EnsureGroup(ctx, c.Partition, c.Executor); err == nil {
			reply, err = s.run(ctx, sc, keys, args...)
		}
	}
	return reply, err
}
