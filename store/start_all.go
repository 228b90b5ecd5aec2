package store

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/carillon-project/carillon/job"
)

// startAll starts every run of st, or says that the executor is paused. It does nothing and returns false
// when st has something in it that must be judged by itself.
func (s *Store) startAll(ctx context.Context, st Start) (replies []StartReply, ok bool, err error) {
	slots, ok := slotsOf(st.Run)
	if !ok {
		return nil, false, nil
	}
	keys, args := s.startAllCall(st, slots)
	reply, err := s.runGrouped(ctx, st.Consumer, startAllScript, keys, args)
	if err != nil {
		return nil, false, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) != 2 {
		return nil, false, fmt.Errorf("store %s: start all: unexpected answer of %d parts", s.cfg.Name, len(list))
	}
	verdict, n := Verdict(text(list[1])), numbers{}
	now := n.read(text(list[0]))
	if verdict == startSingly || n.err != nil {
		return nil, false, n.err
	}
	replies = make([]StartReply, len(st.Run))
	for i := range st.Run {
		replies[i] = StartReply{Verdict: verdict, Message: st.Run[i].Message, Now: now}
	}
	return replies, true, nil
}

// slotUse is what a call wants of a slot.
type slotUse struct {
	name string
	room int // how many runs may hold it when all have started
	add  int
}

// single reports whether the slot has room for one run and gets one, as most have.
func (u slotUse) single() bool { return u.room == 1 && u.add == 1 }

// slotsOf gathers the slots that the messages need, those for one run first. It returns false when not all
// can start: there is none, two are the same run, or there are more than a slot has room for.
func slotsOf(run []Taken) ([]slotUse, bool) {
	index, seen := make(map[string]int, len(run)), make(map[string]bool, len(run))
	uses := make([]slotUse, 0, len(run))
	for i := range run {
		m := run[i].Message
		if seen[m.Runs[0].ID] {
			return nil, false
		}
		seen[m.Runs[0].ID] = true
		if m.Max == 0 {
			continue
		}
		at, known := index[m.Slot]
		if !known {
			at = len(uses)
			index[m.Slot] = at
			uses = append(uses, slotUse{name: m.Slot, room: m.Max})
		}
		u := &uses[at]
		u.room, u.add = min(u.room, m.Max), u.add+1
		if u.add > u.room {
			return nil, false
		}
	}
	return singlesFirst(uses), len(run) > 0
}

func singlesFirst(uses []slotUse) []slotUse {
	at := 0
	for i, u := range uses {
		if u.single() {
			uses[at], uses[i] = u, uses[at]
			at++
		}
	}
	return uses
}

// startAllCall makes the keys and arguments of the script.
func (s *Store) startAllCall(st Start, slots []slotUse) (keys []string, args []any) {
	k := s.partitions[st.Partition]
	t := newTexts()
	for _, u := range slots {
		t.key(k.slot(""), u.name)
	}
	events := s.writeStarted(t, st.Run)
	writeUIDs(t, st.Run)
	writeHeld(t, st)
	texts := t.pieces()
	keys = make([]string, 0, 7+len(slots))
	keys = append(keys, k.events(), k.stream(st.Executor), k.running(), k.leases(), k.removed(), k.waitingIndex(), k.pausedExecutors())
	singles := 0
	var more []any
	keys = append(keys, texts[:len(slots)]...)
	for _, u := range slots {
		if u.single() {
			singles++
			continue
		}
		more = append(more, u.room-u.add, u.add)
	}
	args = make([]any, 0, 12+events+len(st.Entries)+2*len(st.Run)+len(more))
	texts = texts[len(slots):]
	args = append(args, s.cfg.EventLimit, group, st.Name, st.Owner, st.Lease.Milliseconds(), st.Executor, withinGrace(st.Run),
		events, len(st.Entries), len(st.Run), singles, texts[events])
	for i := range texts[:events] {
		args = append(args, &texts[i])
	}
	texts = texts[events+1:]
	for i := range st.Entries {
		args = append(args, &st.Entries[i])
	}
	for i := range st.Run {
		args = append(args, &st.Run[i].Message.Runs[0].ID)
	}
	for i := range texts {
		args = append(args, &texts[i])
	}
	return keys, append(args, more...)
}

// writeUIDs makes one text of the uids of the jobs of the messages.
func writeUIDs(t *texts, run []Taken) {
	for i := range run {
		t.b = append(append(t.b, run[i].Message.UID...), ' ')
	}
	t.cut()
}

// writeStarted makes texts of the events of the runs that are to start, and returns how many.
func (s *Store) writeStarted(t *texts, run []Taken) int {
	pack := newEventPack(t)
	for i := range run {
		at, m := pack.begin(), run[i].Message
		t.b = appendRunEvent(t.b, job.JobStarted, m, m.Runs[0], s.cfg.Node, 0, "")
		pack.end(at)
	}
	return pack.close()
}

// writeHeld makes a text for each message of what follows owner and start in its value of running.
func writeHeld(t *texts, st Start) {
	for i := range st.Run {
		m := st.Run[i].Message
		t.b = append(strconv.AppendInt(t.b, int64(m.Attempt), 10), '\t')
		if m.Max > 0 {
			t.b = append(t.b, m.Slot...)
		}
		t.b = append(append(append(t.b, '\t'), st.Executor...), "\t0\n"...)
		t.b = append(t.b, st.Run[i].body()...)
		t.cut()
	}
}

// withinGrace is the last Unix ms at which no first run of the messages is missed, or "" when none can be.
func withinGrace(run []Taken) any {
	last := int64(math.MaxInt64)
	for i := range run {
		m := run[i].Message
		if grace := graceMillis(m.Grace); grace >= 0 && m.Attempt == 1 {
			last = min(last, m.Runs[0].Due+grace)
		}
	}
	if last == math.MaxInt64 {
		return ""
	}
	return last
}
