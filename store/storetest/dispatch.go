package storetest

import (
	"fmt"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var dispatchTests = []conformance{
	{"office: a lower term is refused, another epoch too", officeFences},
	{"dispatch: a fenced leader does nothing", dispatchFenced},
	{"dispatch: paused does nothing", dispatchPaused},
	{"dispatch: resent is stale and sends no second message", dispatchResent},
	{"dispatch: stale on uid, version and run time", dispatchStale},
	{"dispatch: not due before Redis says so", dispatchNotDue},
	{"dispatch: the last run removes the job and its history gets a life", dispatchFinishes},
	{"dispatch: jobs, executors and rows mixed in one call, each all or nothing", dispatchMixed},
	{"dispatch: who is refused says nothing, the others all of theirs", dispatchRefusedInPart},
	{"dispatch: 500 jobs in one call", dispatchMany},
	{"dispatch: runs stand in their stream in the order of the jobs", dispatchOrder},
	{"due after: goes on behind a job, whoever is left before it", dueAfter},
	{"due: says what is due and when to look again", dueSays},
	{"park: takes a job out of run_times and keeps the record", parkKeeps},
	{"every script of the leader is fenced", leaderScriptsFenced},
	{"office: is not taken in a store that was emptied or replaced", officeOfAReplacedStore},
	{"office: a fence of another etcd opens by accept, and shuts out the old one", fenceAccepts},
	{"follow: goes on with the uid that was accepted and no other", followsAccepted},
	{"rolled back: a sequence that went back is said once", rolledBackOnce},
}

func officeFences(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.TakeOffice(r.ctx, 0, r.office))
	r.must(r.s.TakeOffice(r.ctx, 0, store.Office{Epoch: "e", Term: 10, Group: "group\t1"}))
	r.wantErr(r.s.TakeOffice(r.ctx, 0, store.Office{Epoch: "e", Term: 9}), store.ErrFenced)
	r.wantErr(r.s.TakeOffice(r.ctx, 0, store.Office{Epoch: "f", Term: 11}), store.ErrEpoch)
	equal(r, "term", r.raw.text("HGET", r.key("fence"), "term"), "10")
	for _, bad := range []store.Office{{}, {Epoch: "e"}, {Epoch: "e", Term: -1}, {Epoch: "e", Term: 1 << 53}, {Term: 11}} {
		if err := r.s.TakeOffice(r.ctx, 0, bad); err == nil {
			t.Errorf("office %+v was taken", bad)
		}
	}
	var causes []string
	for _, e := range r.events() {
		if e.Kind == job.LeaderElected {
			causes = append(causes, e.Cause)
		}
	}
	equal(r, "elections, by what they say of their group", causes, []string{"", "group 1"})
}

func dispatchFenced(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.must(r.s.TakeOffice(r.ctx, 0, store.Office{Epoch: "e", Term: 8}))
	for _, o := range []store.Office{r.office, {Epoch: "e", Term: 9}, {Epoch: "f", Term: 8}} {
		_, err := r.s.Dispatch(r.ctx, 0, o, []store.Dispatch{advance(e, message(e, e.RunTime, "run"))})
		r.wantErr(err, store.ErrFenced)
	}
	r.wantPlace("run")
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "job", got.Header, e.Header)
}

func dispatchPaused(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.must(r.s.Pause(r.ctx, true, ""))
	d := advance(e, message(e, e.RunTime, "run"))
	_, err := r.s.Dispatch(r.ctx, 0, r.office, []store.Dispatch{d})
	r.wantErr(err, store.ErrPaused)
	r.wantPlace("run")
	due, err := r.s.Due(r.ctx, 0, 10)
	r.must(err)
	equal(r, "due while paused", []any{due.Paused, len(due.Jobs), due.NextRun}, []any{true, 0, int64(0)})
	r.must(r.s.Pause(r.ctx, false, ""))
	equal(r, "after resume", r.dispatch(d), []store.Dispatched{store.DispatchOK})
}

func dispatchResent(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	d := advance(e, message(e, e.RunTime, "run"))
	equal(r, "first", r.dispatch(d), []store.Dispatched{store.DispatchOK})
	equal(r, "again", r.dispatch(d), []store.Dispatched{store.DispatchStale})
	r.wantPlace("run", "stream:default")
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1)
	equal(r, "sequence", r.raw.number("HGET", r.key("fence"), "seq"), 1)
	equal(r, "events", r.kinds("run"), []job.EventKind{job.JobSubmitted})
}

func dispatchStale(t *testing.T, open Open) {
	cases := []struct {
		name string
		edit func(r *rig, e *store.Entry)
	}{
		{"another uid", func(_ *rig, e *store.Entry) { e.UID = "other" }},
		{"another version", func(_ *rig, e *store.Entry) { e.Version++ }},
		{"another run time", func(_ *rig, e *store.Entry) { e.Next++ }},
		{"another last time", func(_ *rig, e *store.Entry) { e.Last++ }},
		{"not in run_times", func(r *rig, _ *store.Entry) { r.raw.do("ZREM", r.key("run_times"), "j") }},
		{"removed", func(r *rig, _ *store.Entry) {
			_, err := r.s.Remove(r.ctx, "op", "j")
			r.must(err)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, open)
			e := r.add("j")
			c.edit(r, &e)
			equal(r, "answer", r.dispatch(advance(e, message(e, e.RunTime, "run"))), []store.Dispatched{store.DispatchStale})
			r.wantPlace("run")
		})
	}
}

func dispatchNotDue(t *testing.T, open Open) {
	r := newRig(t, open)
	future := r.entry("future")
	future.RunTime += 60_000
	r.must(r.s.Add(r.ctx, "op", future))
	e := r.add("j")
	early := advance(e, message(e, e.RunTime, "b"))
	early.Latest = r.now() + 60_000
	late := r.add("later") // its place in run_times decides as well, whatever its header says
	r.raw.do("ZADD", r.key("run_times"), late.RunTime+60_000, "later")
	equal(r, "answers", r.dispatch(advance(future, message(future, future.RunTime, "a")), early, advance(late, message(late, late.RunTime, "c"))),
		[]store.Dispatched{store.DispatchNotDue, store.DispatchNotDue, store.DispatchNotDue})
	equal(r, "places", r.places(0), map[string][]string{})
}

func dispatchFinishes(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	d := advance(e, message(e, e.RunTime, "run"))
	d.Next, d.RunTime = nil, 0
	equal(r, "answer", r.dispatch(d), []store.Dispatched{store.DispatchOK})
	_, err := r.s.Get(r.ctx, "j")
	r.wantErr(err, store.ErrJobNotFound)
	equal(r, "run_times", r.raw.number("ZCARD", r.key("run_times")), 0)
	equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded, job.JobRemoved})
	st, _ := r.begin(nodeA, store.Started)
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	equal(r, "history", r.outcomes("j"), []string{"run executed"})
	equal(r, "days", r.inDays(), []string{"j"})
	equal(r, "resent", r.dispatch(d), []store.Dispatched{store.DispatchStale})
}

func dispatchMixed(t *testing.T, open Open) {
	r := newRig(t, open)
	a := r.add("a")
	b := r.add("b", func(j *job.Job) { j.Executor = "other" })
	c, d := r.add("c"), r.add("d")
	c.Version++
	skipped := advance(d)
	skipped.Rows = []job.Row{{Outcome: job.Coalesced, ScheduledTime: at(1000), Until: at(9000), Count: 9, Finished: at(10_000), Cause: "catch-up"}}
	skipped.Events = []job.Event{{Kind: job.JobCoalesced, JobID: "d", Cause: "9 times"}}
	stale := advance(c, message(c, c.RunTime, "c1"))
	stale.Rows = skipped.Rows
	group := message(b, b.RunTime, "b2", "b3")
	equal(r, "answers", r.dispatch(advance(a, message(a, a.RunTime, "a1")), advance(b, message(b, b.RunTime, "b1"), group), stale, skipped),
		[]store.Dispatched{store.DispatchOK, store.DispatchOK, store.DispatchStale, store.DispatchOK})
	equal(r, "places", r.places(0), map[string][]string{
		"a1": {"stream:default"}, "b1": {"stream:other"}, "b2": {"stream:other"}, "b3": {"stream:other"},
	})
	rows, err := r.s.History(r.ctx, "d", 10)
	r.must(err)
	equal(r, "row", rows, skipped.Rows)
	equal(r, "history of the stale job", r.outcomes("c"), nil)
	equal(r, "events of d", r.kinds("d"), []job.EventKind{job.JobAdded, job.JobCoalesced})
}

func dispatchRefusedInPart(t *testing.T, open Open) {
	for _, c := range []struct {
		name   string
		refuse func(d *store.Dispatch, now int64)
		want   store.Dispatched
	}{
		{"by nobody", func(*store.Dispatch, int64) {}, store.DispatchOK},
		{"as stale", func(d *store.Dispatch, _ int64) { d.Old.Version++ }, store.DispatchStale},
		{"as not due", func(d *store.Dispatch, now int64) { d.Latest = now + 60_000 }, store.DispatchNotDue},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, open)
			var all []store.Dispatch
			for _, id := range []string{"on", "last", "refused", "end", "moved"} {
				e := r.add(id)
				d := advance(e, message(e, e.RunTime, id+"-run"))
				d.Executor = "other"
				if id == "last" || id == "end" {
					d.Next, d.Executor = nil, executor
					r.raw.do("LPUSH", r.key("history:"+id), "row")
				}
				if id == "moved" {
					d = advance(e)
				}
				all = append(all, d)
			}
			c.refuse(&all[2], r.now())
			ok := store.DispatchOK
			equal(r, "answers", r.dispatch(all...), []store.Dispatched{ok, ok, c.want, ok, ok})
			said := map[string][]string{}
			for _, e := range r.events() {
				if e.Kind != job.JobAdded && e.Kind != job.LeaderElected {
					said[e.JobID] = append(said[e.JobID], string(e.Kind)+" "+e.RunID)
				}
			}
			want := map[string][]string{
				"on": {"job_submitted on-run"}, "last": {"job_submitted last-run", "job_removed "}, "end": {"job_submitted end-run", "job_removed "},
			}
			places := map[string][]string{"on-run": {"stream:other"}, "last-run": {"stream:default"}, "end-run": {"stream:default"}}
			if c.want == ok {
				want["refused"] = []string{"job_submitted refused-run"}
				places["refused-run"] = places["on-run"]
			}
			equal(r, "events", said, want)
			equal(r, "places", r.places(0), places)
			for _, id := range []string{"last", "end"} {
				equal(r, "history of "+id+" has a life", r.raw.number("TTL", r.key("history:"+id)) > 0, true)
			}
		})
	}
}

func dispatchMany(t *testing.T, open Open) {
	r := newRig(t, open)
	var all []store.Dispatch
	jobs, times := []any{"HSET", r.key("jobs")}, []any{"ZADD", r.key("run_times")}
	for i := range store.MaxDispatch {
		e := r.entry(fmt.Sprintf("j%d", i))
		jobs, times = append(jobs, e.Job.ID, e.Header.Encode()+"{}"), append(times, e.RunTime, e.Job.ID)
		d := advance(e, message(e, e.RunTime))
		if i%2 == 0 {
			d.Next = nil
		}
		all = append(all, d)
	}
	r.raw.do(jobs...)
	r.raw.do(times...)
	for i, answer := range r.dispatch(all...) {
		equal(r, all[i].ID, answer, store.DispatchOK)
	}
	runs := 0
	r.must(r.s.Register(r.ctx, []string{executor}, []string{"t"}))
	r.must(r.s.Each(r.ctx, 0, store.InStream, func(store.Placed) bool { runs++; return true }))
	equal(r, "runs", runs, store.MaxDispatch)
	if n := r.raw.number("XLEN", r.key("stream:default")); n > int64(store.MaxDispatch)/5 || n < int64(store.MaxDispatch)/8 {
		r.Errorf("a crowd of %d messages has %d entries, want several in each", store.MaxDispatch, n)
	}
	equal(r, "jobs left", r.raw.number("HLEN", r.key("jobs")), int64(store.MaxDispatch/2))
}

func dispatchOrder(t *testing.T, open Open) {
	r := newRig(t, open)
	var all []store.Dispatch
	var want []string
	for i := range 9 {
		e := r.add(fmt.Sprint("j", i))
		want = append(want, fmt.Sprint("run", i))
		d := advance(e, message(e, e.RunTime, want[i]))
		if i%3 == 1 {
			d.Next = nil
		}
		all = append(all, d)
	}
	r.dispatch(all...)
	var got []string
	r.must(r.s.Register(r.ctx, []string{executor}, []string{"t"}))
	r.must(r.s.Each(r.ctx, 0, store.InStream, func(p store.Placed) bool {
		got = append(got, p.Message.Runs[0].ID)
		return true
	}))
	equal(r, "order", got, want)
	for _, d := range all {
		e, err := r.s.Get(r.ctx, d.ID)
		if d.Next == nil {
			r.wantErr(err, store.ErrJobNotFound)
			continue
		}
		r.must(err)
		equal(r, d.ID, []any{e.Header, e.RunTime}, []any{*d.Next, d.RunTime})
	}
}

func dueAfter(t *testing.T, open Open) {
	r := newRig(t, open)
	r.raw.do("ZADD", r.key("run_times"), 5, "c", 7, "b", 7, "bb", 7, "d", 8, "a", 9, "e", 11, "z")
	j := func(id string, at int64) store.DueJob { return store.DueJob{ID: id, RunTime: at} }
	for _, c := range []struct {
		name        string
		last        store.DueJob
		left, limit int
		want        []store.DueJob
		more        bool
	}{
		{"all behind one", j("b", 7), 0, 10, []store.DueJob{j("bb", 7), j("d", 7), j("a", 8), j("e", 9)}, false},
		{"one that is gone", j("c", 7), 2, 10, []store.DueJob{j("d", 7), j("a", 8), j("e", 9)}, false},
		{"as many as asked", j("b", 7), 1, 2, []store.DueJob{j("bb", 7), j("d", 7)}, true},
		{"more are left than was said", j("d", 7), 0, 2, []store.DueJob{}, true},
		{"the last", j("e", 9), 1, 2, []store.DueJob{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			jobs, more, err := r.s.DueAfter(r.ctx, 0, c.last, 10, c.left, c.limit)
			r.must(err)
			equal(r, "jobs", jobs, c.want)
			equal(r, "more", more, c.more)
		})
	}
}

func dueSays(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("now")
	later := r.entry("later")
	later.RunTime += 60_000
	r.must(r.s.Add(r.ctx, "op", later))
	r.raw.do("ZADD", r.key("run_times"), e.RunTime-5, "ghost")
	r.raw.do("HSET", r.key("jobs"), "broken", "9 what", "wrong", "x\ny")
	r.raw.do("ZADD", r.key("run_times"), e.RunTime-3, "broken", e.RunTime-2, "wrong")
	r.raw.do("ZADD", r.key("delayed"), 77, "x")
	r.raw.do("ZADD", r.key("leases"), 88, "y")
	d, err := r.s.Due(r.ctx, 0, 10)
	r.must(err)
	var ids []string
	for _, j := range d.Jobs {
		ids = append(ids, j.ID)
	}
	equal(r, "jobs", ids, []string{"ghost", "broken", "wrong", "now"})
	equal(r, "run time", d.Jobs[3].RunTime, e.RunTime)
	found, err := r.s.Records(r.ctx, 0, ids, nil)
	r.must(err)
	equal(r, "nothing is there", found[0].State, "")
	r.must(found[0].Err)
	r.wantErr(found[1].Err, store.ErrNewerFormat)
	r.wantErr(found[2].Err, store.ErrUnreadable)
	equal(r, "header", found[3].Header, e.Header)
	equal(r, "times", []int64{d.NextRun, d.NextDelayed, d.NextLease}, []int64{e.RunTime - 5, 77, 88})
	d, err = r.s.Due(r.ctx, 0, 1)
	r.must(err)
	equal(r, "limit", len(d.Jobs), 1)
}

func parkKeeps(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.raw.do("HSET", r.key("jobs"), "broken", "what\nis this")
	r.raw.do("ZADD", r.key("run_times"), e.RunTime, "broken")
	d, err := r.s.Due(r.ctx, 0, 10)
	r.must(err)
	for _, j := range d.Jobs {
		found, err := r.s.Records(r.ctx, 0, []string{j.ID}, nil)
		r.must(err)
		seen := store.Sighting{DueJob: j, Header: &e.Header}
		if j.ID == "broken" {
			seen.Header, seen.Digest = nil, found[0].Digest
		}
		stale := seen
		stale.RunTime--
		equal(r, "parked by another run time", r.park(stale, "no"), false)
		equal(r, "still there", r.raw.text("ZSCORE", r.key("run_times"), j.ID) != "", true)
		equal(r, "parked", r.park(seen, "its trigger\nfails"), true)
	}
	equal(r, "run_times", r.raw.number("ZCARD", r.key("run_times")), 0)
	equal(r, "broken record", r.raw.text("HGET", r.key("jobs"), "broken"), "what\nis this")
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "state", got.State, store.Parked)
	equal(r, "record", got.Job.Task, "t")
	equal(r, "events", r.kinds("broken"), []job.EventKind{job.JobParked})
}

func leaderScriptsFenced(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.send(message(e, r.now(), "run"))
	st, replies := r.begin(nodeA, store.Started)
	late := store.Finish{Held: store.Held{RunID: "run", Owner: st.Owner}, Message: replies[0].Message, Outcome: job.Failed, Retry: replies[0].Message}
	old := store.Office{Epoch: "e", Term: 6}
	due, err := r.s.Due(r.ctx, 0, 1)
	r.must(err)
	_, err = r.s.Park(r.ctx, 0, old, store.Sighting{DueJob: due.Jobs[0], Header: &e.Header}, "")
	r.wantErr(err, store.ErrFenced)
	r.expire("run")
	_, err = r.s.RecoverExpired(r.ctx, 0, old, r.now(), 10)
	r.wantErr(err, store.ErrFenced)
	_, err = r.s.RecoverSuspects(r.ctx, 0, old, []store.Suspect{{RunID: "run", Owner: st.Owner}})
	r.wantErr(err, store.ErrFenced)
	r.raw.do("SET", r.key("slots:nobody"), 3) // for audit to look at
	_, err = r.s.Audit(r.ctx, 0, old)
	r.wantErr(err, store.ErrFenced)
	r.raw.do("DEL", r.key("slots:nobody"))
	r.finish(late)
	_, err = r.s.PromoteDelayed(r.ctx, 0, old, r.now(), 10)
	r.wantErr(err, store.ErrFenced)
	r.send(message(r.add("late", graced), 1, "late"))
	_, err = r.s.ExpireUnserved(r.ctx, 0, old, executor)
	r.wantErr(err, store.ErrFenced)
	_, err = r.s.ClampLeases(r.ctx, 0, old, lease)
	r.wantErr(err, store.ErrFenced)
	_, err = r.s.Reclaim(r.ctx, 0, old, store.ConsumerInfo{Executor: executor, Name: nodeA}, 0, true)
	r.wantErr(err, store.ErrFenced)
	_, err = r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	_, err = r.s.Forgetting(0, 0).Step(r.ctx, old)
	r.wantErr(err, store.ErrFenced)
	r.wantPlace("run", "delayed")
}
