package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var startTests = []conformance{
	{"fetch: does not wait unless told", fetchWaits},
	{"start: only what is in the own pending list", startOwn},
	{"start: resent by the same owner is started once", startResent},
	{"start: a run that runs elsewhere is left alone", startRunning},
	{"start: one run twice in a call is started once", startTwin},
	{"start: lateness equal to the grace runs, one more millisecond is missed", startMisfire},
	{"start: a later attempt is never missed", startMisfireLater},
	{"start: the late head of a group is missed, the rest starts", startMisfireGroup},
	{"start: resent after the late head of a group was dropped", startResentGroup},
	{"start: full at max_instances", startFull},
	{"start: runs of one slot in one call are counted together", startShares},
	{"start: what is held is the same whether others of the call can start or not", startHolds},
	{"start: the run of a removed job is cancelled, others start", startRemovedAmong},
	{"start: the run of one of many removed jobs is cancelled", startRemovedOfMany},
	{"start: each run of a large call has its lease, and nobody else", startLeases},
	{"start: nothing in line is overtaken by a call of one", startBehindLine},
	{"start: a line is for queue and for later attempts", startWaits},
	{"start: nothing overtakes a line", startNoOvertaking},
	{"start: what is given back is one entry, and only if owned", startReturns},
	{"start: messages of one entry are started and given back", startSplitsEntry},
	{"postpone: moves to delayed without an attempt", postponeMoves},
	{"postpone: only what is in the own pending list", postponeOwn},
	{"set aside: what cannot be read is dead with its reason, the rest goes back", setAsideDead},
	{"set aside: only what is in the own pending list, and nothing of a newer format", setAsideOwn},
}

func fetchWaits(t *testing.T, open Open) {
	r := newRig(t, open)
	before := r.now()
	for _, block := range []time.Duration{0, -1, time.Microsecond} {
		got, err := r.s.Fetch(r.ctx, 0, executor, nodeA, 10, block)
		r.must(err)
		equal(r, "entries", len(got), 0)
		_, _, err = r.s.Events(r.ctx, store.Cursor{"9999999999999-0"}, block)
		r.must(err)
	}
	equal(r, "waited a second", r.now()-before > 1000, false)
}

func startOwn(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.send(message(e, r.now(), "run"))
	st := r.fetch(nodeA)
	stolen := st
	stolen.Name, stolen.Owner = nodeB, nodeB+"/n"
	equal(r, "another consumer's entry", verdicts(r.start(stolen)), []store.Verdict{store.StartGone})
	r.wantPlace("run", "stream:default")
	equal(r, "still pending", len(r.pending(nodeA)), 1)
	equal(r, "the owner's", verdicts(r.start(st)), []store.Verdict{store.Started})
	equal(r, "entries left", r.raw.number("XLEN", r.key("stream:default")), 0)
	equal(r, "pending left", len(r.pending(nodeA)), 0)
}

// pending are the ids of the entries that the consumer has pending, as the server lists them.
func (r *rig) pending(consumer string) []string {
	r.Helper()
	var ids []string
	for _, p := range r.raw.do("XPENDING", r.key("stream:default"), "nodes", "-", "+", 1000, consumer).([]any) {
		ids = append(ids, p.([]any)[0].(string))
	}
	return ids
}

func startResent(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 5 })
	r.send(message(e, r.now(), "run"))
	st, _ := r.begin(nodeA, store.Started)
	equal(r, "again", verdicts(r.start(st)), []store.Verdict{store.Started})
	equal(r, "counter", r.slot("j"), 1)
	equal(r, "events", r.kinds("run"), []job.EventKind{job.JobSubmitted, job.JobStarted})
}

func startRunning(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 5 })
	m := message(e, r.now(), "run")
	r.send(m)
	r.begin(nodeA, store.Started)
	before := r.raw.text("HGET", r.key("running"), "run")
	r.send(m)
	r.begin(nodeB, store.StartRunning)
	equal(r, "entry of running", r.raw.text("HGET", r.key("running"), "run"), before)
	equal(r, "counter", r.slot("j"), 1)
	r.wantPlace("run", "running")
}

func startTwin(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 5 })
	m := message(e, r.now(), "run")
	r.send(m, m)
	r.begin(nodeA, store.Started, store.StartRunning)
	equal(r, "counter", r.slot("j"), 1)

	other := message(e, r.now(), "other")
	r.send(other, other)
	st := r.fetch(nodeA)
	r.raw.do("XACK", r.key("stream:default"), "nodes", st.Entries[1])
	equal(r, "the second is not owned", verdicts(r.start(st)), []store.Verdict{store.Started, store.StartGone})
}

// startMisfire sends groups whose runs are due a millisecond apart, the first of them at the edge of
// the grace: those that the script drops and the one that it starts show where it drew the line.
func startMisfire(t *testing.T, open Open) {
	r := newRig(t, open)
	const grace = 5000
	e := r.add("j", func(j *job.Job) {
		j.MaxInstances, j.MisfireGraceTime = 100, job.Grace(grace*time.Millisecond)
	})
	for width := 50; ; width *= 2 {
		ids := make([]string, width)
		for i := range ids {
			ids[i] = unique("run")
		}
		m := message(e, r.now()-grace, ids...)
		r.send(m)
		st := r.fetch(nodeA)
		reply := r.start(st)[0]
		dropped := len(m.Runs) - len(reply.Message.Runs)
		if reply.Verdict != store.Started || dropped == 0 {
			continue // it took longer than the group is wide, or less than a millisecond
		}
		equal(r, "lateness of the first that runs", reply.Now-m.Runs[dropped].Due, grace)
		equal(r, "lateness of the last that is missed", reply.Now-m.Runs[dropped-1].Due, grace+1)
		return
	}
}

func startMisfireLater(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MisfireGraceTime = job.Grace(time.Second) })
	m := message(e, r.now()-60_000, "run")
	m.Attempt = 2
	r.send(m)
	r.begin(nodeA, store.Started)
}

func startMisfireGroup(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MisfireGraceTime = job.Grace(time.Second) })
	m := lateGroup(e, r.now())
	allLate := message(e, r.now()-60_000, "x", "y")
	r.send(m, allLate)
	_, replies := r.begin(nodeA, store.Started, store.StartMissed)
	equal(r, "runs left", replies[0].Message.Runs, m.Runs[2:])
	equal(r, "history", r.outcomes("j"), []string{"a missed", "b missed", "x missed", "y missed"})
	equal(r, "events", r.kinds("b"), []job.EventKind{job.JobSubmitted, job.JobMissed})
	equal(r, "counter", r.slot("j"), 1)
	r.wantPlace("a")
	r.wantPlace("c", "running")
}

// lateGroup is a group of which a and b are beyond a second's grace, c and d are not.
func lateGroup(e store.Entry, now int64) store.Message {
	m := message(e, now-60_000, "a", "b", "c", "d")
	m.Runs[2].Due, m.Runs[3].Due = now+60_000, now+60_001
	return m
}

func startResentGroup(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MisfireGraceTime = job.Grace(time.Second) })
	m := lateGroup(e, r.now())
	r.send(m)
	st, _ := r.begin(nodeA, store.Started)
	again := r.start(st)
	equal(r, "verdict", verdicts(again), []store.Verdict{store.Started})
	equal(r, "runs left", again[0].Message.Runs, m.Runs[2:])
	equal(r, "counter", r.slot("j"), 1)
	equal(r, "history", r.outcomes("j"), []string{"a missed", "b missed"})
	other := st
	other.Owner = nodeB + "/n"
	equal(r, "another owner", verdicts(r.start(other)), []store.Verdict{store.StartGone})
}

func startFull(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 2 })
	now := r.now()
	r.send(message(e, now, "a"), message(e, now, "b"), message(e, now, "c1", "c2"))
	r.begin(nodeA, store.Started, store.Started, store.StartFull)
	equal(r, "counter", r.slot("j"), 2)
	equal(r, "history", r.outcomes("j"), []string{"c1 max_instances", "c2 max_instances"})
	equal(r, "events", r.kinds("c2"), []job.EventKind{job.JobSubmitted, job.JobMaxInstances})
	r.wantPlace("c1")
	equal(r, "lines", r.raw.scan(r.key("waiting*")), nil)
}

func startShares(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 4 })
	other := r.add("other", func(j *job.Job) { j.MaxInstances = 3 })
	now := r.now()
	r.send(message(e, now), message(other, now), message(e, now))
	r.begin(nodeA, store.Started, store.Started, store.Started)
	equal(r, "counters", [2]int64{r.slot("j"), r.slot("other")}, [2]int64{2, 1})
	r.send(message(e, now), message(e, now), message(other, now))
	r.begin(nodeA, store.Started, store.Started, store.Started)
	equal(r, "counters of two calls", [2]int64{r.slot("j"), r.slot("other")}, [2]int64{4, 2})
	r.send(message(other, now), message(e, now))
	r.begin(nodeB, store.Started, store.StartFull)
	equal(r, "counters when one is full", [2]int64{r.slot("j"), r.slot("other")}, [2]int64{4, 3})
}

// startHolds compares what a start leaves in Redis when all of its call start with what it leaves when one
// does not, for which the store takes another way.
func startHolds(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 9 })
	full := r.add("full")
	r.send(message(full, r.now(), "first"))
	r.begin(nodeB, store.Started)
	freely := adHoc("freely")
	held := func(id string) string {
		value := r.raw.text("HGET", r.key("running"), id)
		head, body, _ := strings.Cut(value, "\n")
		fields := strings.Split(head, "\t")
		started := r.raw.number("ZSCORE", r.key("leases"), id) - lease.Milliseconds()
		equal(r, "start of "+id, fields[1], fmt.Sprint(started))
		fields[0], fields[1] = "owner", "time"
		return strings.ReplaceAll(strings.Join(fields, "|")+"\n"+body, id, "run")
	}
	for _, c := range []struct {
		name string
		with []store.Message
		want []store.Verdict
	}{
		{"alone", nil, []store.Verdict{store.Started, store.Started}},
		{"beside", []store.Message{message(full, r.now(), "x")}, []store.Verdict{store.Started, store.Started, store.StartFull}},
	} {
		m := message(e, 1000, "slotted"+c.name)
		freely.Runs[0].ID = "freely" + c.name
		r.send(append([]store.Message{m, freely}, c.with...)...)
		st, _ := r.begin(nodeA, c.want...)
		value := r.raw.text("HGET", r.key("running"), m.Runs[0].ID)
		equal(r, "owner is the call's", strings.HasPrefix(value, st.Owner+"\t"), true)
	}
	for _, run := range []string{"slotted", "freely"} {
		equal(r, run, held(run+"alone"), strings.ReplaceAll(held(run+"beside"), "beside", "alone"))
		equal(r, "events", r.kinds(run+"alone"), r.kinds(run+"beside"))
	}
	for _, e := range r.events() {
		if e.Kind == job.JobStarted && strings.HasSuffix(e.RunID, "alone") {
			equal(r, "node and attempt of "+e.RunID, fmt.Sprint(e.Node, e.Attempt), "tester1")
		}
	}
}

func startRemovedAmong(t *testing.T, open Open) {
	r := newRig(t, open)
	e, other := r.add("j"), r.add("other")
	now := r.now()
	r.send(message(e, now, "gone"), message(other, now, "stays"), adHoc("free"))
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	r.begin(nodeA, store.StartRemoved, store.Started, store.Started)
	equal(r, "history", r.outcomes("j"), []string{"gone cancelled"})
	r.send(message(r.add("j"), now, "of another incarnation"))
	r.begin(nodeA, store.Started)
}

func startRemovedOfMany(t *testing.T, open Open) {
	r := newRig(t, open)
	for range 12 {
		r.add("other")
		r.removed("other")
	}
	e := r.add("j")
	r.send(message(e, r.now(), "gone"))
	r.removed("j")
	r.begin(nodeA, store.StartRemoved)
	r.send(message(r.add("j"), r.now(), "of another incarnation"))
	r.begin(nodeA, store.Started)
}

func startLeases(t *testing.T, open Open) {
	r := newRig(t, open)
	want := []string{}
	for range 3 { // into none, into few, into more
		for range 9 {
			id := unique("run")
			want = append(want, id)
			r.send(message(r.add(unique("job")), r.now(), id))
		}
		r.begin(nodeA, repeat(store.Started, 9)...)
	}
	got := r.raw.texts("ZRANGEBYSCORE", r.key("leases"), r.now(), "+inf")
	slices.Sort(got)
	slices.Sort(want)
	equal(r, "leases", got, want)
}

func startBehindLine(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.Overlap = job.OverlapQueue })
	other := r.add("other")
	now := r.now()
	m := message(e, now, "first")
	r.send(m, message(e, now+1, "in line"))
	st, _ := r.begin(nodeA, store.Started, store.StartWaiting)
	r.finish(finishOf(st.Owner, m, job.Executed))
	r.fetchNudges(nodeB)
	equal(r, "the slot is free", r.slot("j"), 0)
	r.send(message(e, now+2, "late comer"))
	r.begin(nodeA, store.StartWaiting)
	r.send(message(other, now, "of another slot"))
	r.begin(nodeA, store.Started)
}

func startWaits(t *testing.T, open Open) {
	r := newRig(t, open)
	skip := r.add("skip")
	queue := r.add("queue", func(j *job.Job) { j.Overlap = job.OverlapQueue })
	now := r.now()
	retry := message(skip, now, "s2")
	retry.Attempt = 2
	r.send(message(skip, now, "s1"), retry, message(queue, now, "q1"), message(queue, now, "q2"))
	r.begin(nodeA, store.Started, store.StartWaiting, store.Started, store.StartWaiting)
	r.wantPlace("s2", "waiting:skip")
	r.wantPlace("q2", "waiting:queue")
	equal(r, "counters", [2]int64{r.slot("skip"), r.slot("queue")}, [2]int64{1, 1})
	equal(r, "history", len(r.outcomes("skip"))+len(r.outcomes("queue")), 0)
}

func startNoOvertaking(t *testing.T, open Open) {
	r := newRig(t, open)
	queue := r.add("q", func(j *job.Job) { j.Overlap, j.Key = job.OverlapQueue, "k" })
	skip := r.add("s", func(j *job.Job) { j.Key = "k" })
	now := r.now()
	first := message(queue, now, "q1")
	r.send(first, message(queue, now+1, "q2"))
	st, _ := r.begin(nodeA, store.Started, store.StartWaiting)
	r.finish(finishOf(st.Owner, first, job.Executed))
	equal(r, "the slot is free", r.slot("k"), 0)
	nudges := r.fetchNudges(nodeA)
	r.send(message(queue, now-1, "q3"), message(skip, now, "s1"))
	r.begin(nodeB, store.StartWaiting, store.StartFull)
	reply, err := r.s.StartNext(r.ctx, st.Consumer, "o", lease, nudges[0][0], "k")
	r.must(err)
	equal(r, "who is next, by due time", reply.Message.Runs[0].ID, "q3")
	r.wantPlace("q2", "waiting:k")
}

func startReturns(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 9 })
	now := r.now()
	r.send(message(e, now, "a"), message(e, now, "b1", "b2"), message(e, now, "c"))
	st := r.fetch(nodeA)
	st.Run, st.Return = st.Run[:1], st.Run[1:]
	stolen := st
	stolen.Name, stolen.Owner = nodeB, nodeB+"/n"
	equal(r, "not owned", verdicts(r.start(stolen)), []store.Verdict{store.StartGone})
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 3)
	for range 2 { // the second is a resend
		equal(r, "owned", verdicts(r.start(st)), []store.Verdict{store.Started})
		equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 2)
	}
	equal(r, "pending here still", len(r.pending(nodeA)), 2)
	back, _ := r.begin(nodeB, store.Started, store.Started) // a node that comes to them takes them over
	equal(r, "entries fetched", len(back.Entries), 2)
	equal(r, "pending", len(r.pending(nodeA)), 0)
	equal(r, "runs", [2]string{back.Run[0].Message.Runs[1].ID, back.Run[1].Message.Runs[0].ID}, [2]string{"b2", "c"})
}

func startSplitsEntry(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 9 })
	now := r.now()
	r.bundle(message(e, now, "a"), message(e, now, "b"), message(e, now, "c"))
	one := r.fetch(nodeA)
	equal(r, "entries", len(one.Entries), 1)
	one.Run, one.Return = one.Run[1:2], []store.Taken{one.Run[0], one.Run[2]}
	equal(r, "verdicts", verdicts(r.start(one)), []store.Verdict{store.Started})
	equal(r, "places", r.places(0), map[string][]string{"a": {"stream:default"}, "b": {"running"}, "c": {"stream:default"}})
	got, err := r.s.FetchPending(r.ctx, 0, executor, nodeA, 10)
	r.must(err)
	rest := r.startOf(one.Consumer, got)
	equal(r, "the rest, before what is behind it", verdicts(r.start(rest)), []store.Verdict{store.Started, store.Started})
	equal(r, "runs", [2]string{rest.Run[0].Message.Runs[0].ID, rest.Run[1].Message.Runs[0].ID}, [2]string{"a", "c"})
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 0)
	equal(r, "fetched again", len(r.fetch(nodeB).Entries), 0)
}

func postponeMoves(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	now := r.now()
	a, b := message(e, now, "a1", "a2"), message(e, now, "b")
	r.bundle(a, b)
	one := r.fetch(nodeA)
	r.must(r.s.Postpone(r.ctx, one.Consumer, one.Entries[0], time.Minute, []store.Message{a}, []store.Message{b}))
	r.must(r.s.Postpone(r.ctx, one.Consumer, one.Entries[0], time.Minute, []store.Message{a}, []store.Message{b}))
	equal(r, "places", r.places(0), map[string][]string{"a1": {"delayed"}, "a2": {"delayed"}, "b": {"stream:default"}})
	equal(r, "pending", len(r.pending(nodeA)), 0)
	score := r.raw.number("ZSCORE", r.key("delayed"), "a1")
	equal(r, "a minute from now", score >= now+60_000 && score <= r.now()+60_000, true)
	n, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
	r.must(err)
	equal(r, "promoted early", n, 0)
	r.raw.do("ZADD", r.key("delayed"), "XX", 1, "a1")
	_, err = r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
	r.must(err)
	back := r.fetch(nodeB)
	equal(r, "message", back.Run[len(back.Run)-1].Message, &a)
}

func postponeOwn(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	m := message(e, r.now(), "run")
	r.send(m)
	st := r.fetch(nodeA)
	c := st.Consumer
	c.Name = nodeB
	r.must(r.s.Postpone(r.ctx, c, st.Entries[0], time.Minute, []store.Message{m}, nil))
	r.wantPlace("run", "stream:default")
}

// entryOf puts an entry with the given bodies into the stream, and has it fetched by nodeA.
func (r *rig) entryOf(bodies ...string) (store.Consumer, store.Fetched) {
	r.Helper()
	c := store.Consumer{Executor: executor, Name: nodeA}
	args := []any{"XADD", r.key("stream:default"), "*"}
	for i, b := range bodies {
		args = append(args, fmt.Sprintf("m%d", i+1), b)
	}
	r.raw.do(args...)
	got, err := r.s.Fetch(r.ctx, 0, executor, nodeA, 10, 0)
	r.must(err)
	equal(r, "entries", len(got), 1)
	return c, got[0]
}

func setAsideDead(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	broken := strings.Replace(message(e, r.now(), "b1", "b2").Encode(), "1\t1\t", "1\tone\t", 1)
	c, entry := r.entryOf("garbage", message(e, r.now(), "good").Encode(), broken)
	for range 2 { // the second call finds nothing to do
		r.must(r.s.SetAside(r.ctx, c, entry))
	}
	equal(r, "places", r.places(0), map[string][]string{"good": {"stream:default"}})
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1)
	equal(r, "pending", len(r.pending(nodeA)), 0)
	equal(r, "history", r.outcomes("j"), []string{"b1 error", "b2 error"})
	dead, err := r.s.DeadRuns(r.ctx, 10)
	r.must(err)
	equal(r, "dead", len(dead), 2)
	equal(r, "job and run", dead[0].JobID+" "+dead[0].Runs[0].ID, "j b1")
	equal(r, "job and run of garbage", dead[1].JobID+dead[1].Runs[0].ID, "")
	for _, d := range dead {
		equal(r, "reason of "+d.JobID, strings.Contains(d.Unreadable, "message"), true)
	}
	r.wantErr(r.s.Retry(r.ctx, "op", dead[0], message(e, r.now(), "again")), store.ErrUnreadable)
	events := r.events()
	last := events[len(events)-3:]
	for i, run := range []string{"", "b1", "b2"} {
		equal(r, "event", last[i].Kind, job.JobError)
		equal(r, "run of the event", last[i].RunID, run)
		equal(r, "cause is told", last[i].Cause != "", true)
	}
}

func setAsideOwn(t *testing.T, open Open) {
	r := newRig(t, open)
	c, entry := r.entryOf("garbage")
	c.Name = nodeB
	r.must(r.s.SetAside(r.ctx, c, entry))
	equal(r, "dead by another", r.raw.number("LLEN", r.key("dead")), 0)
	equal(r, "pending", len(r.pending(nodeA)), 1)
	newer := "2" + strings.TrimPrefix(message(r.add("j"), r.now(), "run").Encode(), "1")
	c, entry = r.entryOf(newer)
	r.must(r.s.SetAside(r.ctx, c, entry))
	equal(r, "dead of a newer format", r.raw.number("LLEN", r.key("dead")), 0)
	equal(r, "pending with the newer", len(r.pending(nodeA)), 2)
}
