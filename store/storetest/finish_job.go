package storetest

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var finishJobTests = []conformance{
	{"finish job: the rows are kept, the job goes, and a repeated op gets the first answer", finishJobRepeats},
	{"finish job: of two at once one finishes it", finishJobTwice},
	{"finish job: another job of the id, and one that was changed, stay", finishJobCompares},
	{"finish job: runs that were dispatched go on", finishJobKeepsRuns},
}

// stopped adds a job that is paused.
func (r *rig) stopped(id string) store.Entry {
	e := r.entry(id)
	e.State, e.Reason, e.RunTime = store.Paused, "closed", 0
	r.must(r.s.Add(r.ctx, unique("op"), e))
	got, err := r.s.Get(r.ctx, id)
	r.must(err)
	return got
}

func missedRow(e store.Entry) job.Row {
	at := time.UnixMilli(e.Next)
	return job.Row{Outcome: job.Missed, ScheduledTime: at, Until: at, Finished: at, Count: 1, Cause: "paused: closed"}
}

func finishJobRepeats(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.stopped("j")
	r.must(r.s.FinishJob(r.ctx, "op", e, "its last time passed", missedRow(e)))
	r.must(r.s.FinishJob(r.ctx, "op", e, "its last time passed", missedRow(e)))
	_, err := r.s.Get(r.ctx, "j")
	r.wantErr(err, store.ErrJobNotFound)
	equal(r, "rows", r.outcomes("j"), []string{" missed"})
	equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded, job.JobResumed, job.JobRemoved})
	events := r.events()
	equal(r, "cause of the removal", events[len(events)-1].Cause, "finished")
	if ttl := r.raw.number("TTL", r.key("history:j")); ttl <= 0 {
		t.Errorf("the history of a job that is gone lives %d s", ttl)
	}
	again := r.add("j")
	r.must(r.s.FinishJob(r.ctx, "op", e, "its last time passed", missedRow(e)))
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "uid of the job that came anew", got.UID, again.UID)
}

func finishJobTwice(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.stopped("j")
	r.must(r.s.FinishJob(r.ctx, "op1", e, "", missedRow(e)))
	r.wantErr(r.s.FinishJob(r.ctx, "op2", e, "", missedRow(e)), store.ErrJobNotFound)
	equal(r, "rows", r.outcomes("j"), []string{" missed"})
}

func finishJobCompares(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.stopped("j")
	changed := e
	changed.Job.Task = "other"
	r.must(r.s.Update(r.ctx, unique("op"), e, changed, job.JobModified, ""))
	r.wantErr(r.s.FinishJob(r.ctx, "op1", e, "", missedRow(e)), store.ErrChanged)
	_, err := r.s.Remove(r.ctx, unique("op"), "j")
	r.must(err)
	r.stopped("j")
	r.wantErr(r.s.FinishJob(r.ctx, "op2", e, "", missedRow(e)), store.ErrChanged)
	equal(r, "rows", len(r.outcomes("j")), 0)
}

func finishJobKeepsRuns(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	equal(r, "dispatch", r.dispatch(advance(e, message(e, e.RunTime))), []store.Dispatched{store.DispatchOK})
	old, err := r.s.Get(r.ctx, "j")
	r.must(err)
	r.must(r.s.FinishJob(r.ctx, "op", old, ""))
	r.begin("n/1", store.Started)
}
