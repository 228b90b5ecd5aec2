package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var unservedTests = []conformance{
	{"unserved: a run waits in delayed, its pause doubles, no attempt is counted", unservedPause},
	{"unserved: its grace is judged while it waits", unservedGrace},
	{"unserved: a run of a removed job is cancelled", unservedOfRemovedJob},
	{"unserved: runs are due when their task is served, the oldest first", unservedServed},
	{"unserved: marks of runs that left delayed are forgotten", unservedSwept},
	{"unserved: the first in line steps out", unservedInLine},
	{"unserved: all runs of a task are cancelled", unservedCancelled},
	{"unserved: the registry says who serves what", servedKept},
}

func never(string) bool { return false }

// nobody is a consumer whose node has no handler, as no other has.
func nobody(name string) store.Consumer {
	return store.Consumer{Executor: executor, Name: name, Able: never, Served: never}
}

func none(string, string) bool { return false }

// postponed fetches all there is and puts it off, as a node that has no handler for it does.
func (r *rig) postponed(c store.Consumer) {
	r.Helper()
	got, err := r.s.Fetch(r.ctx, 0, executor, c.Name, 1000, 0)
	r.must(err)
	for _, f := range got {
		var all []store.Message
		for _, body := range f.Bodies {
			m, err := store.DecodeMessage(body)
			r.must(err)
			all = append(all, m)
		}
		r.must(r.s.Postpone(r.ctx, c, f.ID, time.Second, all, nil))
	}
}

// pauseOf is how long from now a delayed run waits, in ms.
func (r *rig) pauseOf(id string) int64 {
	r.Helper()
	return r.raw.number("ZSCORE", r.key("delayed"), id) - r.now()
}

// makeDue lets the pauses of all delayed runs pass.
func (r *rig) makeDue() {
	r.Helper()
	for _, id := range r.raw.texts("HKEYS", r.key("delayed_runs")) {
		r.raw.do("ZADD", r.key("delayed"), "XX", r.now()-1, id)
	}
}

func (r *rig) hold(served func(executor, task string) bool) (held, missed int) {
	r.Helper()
	held, missed, err := r.s.HoldUnserved(r.ctx, 0, r.office, r.now(), 500, served)
	r.must(err)
	return held, missed
}

func unservedPause(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.send(message(e, r.now(), "a"))
	r.postponed(nobody(nodeA))
	r.wantPlace("a", "delayed")
	want := int64(1000)
	for round := range 8 {
		if got := r.pauseOf("a"); got > want || got < want-900 {
			r.Errorf("round %d: it waits %d ms, want %d", round, got, want)
		}
		want = min(2*want, 30_000)
		r.makeDue()
		if round%2 == 0 { // the leader holds it, or does not know who there is and sends it on
			held, missed := r.hold(none)
			equal(r, "held", [2]int{held, missed}, [2]int{1, 0})
			continue
		}
		n, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
		r.must(err)
		equal(r, "promoted", n, 1)
		r.postponed(nobody(nodeA))
	}
	r.must(r.s.Each(r.ctx, 0, store.InDelayed, func(p store.Placed) bool {
		equal(r, "attempt", p.Attempt, 1)
		equal(r, "marked", p.Unserved > 0, true)
		return true
	}))
	n, err := r.s.UnservedRuns(r.ctx)
	r.must(err)
	equal(r, "counted", n, 1)
	equal(r, "slot", r.raw.number("EXISTS", r.key("slots:j")), 0)
	r.makeDue()
	held, _ := r.hold(func(executor, task string) bool { return executor == "default" && task == "t" })
	equal(r, "held once it is served", held, 0)
}

func unservedGrace(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MisfireGraceTime = job.Grace(time.Minute) })
	now := r.now()
	m := message(e, now, "a", "b", "c")
	m.Runs[0].Due, m.Runs[1].Due, m.Runs[2].Due = now-50_000, now-40_000, now-30_000
	r.send(m)
	r.postponed(nobody(nodeA))
	r.makeDue()
	equal(r, "held within the grace", fmt.Sprint(r.hold(none)), "1 0")
	// The grace of two of them ends.
	old := r.raw.text("HGET", r.key("delayed_runs"), "a")
	for i, run := range []string{"a", "b"} {
		old = strings.Replace(old, fmt.Sprintf("%s@%d@%d", run, now+int64(i), m.Runs[i].Due), fmt.Sprintf("%s@%d@%d", run, now+int64(i), now-90_000), 1)
	}
	r.raw.do("HSET", r.key("delayed_runs"), "a", old)
	r.makeDue()
	equal(r, "two beyond it", fmt.Sprint(r.hold(none)), "1 2")
	equal(r, "places", r.places(0), map[string][]string{"c": {"delayed"}})
	equal(r, "outcomes", r.outcomes("j"), []string{"a missed", "b missed"})
	equal(r, "marked", r.raw.texts("HKEYS", r.key("unserved")), []string{"c"})
	rows, err := r.s.History(r.ctx, "j", 1)
	r.must(err)
	equal(r, "cause", strings.HasPrefix(rows[0].Cause, "no node serves the task: late by"), true)
	if p := r.pauseOf("c"); p > 4000 {
		r.Errorf("the last waits for %d ms", p)
	}
	last := strings.Replace(r.raw.text("HGET", r.key("delayed_runs"), "c"), fmt.Sprint(now-30_000), fmt.Sprint(now-90_000), 1)
	r.raw.do("HSET", r.key("delayed_runs"), "c", last)
	r.makeDue()
	equal(r, "the last", fmt.Sprint(r.hold(none)), "1 1")
	equal(r, "keys that are left", r.raw.number("EXISTS", r.key("delayed"), r.key("delayed_runs"), r.key("unserved")), 0)
}

func unservedOfRemovedJob(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.send(message(e, r.now(), "a"))
	r.postponed(nobody(nodeA))
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	r.makeDue()
	r.hold(none)
	equal(r, "places", r.places(0), map[string][]string{})
	equal(r, "outcomes", r.outcomes("j"), []string{"a cancelled"})
	equal(r, "marks", r.raw.number("EXISTS", r.key("unserved")), 0)
}

func unservedServed(t *testing.T, open Open) {
	r := newRig(t, open)
	for i := range 660 { // more than a call makes due
		m := adHoc(fmt.Sprintf("run-%04d", i))
		if i%11 == 0 {
			m.Task = "other"
		}
		r.send(m)
	}
	r.postponed(nobody(nodeA))
	r.postponed(nobody(nodeA))
	settle := func(served func(executor, task string) bool) [2]int {
		due, waiting, err := r.s.SettleUnserved(r.ctx, 0, r.office, served)
		r.must(err)
		return [2]int{due, waiting}
	}
	equal(r, "of another executor", settle(func(executor, _ string) bool { return executor == "gpu" }), [2]int{0, 660})
	equal(r, "served", settle(func(_, task string) bool { return task == "t" }), [2]int{600, 60})
	for i := 0; i < 660; i += 11 { // their pauses do not end while a slow server works
		r.raw.do("ZADD", r.key("delayed"), "XX", r.now()+60_000, fmt.Sprintf("run-%04d", i))
	}
	n, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 1000)
	r.must(err)
	equal(r, "promoted", n, 600)
	var order []string
	r.must(r.s.Register(r.ctx, []string{executor}, nil))
	r.must(r.s.Each(r.ctx, 0, store.InStream, func(p store.Placed) bool {
		order = append(order, p.Runs[0].ID)
		return true
	}))
	for i := 1; i < len(order); i++ {
		if order[i] < order[i-1] {
			r.Fatalf("%s comes after %s", order[i], order[i-1])
		}
	}
}

func unservedSwept(t *testing.T, open Open) {
	r := newRig(t, open)
	r.send(adHoc("a"), adHoc("b"), adHoc("c"))
	r.postponed(nobody(nodeA))
	r.must(r.s.Cancel(r.ctx, "a"))
	r.makeDue()
	_, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 1) // by a leader that knows nothing of marks
	r.must(err)
	due, waiting, err := r.s.SettleUnserved(r.ctx, 0, r.office, nil)
	r.must(err)
	equal(r, "due", due, 0)
	equal(r, "looked through", waiting, 3)
	equal(r, "marks", r.raw.number("HLEN", r.key("unserved")), 1)
	r.raw.do("HSET", r.key("unserved"), "x", "garbage", "y", "1\t2\tdefault\tt")
	_, _, err = r.s.SettleUnserved(r.ctx, 0, r.office, none)
	r.must(err)
	equal(r, "marks that nothing stands for", r.raw.number("HLEN", r.key("unserved")), 1)
}

func unservedInLine(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", queued)
	r.lineUp(e, 2)
	r.raw.do("XADD", r.key("stream:default"), "*", "m", "N\tj")
	nudge := r.fetchNudges(nodeA)
	c := nobody(nodeA)
	c.Able = func(task string) bool { return task != "t" }
	next, err := r.s.StartNext(r.ctx, c, nodeA+"/n", lease, nudge[0][0], "j")
	r.must(err)
	equal(r, "verdict", next.Verdict, store.StartGone)
	equal(r, "places", r.places(0), map[string][]string{"line-0000": {"delayed"}, "line-0001": {"delayed"}})
	equal(r, "marks", r.raw.number("HLEN", r.key("unserved")), 2)
	equal(r, "slot", r.raw.number("EXISTS", r.key("slots:j")), 0)
	equal(r, "line", r.raw.number("EXISTS", r.key("waiting")), 0)
}

func unservedCancelled(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", queued)
	r.must(r.s.Register(r.ctx, []string{executor}, []string{"t"}))
	r.send(adHoc("a"), message(e, r.now(), "b", "c"))
	r.postponed(nobody(nodeA))
	r.lineUp(e, 2)
	other := adHoc("other")
	other.Task = "other"
	r.send(adHoc("d"), other)
	n, err := r.s.CancelTask(r.ctx, "t")
	r.must(err)
	equal(r, "cancelled", n, 6)
	equal(r, "places", r.places(0), map[string][]string{"other": {"stream:default"}})
	equal(r, "outcomes", r.outcomes("j"), []string{"b cancelled", "c cancelled", "line-0000 cancelled", "line-0001 cancelled"})
	equal(r, "marks", r.raw.number("EXISTS", r.key("unserved")), 0)
	equal(r, "events", r.kinds("b"), []job.EventKind{job.JobSubmitted, job.JobCancelled})
}

func servedKept(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.Register(r.ctx, []string{"default", "gpu"}, []string{"t", "u"}))
	known, err := r.s.Registry(r.ctx)
	r.must(err)
	equal(r, "before a leader has said it", known.Unserved("default", "t"), false)
	r.must(r.s.SaveServed(r.ctx, 0, r.office, map[string][]string{"default": {"t"}, "gpu": {"u"}}))
	known, err = r.s.Registry(r.ctx)
	r.must(err)
	for _, c := range []struct {
		executor, task string
		want           bool
	}{{"default", "t", false}, {"gpu", "u", false}, {"default", "u", true}, {"gpu", "t", true}, {"none", "t", true}} {
		equal(r, c.executor+" "+c.task, known.Unserved(c.executor, c.task), c.want)
	}
	ttl := r.raw.number("TTL", r.key("served"))
	equal(r, "it ends without a leader", ttl > 50 && ttl <= 60, true)
	r.raw.do("DEL", r.key("served"))
	known, err = r.s.Registry(r.ctx)
	r.must(err)
	equal(r, "without a leader", known.Unserved("default", "t"), true)
	stale := r.office
	stale.Term--
	r.wantErr(r.s.SaveServed(r.ctx, 0, stale, nil), store.ErrFenced)
}
