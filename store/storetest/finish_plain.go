package storetest

import (
	"strconv"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var finishPlainTests = []conformance{
	{"finish: plain ones of several start calls keep their own times, slots and dead", plainOfSeveral},
	{"finish: a run named twice in one call ends once", plainTwice},
	{"finish: a call in which one is refused ends the others", plainRefused},
	{"finish: whoever is first in line is told by a call of many", plainLine},
}

// heldSince is when a run began, as running has it.
func heldSince(r *rig, runID string) int64 {
	r.Helper()
	_, rest, _ := strings.Cut(r.raw.text("HGET", r.key("running"), runID), "\t")
	since, _, _ := strings.Cut(rest, "\t")
	ms, err := strconv.ParseInt(since, 10, 64)
	r.must(err)
	return ms
}

func plainOfSeveral(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 9 })
	free := message(e, e.RunTime, "free")
	free.Max = 0
	r.send(message(e, e.RunTime, "a"))
	r.send(message(e, e.RunTime, "b"))
	r.send(message(e, e.RunTime, "next"))
	first, one := r.begin(nodeA, store.Started, store.Started, store.Started)
	held, since := r.raw.text("HGET", r.key("running"), "next"), strconv.FormatInt(heldSince(r, "next"), 10)
	r.raw.do("HSET", r.key("running"), "next", strings.Replace(held, since, "1000", 1)) // of the same owner, and later
	r.send(message(e, e.RunTime, "c"))
	r.send(free)
	r.send(message(e, e.RunTime, "stays"))
	second, two := r.begin(nodeA, store.Started, store.Started, store.Started)
	failed := finishOf(first.Owner, one[1].Message, job.Failed)
	failed.Error = "boom"
	began := map[string]int64{}
	for _, id := range []string{"a", "b", "next", "c", "free"} {
		began[id] = heldSince(r, id)
	}
	equal(r, "answers", r.finish(finishOf(second.Owner, two[1].Message, job.Executed), finishOf(first.Owner, one[0].Message, job.Executed),
		failed, finishOf(second.Owner, two[0].Message, job.Cancelled), finishOf(first.Owner, one[2].Message, job.Executed)), make([]store.FinishReply, 5))
	rows, err := r.s.History(r.ctx, "j", 10)
	r.must(err)
	got := map[string]string{}
	for _, row := range rows {
		got[row.RunID] = string(row.Outcome)
		equal(r, "start of "+row.RunID, row.Started.UnixMilli(), began[row.RunID])
		equal(r, "end of "+row.RunID, row.Finished.UnixMilli() >= began["c"], true)
	}
	equal(r, "outcomes", got, map[string]string{"a": "executed", "b": "error", "next": "executed", "c": "cancelled", "free": "executed"})
	equal(r, "counter", r.slot("j"), 1)
	equal(r, "leases", r.raw.number("ZCARD", r.key("leases")), 1)
	equal(r, "places", r.places(0), map[string][]string{"stays": {"running"}})
	dead, err := r.s.DeadRuns(r.ctx, 10)
	r.must(err)
	equal(r, "dead", []string{dead[0].Runs[0].ID, strconv.Itoa(len(dead))}, []string{"b", "1"})
	equal(r, "events of b", r.kinds("b"), []job.EventKind{job.JobSubmitted, job.JobStarted, job.JobError})
}

func plainTwice(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 3 })
	r.send(message(e, e.RunTime, "a"))
	r.send(message(e, e.RunTime, "b"))
	st, replies := r.begin(nodeA, store.Started, store.Started)
	f := finishOf(st.Owner, replies[0].Message, job.Executed)
	equal(r, "answers", r.finish(f, f), []store.FinishReply{{}, {Refused: true}})
	equal(r, "history", r.outcomes("j"), []string{"a executed"})
	equal(r, "counter", r.slot("j"), 1)
}

func plainRefused(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "j")
	_, ownerK, k := started(r, "k")
	late := finishOf(owner, m, job.Executed)
	late.Owner = owner[:len(owner)-1] // the beginning of a token is no token
	equal(r, "answers", r.finish(late, finishOf(ownerK, k, job.Executed)), []store.FinishReply{{Refused: true}, {}})
	equal(r, "counters", []int64{r.slot("j"), r.slot("k")}, []int64{1, 0})
	r.wantPlace(m.Runs[0].ID, "running")
}

func plainLine(t *testing.T, open Open) {
	r := newRig(t, open)
	e, owner, m := started(r, "j", func(j *job.Job) { j.Overlap = job.OverlapQueue })
	r.send(message(e, r.now(), "line"))
	r.begin(nodeB, store.StartWaiting)
	_, ownerK, k := started(r, "k")
	r.finish(finishOf(ownerK, k, job.Executed), finishOf(owner, m, job.Executed))
	nudges := r.fetchNudges(nodeB)
	equal(r, "told", []any{len(nudges), nudges[0][1]}, []any{1, "j"})
}
