package storetest

import (
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var oldSlotTests = []conformance{
	{"remove: runs in line under an earlier key go with the job", removeOldSlots},
	{"forget: old slots of a job that is gone go, those of others stay", forgetOldSlots},
}

// rekey gives a job another key.
func (r *rig) rekey(e store.Entry, key string) store.Entry {
	r.Helper()
	changed := e
	changed.Job.Key = key
	r.must(r.s.Update(r.ctx, unique("op"), e, changed, job.JobModified, ""))
	e, err := r.s.Get(r.ctx, e.Job.ID)
	r.must(err)
	return e
}

func removeOldSlots(t *testing.T, open Open) {
	r := newRig(t, open)
	queued := func(j *job.Job) { j.Key, j.Overlap = "first", job.OverlapQueue }
	e, other := r.add("j", queued), r.add("other", queued)
	r.send(message(other, r.now(), "holds"), message(e, r.now(), "one"), message(other, r.now(), "stays"))
	r.begin(nodeA, store.Started, store.StartWaiting, store.StartWaiting)
	e = r.rekey(e, "second")
	e = r.rekey(e, "third")
	e = r.rekey(e, "first")
	e = r.rekey(e, "third")
	e = r.rekey(e, "")
	r.remove(e)
	equal(r, "history", r.outcomes("j"), []string{"one cancelled"})
	r.wantPlace("stays", "waiting:first")
	equal(r, "noted", r.raw.number("EXISTS", r.key("old_slots")), 0)
}

func forgetOldSlots(t *testing.T, open Open) {
	r := newRig(t, open)
	stays, goes := r.rekey(r.add("stays"), "k"), r.rekey(r.add("goes"), "k")
	r.raw.do("HDEL", r.key("jobs"), goes.Job.ID) // as a job that has finished
	c, err := r.s.Chores(r.ctx, 0)
	r.must(err)
	equal(r, "a pass is needed", c.Remains, true)
	r.forget()
	equal(r, "left", r.raw.texts("HKEYS", r.key("old_slots")), []string{stays.UID})
	r.raw.do("ZREM", r.key("run_times"), goes.Job.ID)
}
