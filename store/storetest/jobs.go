package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var jobTests = []conformance{
	{"add: a repeated op gets the first answer", addRepeats},
	{"add: a taken id is refused, and the refusal repeats", addTaken},
	{"add: the record comes back byte for byte", addKeepsRecord},
	{"update: a repeated op gets the first answer", updateRepeats},
	{"update: a dispatch in between is noticed", updateAgainstDispatch},
	{"update: a missing job is said to be missing", updateMissing},
	{"update: pause takes the job out of run_times", updatePauses},
	{"remove: a repeated op gets the first answer", removeRepeats},
	{"remove: runs in stream, delayed and line are cancelled", removeCancels},
	{"remove: only its own runs leave a shared line", removeSharedLine},
	{"remove: a job added again under the id is another", removeAndAddAgain},
	{"remove: by uid another job of the id stays", removeByUID},
	{"enqueue: a repeated op gets the first answer", enqueueRepeats},
	{"enqueue: a job that is gone or another is refused", enqueueForJob},
	{"list: paused jobs last, unreadable ones left out", listOrders},
	{"each job: of all partitions, page by page, until told to end", eachJob},
	{"events about a job: its own and those of no job, oldest first", eventsAbout},
	{"pause: every partition, idempotent, one event each", pauseTwice},
}

func addRepeats(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.entry("j")
	r.must(r.s.Add(r.ctx, "op", e))
	r.must(r.s.Add(r.ctx, "op", e))
	_, err := r.s.Remove(r.ctx, "op2", "j")
	r.must(err)
	r.must(r.s.Add(r.ctx, "op", e))
	_, err = r.s.Get(r.ctx, "j")
	r.wantErr(err, store.ErrJobNotFound)
	equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded, job.JobRemoved})
}

func addTaken(t *testing.T, open Open) {
	r := newRig(t, open)
	first := r.add("j")
	other := r.entry("j", func(j *job.Job) { j.Task = "other" })
	r.wantErr(r.s.Add(r.ctx, "op", other), store.ErrConflictingID)
	_, err := r.s.Remove(r.ctx, unique("op"), "j")
	r.must(err)
	r.wantErr(r.s.Add(r.ctx, "op", other), store.ErrConflictingID)
	r.must(r.s.Add(r.ctx, "op-new", first))
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "task", got.Job.Task, "t")
}

func addKeepsRecord(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.entry("j<&>é", func(j *job.Job) {
		j.Args = []byte(`{"n":12345678901234567890,"s":"<\u00e9\n>","z":[]}`)
		j.Labels = map[string]string{"a": "b"}
		j.MisfireGraceTime = job.Grace(1500 * time.Millisecond)
	})
	e.RunTime = 1<<41 + 1
	r.must(r.s.Add(r.ctx, "op", e))
	got, err := r.s.Get(r.ctx, e.Job.ID)
	r.must(err)
	equal(r, "header", got.Header, e.Header)
	equal(r, "args", string(got.Job.Args), string(e.Job.Args))
	equal(r, "run time", got.RunTime, e.RunTime)
	equal(r, "grace", got.Job.MisfireGraceTime, e.Job.MisfireGraceTime)
	found, err := r.s.Records(r.ctx, 0, []string{e.Job.ID, "nobody"}, nil)
	r.must(err)
	got.RunTime = 0
	equal(r, "record", fmt.Sprint(found[0]), fmt.Sprint(store.Found{Entry: got}))
	equal(r, "no record", fmt.Sprint(found[1]), fmt.Sprint(store.Found{}))
	r.raw.do("HSET", r.key("jobs"), e.Job.ID, e.Header.Encode()+"{")
	found, err = r.s.Records(r.ctx, 0, []string{e.Job.ID}, nil)
	r.must(err)
	r.wantErr(found[0].Err, store.ErrUnreadable)
	equal(r, "header of a bad record", found[0].Header, e.Header)
}

func updateRepeats(t *testing.T, open Open) {
	r := newRig(t, open)
	old := r.add("j")
	changed := old
	changed.Job.Task = "other"
	r.must(r.s.Update(r.ctx, "op", old, changed, job.JobModified, "task"))
	r.must(r.s.Update(r.ctx, "op", old, changed, job.JobModified, "task"))
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "version", got.Version, old.Version+1)
	r.wantErr(r.s.Update(r.ctx, "op2", old, changed, job.JobModified, ""), store.ErrChanged)
	equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded, job.JobModified})
}

func updateAgainstDispatch(t *testing.T, open Open) {
	r := newRig(t, open)
	old := r.add("j")
	equal(r, "dispatch", r.dispatch(advance(old, message(old, old.RunTime))), []store.Dispatched{store.DispatchOK})
	r.wantErr(r.s.Update(r.ctx, "op", old, old, job.JobModified, ""), store.ErrChanged)
	now, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "run time after the dispatch", now.RunTime, old.RunTime+60_000)
	r.must(r.s.Update(r.ctx, "op2", now, now, job.JobModified, ""))
}

func updateMissing(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.entry("j")
	r.wantErr(r.s.Update(r.ctx, "op", e, e, job.JobModified, ""), store.ErrJobNotFound)
	r.must(r.s.Add(r.ctx, "op2", e))
	_, err := r.s.Remove(r.ctx, "op3", "j")
	r.must(err)
	r.wantErr(r.s.Update(r.ctx, "op4", e, e, job.JobModified, ""), store.ErrJobNotFound)
}

func updatePauses(t *testing.T, open Open) {
	r := newRig(t, open)
	old := r.add("j")
	paused := old
	paused.State, paused.Reason, paused.RunTime, paused.Next = store.Paused, "by hand, 100 %", 0, 0
	r.must(r.s.Update(r.ctx, "op", old, paused, job.JobPaused, "by\thand"))
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "state", got.State, store.Paused)
	equal(r, "reason", got.Reason, "by hand, 100 %")
	equal(r, "run time", got.RunTime, 0)
	equal(r, "dispatch of what was read before", r.dispatch(advance(old, message(old, old.RunTime))), []store.Dispatched{store.DispatchStale})
	d, err := r.s.Due(r.ctx, 0, 10)
	r.must(err)
	equal(r, "due jobs", len(d.Jobs), 0)
	events := r.events()
	equal(r, "cause", events[len(events)-1].Cause, "by hand")
}

func removeRepeats(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	uid, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	equal(r, "uid", uid, e.UID)
	again := r.add("j")
	uid, err = r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	equal(r, "uid of the repeat", uid, e.UID)
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "what is there", got.UID, again.UID)
	_, err = r.s.Remove(r.ctx, "op2", "nobody")
	r.wantErr(err, store.ErrJobNotFound)
}

func removeCancels(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.Overlap = job.OverlapQueue })
	now := r.now()
	runs, line := message(e, now, "running"), message(e, now, "line-1", "line-2")
	r.send(runs, line)
	st, _ := r.begin(nodeA, store.Started, store.StartWaiting)
	streamed, backoff := message(e, now, "stream-1", "stream-2"), message(e, now, "backoff")
	r.send(backoff)
	late := r.fetch(nodeA)
	r.must(r.s.Postpone(r.ctx, late.Consumer, late.Entries[0], 0, []store.Message{backoff}, nil))
	r.send(streamed)

	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	r.wantPlace("line-1")
	equal(r, "line", r.raw.scan(r.key("waiting*")), nil)
	n, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
	r.must(err)
	equal(r, "promoted", n, 1)
	r.begin(nodeA, store.StartRemoved)
	r.finish(finishOf(st.Owner, runs, job.Executed))

	equal(r, "history", r.outcomes("j"), []string{
		"line-1 cancelled", "line-2 cancelled", "backoff cancelled", "stream-1 cancelled", "stream-2 cancelled", "running executed",
	})
	for _, id := range []string{"line-1", "backoff", "stream-2"} {
		kinds := r.kinds(id)
		equal(r, "last event of "+id, kinds[len(kinds)-1], job.JobCancelled)
	}
	equal(r, "places", r.places(0), map[string][]string{})
	if ttl := r.raw.number("TTL", r.key("history:j")); ttl <= 0 {
		t.Errorf("history has TTL %d", ttl)
	}
}

func removeSharedLine(t *testing.T, open Open) {
	r := newRig(t, open)
	shared := func(j *job.Job) { j.Key, j.Overlap = "k", job.OverlapQueue }
	a, b := r.add("a", shared), r.add("b", shared)
	now := r.now()
	r.send(message(a, now, "r0"), message(a, now+1, "ra"), message(b, now+2, "rb"))
	r.begin(nodeA, store.Started, store.StartWaiting, store.StartWaiting)
	_, err := r.s.Remove(r.ctx, "op", "a")
	r.must(err)
	r.wantPlace("ra")
	r.wantPlace("rb", "waiting:k")
	equal(r, "lines", r.raw.texts("SMEMBERS", r.key("waiting")), []string{"k"})
}

func removeByUID(t *testing.T, open Open) {
	r := newRig(t, open)
	first := r.add("j")
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	second := r.entry("j")
	r.must(r.s.Add(r.ctx, "op2", second))
	r.wantErr(r.s.RemoveIf(r.ctx, "op3", "j", first.UID), store.ErrJobNotFound)
	got, err := r.s.Get(r.ctx, "j")
	r.must(err)
	equal(r, "uid", got.UID, second.UID)
	r.must(r.s.RemoveIf(r.ctx, "op4", "j", second.UID))
	_, err = r.s.Get(r.ctx, "j")
	r.wantErr(err, store.ErrJobNotFound)
}

func removeAndAddAgain(t *testing.T, open Open) {
	r := newRig(t, open)
	old := r.add("j")
	r.send(message(old, r.now(), "old"))
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	fresh := r.add("j")
	r.send(message(fresh, r.now(), "new"))
	r.begin(nodeA, store.StartRemoved, store.Started)
	equal(r, "stale dispatch", r.dispatch(advance(old, message(old, old.RunTime))), []store.Dispatched{store.DispatchStale})
	equal(r, "TTL of the history", r.raw.number("TTL", r.key("history:j")), -1)
}

func enqueueRepeats(t *testing.T, open Open) {
	r := newRig(t, open)
	m := store.Message{Attempt: 1, Grace: job.GraceNone, JobID: "@t", Executor: executor, Task: "t",
		Runs: []store.MessageRun{{ID: "run", Scheduled: 1, Due: 1}}, Args: []byte("1")}
	for _, answer := range []string{"first", "second"} {
		got, err := r.s.Enqueue(r.ctx, 0, "op", answer, time.Second, "", "", []store.Message{m})
		r.must(err)
		equal(r, "answer", got, "first")
	}
	r.wantPlace("run", "stream:default")
	if ttl := r.raw.number("TTL", r.key("op:op")); ttl < 500 {
		t.Errorf("the answer is kept for %d s only", ttl)
	}
	r.begin(nodeA, store.Started)
	equal(r, "slots of an ad-hoc run", r.raw.scan(r.key("slots:*")), nil)
	equal(r, "events", r.kinds("run"), []job.EventKind{job.JobSubmitted, job.JobStarted})
}

func enqueueForJob(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	m := message(e, r.now(), "run")
	for _, uid := range []string{"another", ""} {
		_, err := r.s.Enqueue(r.ctx, 0, unique("op"), "x", time.Hour, "j", uid, []store.Message{m})
		r.wantErr(err, store.ErrJobNotFound)
	}
	_, err := r.s.Enqueue(r.ctx, 0, unique("op"), "x", time.Hour, "nobody", e.UID, []store.Message{m})
	r.wantErr(err, store.ErrJobNotFound)
	r.wantPlace("run")
	_, err = r.s.Enqueue(r.ctx, 0, unique("op"), "x", time.Hour, "j", e.UID, []store.Message{m})
	r.must(err)
	r.wantPlace("run", "stream:default")
}

func listOrders(t *testing.T, open Open) {
	r := newRig(t, open)
	for id, at := range map[string]int64{"later": 2000, "sooner": 1000, "also-sooner": 1000, "paused": 0} {
		e := r.entry(id)
		e.RunTime = at
		r.must(r.s.Add(r.ctx, unique("op"), e))
	}
	r.raw.do("HSET", r.key("jobs"), "broken", "what is this")
	all, err := r.s.List(r.ctx)
	r.must(err)
	var ids []string
	for _, e := range all {
		ids = append(ids, e.Job.ID)
	}
	equal(r, "ids", ids, []string{"also-sooner", "sooner", "later", "paused"})
	_, err = r.s.Get(r.ctx, "broken")
	r.wantErr(err, store.ErrUnreadable)
}

func eachJob(t *testing.T, open Open) {
	r := newRig(t, open, three)
	e := r.add("{one}")
	ids, want := make([]string, 540), map[string]int64{"{one}": e.RunTime}
	for i := range ids { // more than a small hash holds, which comes in one piece
		ids[i] = fmt.Sprintf("{one}-%d", i)
		want[ids[i]] = e.RunTime
	}
	r.copies(e, ids)
	for i := range 20 {
		id := fmt.Sprintf("other-%d", i)
		want[id] = r.add(id).RunTime
	}
	r.raw.do("HSET", r.keyIn(r.s.PartitionOf("broken"), "jobs"), "broken", "what is this")
	got := map[string]int64{}
	r.must(r.s.EachJob(r.ctx, func(e store.Entry) bool {
		got[e.Job.ID] = e.RunTime
		return true
	}))
	equal(r, "jobs with their run times", got, want)
	calls := 0
	r.must(r.s.EachJob(r.ctx, func(store.Entry) bool {
		calls++
		return calls < 3
	}))
	equal(r, "jobs seen until told to end", calls, 3)
}

func eventsAbout(t *testing.T, open Open) {
	r := newRig(t, open)
	r.add("other")
	e := r.add("j")
	r.must(r.s.Update(r.ctx, "op", e, e, job.JobModified, ""))
	events, err := r.s.EventsAbout(r.ctx, "j", job.Mask(job.LeaderElected, job.JobAdded, job.JobModified))
	r.must(err)
	var kinds []job.EventKind
	for _, event := range events {
		kinds = append(kinds, event.Kind)
	}
	equal(r, "kinds", kinds, []job.EventKind{job.LeaderElected, job.JobAdded, job.JobModified})
}

func pauseTwice(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 2 })
	for _, on := range []bool{true, true, false, false} {
		r.must(r.s.Pause(r.ctx, on, "why"))
		got, err := r.s.IsPaused(r.ctx)
		r.must(err)
		equal(r, "paused", got, on)
		for p := range 2 {
			equal(r, "key", r.raw.number("EXISTS", r.keyIn(p, "paused")) == 1, on)
		}
	}
	n := map[job.EventKind]int{}
	for _, e := range r.events() {
		n[e.Kind]++
	}
	equal(r, "events", n, map[job.EventKind]int{job.LeaderElected: 2, job.SchedulerPaused: 2, job.SchedulerResumed: 2})
}
