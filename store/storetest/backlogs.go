package storetest

import (
	"testing"

	"github.com/carillon-project/carillon/store"
)

var backlogTests = []conformance{
	{"backlogs: a dispatch notes what its job waits for, and forgets it", backlogNoted},
	{"backlogs: a refused dispatch notes nothing", backlogRefused},
	{"backlogs: only what is as it was read is forgotten", backlogForgotten},
}

func (r *rig) backlogs() map[string][2]string {
	r.Helper()
	all, err := r.s.Backlogs(r.ctx, 0)
	r.must(err)
	found := map[string][2]string{}
	for _, b := range all {
		found[b.JobID] = [2]string{b.UID, b.Run}
	}
	return found
}

// lines is a dispatch after which the job waits for its run.
func lines(e store.Entry, run string) store.Dispatch {
	d := advance(e, message(e, e.RunTime, run))
	d.Backlog = run
	d.RunTime = e.RunTime
	return d
}

func backlogNoted(t *testing.T, open Open) {
	r := newRig(t, open)
	a, b, plain := r.add("a"), r.add("b"), r.add("plain")
	equal(r, "first", r.dispatch(lines(a, "run1"), advance(plain, message(plain, plain.RunTime, "run2")), lines(b, "run3")),
		[]store.Dispatched{store.DispatchOK, store.DispatchOK, store.DispatchOK})
	equal(r, "backlogs", r.backlogs(), map[string][2]string{"a": {a.UID, "run1"}, "b": {b.UID, "run3"}})
	for _, id := range []string{"run1", "run2", "run3"} {
		r.wantPlace(id, "stream:default")
	}
	a.Header = *lines(a, "run1").Next
	equal(r, "goes on", r.dispatch(lines(a, "run4")), []store.Dispatched{store.DispatchOK})
	b.Header = *lines(b, "run3").Next
	last := advance(b, message(b, b.RunTime, "run5"))
	last.Next, last.BacklogEnds = nil, true
	equal(r, "ends with its job", r.dispatch(last), []store.Dispatched{store.DispatchOK})
	equal(r, "backlogs", r.backlogs(), map[string][2]string{"a": {a.UID, "run4"}})
	a.Header = *lines(a, "run4").Next
	over := advance(a, message(a, a.RunTime, "run6"))
	over.BacklogEnds = true
	equal(r, "ends", r.dispatch(over), []store.Dispatched{store.DispatchOK})
	equal(r, "keys", r.raw.number("EXISTS", r.key("backlogs")), 0)
}

func backlogRefused(t *testing.T, open Open) {
	r := newRig(t, open)
	a, b := r.add("a"), r.add("b")
	stale := a
	stale.UID = "other"
	equal(r, "answers", r.dispatch(lines(stale, "run1"), lines(b, "run2")), []store.Dispatched{store.DispatchStale, store.DispatchOK})
	equal(r, "backlogs", r.backlogs(), map[string][2]string{"b": {b.UID, "run2"}})
	equal(r, "resent", r.dispatch(lines(b, "run2")), []store.Dispatched{store.DispatchStale})
	equal(r, "backlogs", r.backlogs(), map[string][2]string{"b": {b.UID, "run2"}})
}

func backlogForgotten(t *testing.T, open Open) {
	r := newRig(t, open)
	r.raw.do("HSET", r.key("backlogs"), "a", "u1\trun1\t1", "b", "u2\trun2\t1\tmore of a later version", "garbage", "what", "empty", "\t\t")
	all, err := r.s.Backlogs(r.ctx, 0)
	r.must(err)
	equal(r, "readable", r.backlogs(), map[string][2]string{"a": {"u1", "run1"}, "b": {"u2", "run2"}})
	r.raw.do("HSET", r.key("backlogs"), "a", "u1\trun9\t2")
	r.wantErr(r.s.ForgetBacklogs(r.ctx, 0, store.Office{Epoch: "e", Term: 6}, all), store.ErrFenced)
	r.must(r.s.ForgetBacklogs(r.ctx, 0, r.office, all))
	equal(r, "left", r.backlogs(), map[string][2]string{"a": {"u1", "run9"}})
}
