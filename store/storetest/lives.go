package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var lifeTests = []conformance{
	{"life: callers get the token that the present life began with", lifeToken},
	{"retry: into a full line is refused, and the run stays dead", retryIntoFullLine},
	{"retry: a busy slot has the new run join the line", retryIntoLine},
	{"retry: runs of the stream do not fill the line before the new run", retryBehindStream},
}

func lifeToken(t *testing.T, open Open) {
	r := newRig(t, open)
	for _, token := range []string{"one", "two"} {
		got, err := r.s.Life(r.ctx, 0, "n", token, time.Hour)
		r.must(err)
		equal(r, "token", got, "one")
	}
	ttl := r.raw.number("TTL", r.key("op:n"))
	equal(r, "lasts an hour", ttl > 3500 && ttl <= 3600, true)
	r.raw.do("DEL", r.key("op:n"))
	got, err := r.s.Life(r.ctx, 0, "n", "three", time.Second)
	r.must(err)
	equal(r, "token of the next life", got, "three")
	equal(r, "lasts ten minutes at least", r.raw.number("TTL", r.key("op:n")) > 500, true)
}

func queued(j *job.Job) { j.Overlap = job.OverlapQueue }

// retryOf is the message that a retry sends.
func retryOf(e store.Entry, due int64, id string) store.Message {
	m := message(e, due, id)
	m.Grace, m.Overlap = job.GraceNone, job.OverlapQueue
	return m
}

// lineUp puts n runs of e into the line for its slot.
func (r *rig) lineUp(e store.Entry, n int) {
	r.Helper()
	places, bodies := []any{"ZADD", r.key("waiting:" + e.Job.ID)}, []any{"HSET", r.key("waiting_runs:" + e.Job.ID)}
	for i := range n {
		m := retryOf(e, int64(i), fmt.Sprintf("line-%04d", i))
		places = append(places, i, m.Runs[0].ID)
		bodies = append(bodies, m.Runs[0].ID, m.Encode())
	}
	r.raw.do(places...)
	r.raw.do(bodies...)
	r.raw.do("SADD", r.key("waiting"), e.Job.ID)
}

func retryIntoFullLine(t *testing.T, open Open) {
	r := newRig(t, open)
	e, d := died(r)
	r.lineUp(e, 1000)
	r.wantErr(r.s.Retry(r.ctx, "full", d, retryOf(e, r.now(), "new")), store.ErrLineFull)
	equal(r, "dead", r.raw.number("LLEN", r.key("dead")), 1)
	equal(r, "places", r.places(0)["new"], nil)
	equal(r, "events", r.kinds("new"), nil)
	r.raw.do("ZREM", r.key("waiting:j"), "line-0000")
	r.raw.do("HDEL", r.key("waiting_runs:j"), "line-0000")
	for range 2 {
		r.must(r.s.Retry(r.ctx, "room", d, retryOf(e, r.now(), "new")))
	}
	r.wantPlace("new", "waiting:j")
	equal(r, "in line", r.raw.number("ZCARD", r.key("waiting:j")), 1000)
	equal(r, "dead", r.raw.number("LLEN", r.key("dead")), 0)
}

func retryIntoLine(t *testing.T, open Open) {
	r := newRig(t, open)
	e, d := died(r)
	r.send(message(e, r.now(), "busy"))
	busy, replies := r.begin(nodeA, store.Started)
	r.must(r.s.Retry(r.ctx, "op", d, retryOf(e, r.now(), "new")))
	r.wantPlace("new", "waiting:j")
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 0)
	r.finish(finishOf(busy.Owner, *replies[0].Message, job.Executed))
	nudge := r.fetchNudges(nodeA)
	equal(r, "nudges", len(nudge), 1)
	next, err := r.s.StartNext(r.ctx, store.Consumer{Executor: executor, Name: nodeA}, nodeA+"/n", lease, nudge[0][0], "j")
	r.must(err)
	equal(r, "verdict", next.Verdict, store.Started)
	equal(r, "run", next.Message.Runs[0].ID, "new")
}

// A thousand runs and more wait in the stream of a paused executor when a dead run is retried. All start
// before it, and it runs all the same.
func retryBehindStream(t *testing.T, open Open) {
	r := newRig(t, open)
	e, owner, m := started(r, "j", queued)
	r.finish(finishOf(owner, m, job.Failed))
	d, err := r.s.FindDead(r.ctx, m.Runs[0].ID)
	r.must(err)
	due := r.now() - 10_000
	var all []store.Message
	for i := range 1100 {
		all = append(all, message(e, due+int64(i), fmt.Sprintf("early-%04d", i)))
	}
	r.send(all...)
	r.must(r.s.Retry(r.ctx, "op", d, retryOf(e, r.now(), "new")))
	r.wantPlace("new", "waiting:j")
	got, err := r.s.Fetch(r.ctx, 0, executor, nodeA, 10_000, 0)
	r.must(err)
	last := got[len(got)-1]
	_, nudge := store.SlotOfNudge(last.Bodies[0])
	equal(r, "the last entry is a nudge", nudge, true)
	r.start(r.startOf(store.Consumer{Executor: executor, Name: nodeA}, got[:len(got)-1]))
	r.wantPlace("new", "waiting:j")
	equal(r, "events", r.kinds("new"), []job.EventKind{job.JobSubmitted})
}
