package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var lineTests = []conformance{
	{"next: starts by due time, one for each slot that comes free", nextOrders},
	{"next: one nudge fills every slot that is free", nextChains},
	{"next: asked by many at once, each gets another run", nextTogether},
	{"next: full and empty take the nudge away", nextFullAndEmpty},
	{"next: a nudge at the wrong executor is passed on", nextPassesOn},
	{"next: removed and missed ones are dropped on the way", nextDrops},
	{"next: resent by the same owner is started once", nextResent},
	{"sweep: nudges a line whose nudge was lost", sweepNudges},
	{"sweep: an executor that nobody serves does not fill up with nudges", sweepBounded},
}

// lined has a job with one run started by nodeA and others in line, in the order of their ids.
func lined(r *rig, edit func(*job.Job), ids ...string) (store.Entry, store.Start) {
	r.Helper()
	e := r.add("j", func(j *job.Job) {
		j.Overlap = job.OverlapQueue
		if edit != nil {
			edit(j)
		}
	})
	now := r.now()
	r.send(message(e, now, "first"))
	st, _ := r.begin(nodeA, store.Started)
	for i := len(ids) - 1; i >= 0; i-- {
		r.send(message(e, now+1+int64(i), ids[i]))
		r.begin(nodeA, store.StartWaiting)
	}
	return e, st
}

func (r *rig) next(c store.Consumer, owner, entry, slot string) store.StartReply {
	r.Helper()
	reply, err := r.s.StartNext(r.ctx, c, owner, lease, entry, slot)
	r.must(err)
	return reply
}

func nextOrders(t *testing.T, open Open) {
	r := newRig(t, open)
	_, st := lined(r, nil, "a", "b", "c")
	m, owner := st.Run[0].Message, st.Owner
	for _, want := range []string{"a", "b", "c"} {
		r.finish(finishOf(owner, *m, job.Executed))
		nudges := r.fetchNudges(nodeB)
		equal(r, "nudges", len(nudges), 1)
		equal(r, "slot", nudges[0][1], "j")
		owner = nodeB + "/" + want
		reply := r.next(store.Consumer{Executor: executor, Name: nodeB}, owner, nudges[0][0], "j")
		equal(r, "verdict", reply.Verdict, store.Started)
		equal(r, "run", reply.Message.Runs[0].ID, want)
		equal(r, "counter", r.slot("j"), 1)
		r.wantPlace(want, "running")
		m = reply.Message
	}
	r.finish(finishOf(owner, *m, job.Executed))
	equal(r, "nudges for nobody", len(r.fetchNudges(nodeB)), 0)
	equal(r, "leftovers", r.raw.scan(r.key("waiting*")), nil)
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
}

// crowd is a line of n runs, all slots of which are free, and whose nudges were lost but one.
func crowd(r *rig, slots, n int) string {
	r.Helper()
	e := r.add("j", func(j *job.Job) { j.Overlap, j.MaxInstances = job.OverlapQueue, slots })
	r.raw.do("SET", r.key("slots:j"), slots)
	for range n {
		r.send(message(e, r.now()))
	}
	r.begin(nodeA, repeat(store.StartWaiting, n)...)
	r.raw.do("DEL", r.key("slots:j"))
	r.must(r.s.Sweep(r.ctx, 0))
	nudges := r.fetchNudges(nodeA)
	equal(r, "nudges", len(nudges), 1)
	return nudges[0][0]
}

func nextChains(t *testing.T, open Open) {
	r := newRig(t, open)
	entry := crowd(r, 3, 5)
	c := store.Consumer{Executor: executor, Name: nodeA}
	for n := int64(1); ; n++ {
		equal(r, "verdict", r.next(c, unique("owner"), entry, "j").Verdict, store.Started)
		equal(r, "counter", r.slot("j"), n)
		nudges := r.fetchNudges(nodeA)
		equal(r, "nudges while there is room", len(nudges), min(1, 3-int(n)))
		if len(nudges) == 0 {
			return
		}
		entry = nudges[0][0]
	}
}

func nextTogether(t *testing.T, open Open) {
	r := newRig(t, open)
	const n = 12
	entries := []string{crowd(r, n, n)}
	for range n - 1 {
		r.raw.do("XADD", r.key("stream:default"), "*", "m", "N\tj")
	}
	for _, nudge := range r.fetchNudges(nodeA) {
		entries = append(entries, nudge[0])
	}
	c := store.Consumer{Executor: executor, Name: nodeA}
	got := make(chan attempt)
	for _, entry := range entries {
		go func() {
			owner := unique("owner")
			reply, err := r.s.StartNext(r.ctx, c, owner, lease, entry, "j")
			if err != nil || reply.Verdict != store.Started {
				t.Errorf("%s: %v, %v", owner, reply.Verdict, err)
				reply.Message.Runs = []store.MessageRun{{ID: "none"}}
			}
			got <- attempt{owner, *reply.Message}
		}()
	}
	for range n {
		a := <-got
		value := r.raw.text("HGET", r.key("running"), a.m.Runs[0].ID)
		equal(r, "owner of what was answered", strings.HasPrefix(value, a.owner+"\t"), true)
	}
	equal(r, "counter", r.slot("j"), n)
}

func nextFullAndEmpty(t *testing.T, open Open) {
	r := newRig(t, open)
	_, st := lined(r, nil, "a")
	for _, c := range []struct {
		slot string
		want store.Verdict
	}{{"j", store.StartFull}, {"nobody", store.StartGone}} {
		r.raw.do("XADD", r.key("stream:default"), "*", "m", "N\t"+c.slot)
		nudge := r.fetchNudges(nodeA)[0]
		reply := r.next(st.Consumer, "o", nudge[0], nudge[1])
		equal(r, "verdict", reply.Verdict, c.want)
		equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 0)
		equal(r, "pending", len(r.pending(nodeA)), 0)
	}
	r.wantPlace("a", "waiting:j")
	equal(r, "counter", r.slot("j"), 1)
}

func nextPassesOn(t *testing.T, open Open) {
	r := newRig(t, open)
	shared := func(j *job.Job) { j.Overlap, j.Key = job.OverlapQueue, "k" }
	here := r.add("here", shared)
	there := r.add("there", func(j *job.Job) { shared(j); j.Executor = "other" })
	r.must(r.s.EnsureGroup(r.ctx, 0, "other"))
	r.send(message(here, r.now(), "a"))
	st, _ := r.begin(nodeA, store.Started)
	r.send(message(there, r.now(), "b"))
	r.start(r.fetchFrom(0, "other", nodeB))
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	nudge := r.fetchNudges(nodeA)[0]
	equal(r, "verdict", r.next(st.Consumer, "o", nudge[0], nudge[1]).Verdict, store.StartGone)
	equal(r, "pending", len(r.pending(nodeA)), 0)
	got, err := r.s.Fetch(r.ctx, 0, "other", nodeB, 10, 0)
	r.must(err)
	equal(r, "nudges there", len(got), 1)
	reply := r.next(store.Consumer{Executor: "other", Name: nodeB}, "o2", got[0].ID, "k")
	equal(r, "run", reply.Message.Runs[0].ID, "b")
}

func nextDrops(t *testing.T, open Open) {
	r := newRig(t, open)
	e, st := lined(r, func(j *job.Job) { j.Key, j.MisfireGraceTime = "k", job.Grace(time.Hour) }, "late-1", "ok")
	gone := r.add("gone", func(j *job.Job) { j.Key, j.Overlap = "k", job.OverlapQueue })
	r.send(message(gone, r.now()-1000, "gone-1"))
	r.begin(nodeA, store.StartWaiting)
	late := message(e, r.now()-2*3_600_000, "late-1")
	r.raw.do("HSET", r.key("waiting_runs:k"), "late-1", late.Encode())
	r.raw.do("ZADD", r.key("removed"), r.now(), gone.UID)
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	nudge := r.fetchNudges(nodeA)[0]
	reply := r.next(st.Consumer, "o", nudge[0], nudge[1])
	equal(r, "run", reply.Message.Runs[0].ID, "ok")
	equal(r, "history of gone", r.outcomes("gone"), []string{"gone-1 cancelled"})
	equal(r, "history", r.outcomes("j"), []string{"first executed", "late-1 missed"})
	equal(r, "places", r.places(0), map[string][]string{"ok": {"running"}})
}

func nextResent(t *testing.T, open Open) {
	var p *proxy
	r := newRig(t, open, lossy(t, &p))
	e, st := lined(r, func(j *job.Job) { j.MisfireGraceTime = job.Grace(time.Second) }, "x")
	r.raw.do("DEL", r.key("waiting:j"), r.key("waiting_runs:j"))
	m := lateGroup(e, r.now())
	r.raw.do("ZADD", r.key("waiting:j"), m.Runs[0].Due, "a")
	r.raw.do("HSET", r.key("waiting_runs:j"), "a", m.Encode())
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	nudge := r.fetchNudges(nodeA)[0]
	p.lose(1)
	reply := r.next(st.Consumer, "o", nudge[0], nudge[1])
	equal(r, "replies still to be lost", p.left(), 0)
	equal(r, "verdict", reply.Verdict, store.Started)
	equal(r, "runs", reply.Message.Runs, m.Runs[2:])
	equal(r, "counter", r.slot("j"), 1)
}

func sweepNudges(t *testing.T, open Open) {
	r := newRig(t, open)
	_, st := lined(r, nil, "a")
	r.must(r.s.Sweep(r.ctx, 0))
	equal(r, "nudges while the slot is held", len(r.fetchNudges(nodeA)), 0)
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	r.raw.do("XTRIM", r.key("stream:default"), "MAXLEN", 0)
	r.must(r.s.Sweep(r.ctx, 0))
	nudge := r.fetchNudges(nodeA)[0]
	equal(r, "verdict", r.next(st.Consumer, "o", nudge[0], nudge[1]).Verdict, store.Started)
	r.raw.do("SADD", r.key("waiting"), "nobody")
	r.must(r.s.Sweep(r.ctx, 0))
	nudge = r.fetchNudges(nodeA)[0]
	equal(r, "an empty line", r.next(st.Consumer, "o", nudge[0], nudge[1]).Verdict, store.StartGone)
	equal(r, "lines", r.raw.number("SCARD", r.key("waiting")), 0)
}

func sweepBounded(t *testing.T, open Open) {
	r := newRig(t, open)
	_, st := lined(r, nil, "a")
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	for range 20 {
		r.must(r.s.Sweep(r.ctx, 0))
	}
	if n := r.raw.number("XLEN", r.key("stream:default")); n > 2 {
		t.Errorf("%d nudges are in the stream", n)
	}
}
