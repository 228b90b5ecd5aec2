package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var reclaimTests = []conformance{
	{"reclaim: moves what was fetched and never started, attempts unchanged", reclaimMoves},
	{"reclaim: leaves what is not idle long enough", reclaimIdle},
	{"reclaim: deletes a consumer only with nothing pending", reclaimDrops},
	{"consumers: lists them, and says nothing of streams without a group", consumersLists},
	{"group: destroyed and made again at the beginning loses nothing", groupDestroyed},
	{"expire: closes what is beyond its grace and nobody fetched, leaves the rest", expireUnserved},
	{"expire: leaves what was fetched, a rerun, a nudge, and what cannot be read", expireLeaves},
	{"promote: only what is due", promoteDue},
}

func consumer(name string) store.ConsumerInfo {
	return store.ConsumerInfo{Executor: executor, Name: name}
}

func (r *rig) reclaim(name string, idle time.Duration, drop bool) int {
	r.Helper()
	n, err := r.s.Reclaim(r.ctx, 0, r.office, consumer(name), idle, drop)
	r.must(err)
	return n
}

func reclaimMoves(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 9 })
	now := r.now()
	m := message(e, now, "a1", "a2")
	m.Attempt, m.Lost = 2, 1
	r.bundle(m, message(e, now, "b"))
	r.send(message(e, now, "c"))
	old := r.fetch(nodeA)
	equal(r, "moved", r.reclaim(nodeA, 0, false), 2)
	equal(r, "the old consumer's start", verdicts(r.start(old)), []store.Verdict{store.StartGone, store.StartGone, store.StartGone})
	equal(r, "moved again", r.reclaim(nodeA, 0, false), 0)
	_, replies := r.begin(nodeB, store.Started, store.Started, store.Started)
	equal(r, "message", replies[0].Message, &m)
	equal(r, "counter", r.slot("j"), 3)
	equal(r, "pending", len(r.pending(nodeA)), 0)
}

func reclaimIdle(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.send(message(e, r.now(), "run"))
	st := r.fetch(nodeA)
	equal(r, "moved", r.reclaim(nodeA, time.Hour, true), 0)
	equal(r, "the consumer is there", len(r.consumers()), 1)
	equal(r, "its start", verdicts(r.start(st)), []store.Verdict{store.Started})
}

func (r *rig) consumers() []string {
	r.Helper()
	all, err := r.s.Consumers(r.ctx, 0, []string{executor, "nobody"})
	r.must(err)
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	return names
}

func reclaimDrops(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 1000 })
	for range 13 {
		var some []store.Message
		for range 10 {
			some = append(some, message(e, r.now()))
		}
		r.send(some...)
	}
	r.fetch(nodeA)
	equal(r, "first", r.reclaim(nodeA, 0, true), 100)
	equal(r, "consumers", r.consumers(), []string{nodeA})
	equal(r, "second", r.reclaim(nodeA, 0, true), 30)
	equal(r, "consumers", r.consumers(), nil)
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 130)
	equal(r, "fetched by another", len(r.fetch(nodeB).Run), 130)
}

func consumersLists(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.send(message(e, r.now(), "run"))
	r.fetch(nodeA)
	r.raw.do("XADD", r.key("stream:raw"), "*", "m", "N\tx")
	all, err := r.s.Consumers(r.ctx, 0, []string{executor, "raw", "nobody"})
	r.must(err)
	equal(r, "consumers", len(all), 1)
	equal(r, "pending", all[0].Pending, 1)
	equal(r, "executor and name", [2]string{all[0].Executor, all[0].Name}, [2]string{executor, nodeA})
}

func groupDestroyed(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 9 })
	now := r.now()
	r.send(message(e, now, "done"))
	st, replies := r.begin(nodeA, store.Started)
	r.finish(finishOf(st.Owner, *replies[0].Message, job.Executed))
	r.send(message(e, now, "fetched"))
	held := r.fetch(nodeA)
	r.send(message(e, now, "unread"))
	r.raw.do("XGROUP", "DESTROY", r.key("stream:default"), "nodes")
	equal(r, "a start without a group", verdicts(r.start(held)), []store.Verdict{store.StartGone})
	r.wantPlace("fetched", "stream:default")
	back, _ := r.begin(nodeB, store.Started, store.Started)
	equal(r, "first", back.Run[0].Message.Runs[0].ID, "fetched")
	r.raw.do("XGROUP", "DESTROY", r.key("stream:default"), "nodes")
	got, err := r.s.Fetch(r.ctx, 0, executor, nodeA, 10, 0)
	r.must(err)
	equal(r, "while the group is made", len(got), 0)
	r.begin(nodeA)
	equal(r, "history", r.outcomes("j"), []string{"done executed"})
}

func promoteDue(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	for i, id := range []string{"due", "later"} {
		m := message(e, r.now(), id)
		r.raw.do("HSET", r.key("delayed_runs"), id, m.Encode())
		r.raw.do("ZADD", r.key("delayed"), r.now()-1+int64(i)*60_000, id)
	}
	// The leader's clock runs ahead; Redis judges.
	_, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now()+3_600_000, 10)
	r.must(err)
	r.wantPlace("due", "stream:default")
	r.wantPlace("later", "delayed")
	_, err = r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
	r.must(err)
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1)
}

func (r *rig) expireUnserved() int {
	r.Helper()
	n, err := r.s.ExpireUnserved(r.ctx, 0, r.office, executor)
	r.must(err)
	return n
}

func graced(j *job.Job) { j.MisfireGraceTime = job.Grace(time.Minute) }

func expireUnserved(t *testing.T, open Open) {
	r := newRig(t, open)
	e, patient := r.add("j", graced), r.add("patient")
	now := r.now()
	late := now - 2*time.Minute.Milliseconds()
	pair := message(e, late, "late-1", "in-time")
	pair.Runs[1].Due = now
	r.send(pair, message(patient, late, "waits"))
	r.send(message(e, late, "late-2"))
	r.send(message(e, now, "fresh"))
	equal(r, "closed", r.expireUnserved(), 2)
	equal(r, "closed again", r.expireUnserved(), 0)
	equal(r, "history", r.outcomes("j"), []string{"late-1 missed", "late-2 missed"})
	rows, err := r.s.History(r.ctx, "j", 10)
	r.must(err)
	equal(r, "the cause says it", strings.HasPrefix(rows[0].Cause, "no executor: late by "), true)
	equal(r, "events", r.kinds("late-2"), []job.EventKind{job.JobSubmitted, job.JobMissed})
	for _, id := range []string{"in-time", "waits", "fresh"} {
		r.wantPlace(id, "stream:default")
	}
	st := r.fetch(nodeA)
	equal(r, "messages left", len(st.Run), 3)
}

func expireLeaves(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", graced)
	late := r.now() - 2*time.Minute.Milliseconds()
	r.send(message(e, late, "fetched"))
	r.fetch(nodeA)
	again := message(e, late, "rerun")
	again.Attempt, again.Lost = 2, 1
	r.send(again)
	r.raw.do("XADD", r.key("stream:default"), "*", "m", "N\tj")
	r.raw.do("XADD", r.key("stream:default"), "*", "m", "what is this")
	equal(r, "closed", r.expireUnserved(), 0)
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 4)
	equal(r, "history", r.outcomes("j"), nil)
	n, err := r.s.ExpireUnserved(r.ctx, 0, r.office, "nobody")
	r.must(err)
	equal(r, "of an executor without a stream", n, 0)
}
