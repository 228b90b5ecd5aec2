package storetest

import (
	"fmt"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var identityTests = []conformance{
	{"identity: no script of the leader takes a job that came again for the one that it read", jobsThatCameAgain},
	{"identity: a run time without a job goes, and stays once a job has come", parkAbsent},
	{"identity: what could not be read is parked only as it was read", parkUnreadable},
	{"identity: a run that came again under its id goes where it belongs", runsThatCameAgain},
	{"identity: a job without a state is unreadable, not absent", jobWithoutState},
}

// park parks what was seen.
func (r *rig) park(seen store.Sighting, why string) bool {
	r.Helper()
	parked, err := r.s.Park(r.ctx, 0, r.office, seen, why)
	r.must(err)
	return parked
}

// again removes a job and adds it once more under its id, with the same times.
func (r *rig) again(e store.Entry) store.Entry {
	r.Helper()
	_, err := r.s.Remove(r.ctx, unique("op"), e.Job.ID)
	r.must(err)
	e.UID = unique("uid")
	r.must(r.s.Add(r.ctx, unique("op"), e))
	return e
}

// leaderActs are the scripts of the leader that act on a job that was read before: each reads, and returns
// how it acts, which reports whether it did something.
var leaderActs = []struct {
	name string
	read func(r *rig, e store.Entry) func() bool
}{
	{"dispatch", func(r *rig, e store.Entry) func() bool {
		return func() bool { return r.dispatch(advance(e, message(e, e.RunTime, "run")))[0] == store.DispatchOK }
	}},
	{"dispatch of the last run", func(r *rig, e store.Entry) func() bool {
		d := advance(e, message(e, e.RunTime, "run"))
		d.Next = nil
		return func() bool { return r.dispatch(d)[0] == store.DispatchOK }
	}},
	{"dispatch of a stretch", func(r *rig, e store.Entry) func() bool {
		d := advance(e)
		d.Rows = []job.Row{{ScheduledTime: at(e.RunTime), Until: at(e.RunTime), Outcome: job.Missed, Count: 3}}
		return func() bool { return r.dispatch(d)[0] == store.DispatchOK }
	}},
	{"park", func(r *rig, e store.Entry) func() bool {
		seen := store.Sighting{DueJob: store.DueJob{ID: e.Job.ID, RunTime: e.RunTime}, Header: &e.Header}
		return func() bool { return r.park(seen, "no") }
	}},
	{"park of a job that was not there", func(r *rig, e store.Entry) func() bool {
		seen := store.Sighting{DueJob: store.DueJob{ID: e.Job.ID, RunTime: e.RunTime}}
		return func() bool { return r.park(seen, "no") }
	}},
	{"park of a job that could not be read", func(r *rig, e store.Entry) func() bool {
		seen := store.Sighting{DueJob: store.DueJob{ID: e.Job.ID, RunTime: e.RunTime}, Digest: "0123456789012345678901234567890123456789"}
		return func() bool { return r.park(seen, "no") }
	}},
	{"follow", func(r *rig, e store.Entry) func() bool {
		r.must(r.s.SetCalendar(r.ctx, unique("op"), "c", []byte(closedOn("2030-01-01"))))
		calendars, err := r.s.Calendars(r.ctx, 0)
		r.must(err)
		next := e.Header
		next.Next += 7
		return func() bool {
			whole, err := r.s.FollowCalendars(r.ctx, 0, r.office, calendars.Version, true, []store.Follow{{Old: e, Next: next, RunTime: next.Next}})
			r.must(err)
			return whole
		}
	}},
}

func jobsThatCameAgain(t *testing.T, open Open) {
	for _, act := range leaderActs {
		t.Run(act.name, func(t *testing.T) {
			r := newRig(t, open)
			old := r.add("j")
			did := act.read(r, old)
			e := r.again(old)
			equal(r, "something was done", did(), false)
			got, err := r.s.Get(r.ctx, "j")
			r.must(err)
			equal(r, "header", got.Header, e.Header)
			equal(r, "run time", got.RunTime, e.RunTime)
			equal(r, "history", r.outcomes("j"), nil)
			r.wantPlace("run")
		})
	}
}

func parkAbsent(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.entry("j")
	r.raw.do("ZADD", r.key("run_times"), e.RunTime, "j")
	seen := store.Sighting{DueJob: store.DueJob{ID: "j", RunTime: e.RunTime}}
	r.must(r.s.Add(r.ctx, "op", e))
	equal(r, "parked once a job has come", r.park(seen, "no"), false)
	equal(r, "run time", r.raw.text("ZSCORE", r.key("run_times"), "j"), fmt.Sprint(e.RunTime))
	r.raw.do("HDEL", r.key("jobs"), "j")
	equal(r, "parked without a job", r.park(seen, "no"), true)
	equal(r, "run times", r.raw.number("ZCARD", r.key("run_times")), 0)
	r.raw.do("ZADD", r.key("run_times"), "1.5", "j")
	equal(r, "parked by a score that is no number of milliseconds", r.park(store.Sighting{DueJob: store.DueJob{ID: "j", RunTime: 1, Score: "1.5"}}, "no"), true)
}

func parkUnreadable(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.raw.do("HSET", r.key("jobs"), "j", "garbage 1")
	found, err := r.s.Records(r.ctx, 0, []string{"j"}, nil)
	r.must(err)
	seen := store.Sighting{DueJob: store.DueJob{ID: "j", RunTime: e.RunTime}, Digest: found[0].Digest}
	for _, other := range []string{"garbage 2", "garbage 1 and more", "garbage"} {
		r.raw.do("HSET", r.key("jobs"), "j", other)
		equal(r, "parked as "+other, r.park(seen, "no"), false)
	}
	r.raw.do("HSET", r.key("jobs"), "j", "garbage 1")
	equal(r, "parked", r.park(seen, "no"), true)
	equal(r, "value", r.raw.text("HGET", r.key("jobs"), "j"), "garbage 1")
}

// runsThatCameAgain has a delayed run cancelled and enqueued anew for another executor, under the same id,
// between the read of the leader and its script.
func runsThatCameAgain(t *testing.T, open Open) {
	var p *proxy
	r := newRig(t, open, lossy(t, &p))
	late := adHoc("late")
	r.raw.do("HSET", r.key("delayed_runs"), "late", late.Encode())
	r.raw.do("ZADD", r.key("delayed"), 1, "late")
	p.before(func() {
		late.Executor = "other"
		r.raw.do("HSET", r.key("delayed_runs"), "late", late.Encode())
	})
	_, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
	r.must(err)
	r.wantPlace("late", "delayed")
	_, err = r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
	r.must(err)
	r.wantPlace("late", "stream:other")
}

func jobWithoutState(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	header := e.Header
	header.State = ""
	r.raw.do("HSET", r.key("jobs"), "j", header.Encode()+"{}")
	found, err := r.s.Records(r.ctx, 0, []string{"j"}, nil)
	r.must(err)
	r.wantErr(found[0].Err, store.ErrUnreadable)
	equal(r, "parked", r.park(store.Sighting{DueJob: store.DueJob{ID: "j", RunTime: e.RunTime}, Digest: found[0].Digest}, "no"), true)
}
