package storetest

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var outageTests = []conformance{
	{"outage: a run that meets a slot of a run not renewed since waits until that is reported", outageWaits},
	{"outage: what has renewed its lease since runs on", outageRenewed},
	{"outage: one of several messages of an entry that waits is an entry of its own", outageShared},
}

// outageHeld starts a run that holds the only slot, and has a node come back after an outage.
func outageHeld(t *testing.T, open Open) (*rig, store.Entry, store.Start) {
	r := newRig(t, open)
	e := r.add("j")
	r.send(message(e, r.now(), "old"))
	st, _ := r.begin(nodeA, store.Started)
	r.raw.do("ZADD", r.key("leases"), "XX", r.now()+st.Lease.Milliseconds()-10, "old") // it started a moment ago
	r.must(r.s.NoteOutage(r.ctx, 0, st.Lease))
	return r, e, st
}

// startPending asks for the start of what is pending for a consumer.
func (r *rig) startPending(consumer string) []store.Verdict {
	r.Helper()
	got, err := r.s.FetchPending(r.ctx, 0, executor, consumer, 10)
	r.must(err)
	return verdicts(r.start(r.startOf(store.Consumer{Executor: executor, Name: consumer}, got)))
}

func outageWaits(t *testing.T, open Open) {
	r, e, st := outageHeld(t, open)
	r.send(message(e, r.now(), "new"))
	r.begin(nodeB, store.StartLater)
	equal(r, "again", r.startPending(nodeB), []store.Verdict{store.StartLater})
	equal(r, "history", r.outcomes("j"), nil)
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1)
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	equal(r, "after the report", r.startPending(nodeB), []store.Verdict{store.Started})
	equal(r, "counter", r.slot("j"), 1)
}

func outageRenewed(t *testing.T, open Open) {
	r, e, st := outageHeld(t, open)
	_, err := r.s.Renew(r.ctx, 0, st.Lease+time.Second, []store.Held{{RunID: "old", Owner: st.Owner}})
	r.must(err)
	r.send(message(e, r.now(), "new"))
	r.begin(nodeB, store.StartFull)
	equal(r, "history", r.outcomes("j"), []string{"new max_instances"})
}

func outageShared(t *testing.T, open Open) {
	r, e, st := outageHeld(t, open)
	other := r.add("other")
	r.bundle(message(other, r.now(), "free"), message(e, r.now(), "new"))
	r.begin(nodeB, store.Started, store.StartLater)
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1)
	equal(r, "again", r.startPending(nodeB), []store.Verdict{store.StartLater})
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	equal(r, "after the report", r.startPending(nodeB), []store.Verdict{store.Started})
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 0)
}
