package storetest

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var finishTests = []conformance{
	{"finish: outcome, slot, row and event together", finishOnce},
	{"finish: every outcome has its event and dead list", finishOutcomes},
	{"finish: only the owner may, and only its removal lowers the counter", finishOwner},
	{"finish: a retry waits in delayed and holds no slot", finishRetries},
	{"finish: no retry for a removed job", finishRetryRemoved},
	{"finish: what follows keeps the slot under the same owner", finishNext},
	{"finish: when all that follows is missed the slot is released", finishNextMissed},
	{"finish: what follows is cancelled with its job", finishNextRemoved},
	{"finish: many in one call, each judged by itself", finishMany},
	{"finish: a late finisher after recovery is refused", finishLate},
}

// started is one run of a new job that nodeA has started.
func started(r *rig, jobID string, edits ...func(*job.Job)) (store.Entry, string, store.Message) {
	r.Helper()
	e := r.add(jobID, edits...)
	r.send(message(e, r.now()))
	st, replies := r.begin(nodeA, store.Started)
	return e, st.Owner, *replies[0].Message
}

func finishOnce(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "j")
	before := r.now()
	f := finishOf(owner, m, job.Executed)
	f.Cause = "a\tb\nc"
	equal(r, "first", r.finish(f), []store.FinishReply{{}})
	equal(r, "again", r.finish(f), []store.FinishReply{{Refused: true}})
	rows, err := r.s.History(r.ctx, "j", 10)
	r.must(err)
	equal(r, "rows", len(rows), 1)
	row := rows[0]
	times := row.Started.UnixMilli() <= before && row.Finished.UnixMilli() >= before
	equal(r, "started before, finished after", times, true)
	row.Started, row.Finished = time.Time{}, time.Time{}
	equal(r, "row", row, job.Row{RunID: m.Runs[0].ID, ScheduledTime: at(m.Runs[0].Scheduled), Outcome: job.Executed,
		Attempt: 1, Node: "tester", Cause: "a b ⏎ c", Count: 1})
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
	equal(r, "leases", r.raw.number("ZCARD", r.key("leases")), 0)
	equal(r, "events", r.kinds(m.Runs[0].ID), []job.EventKind{job.JobSubmitted, job.JobStarted, job.JobExecuted})
	equal(r, "places", r.places(0), map[string][]string{})
}

func finishOutcomes(t *testing.T, open Open) {
	cases := []struct {
		name    string
		outcome job.Outcome
		event   job.EventKind
		cause   string
		dead    int64
	}{
		{"executed", job.Executed, job.JobExecuted, "", 0},
		{"error", job.Failed, job.JobError, "boom", 1},
		{"timeout", job.TimedOut, job.JobError, "timeout", 1},
		{"cancelled", job.Cancelled, job.JobCancelled, "boom", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, open)
			_, owner, m := started(r, "j")
			f := finishOf(owner, m, c.outcome)
			if c.outcome != job.Executed {
				f.Error = "boom"
			}
			r.finish(f)
			events := r.events()
			last := events[len(events)-1]
			equal(r, "event", last.Kind, c.event)
			equal(r, "cause", last.Cause, c.cause)
			equal(r, "dead", r.raw.number("LLEN", r.key("dead")), c.dead)
			equal(r, "history", r.outcomes("j"), []string{m.Runs[0].ID + " " + string(c.outcome)})
		})
	}
}

func finishOwner(t *testing.T, open Open) {
	r := newRig(t, open)
	e, owner, m := started(r, "j", func(j *job.Job) { j.MaxInstances = 3 })
	r.send(message(e, r.now(), "other"))
	r.begin(nodeA, store.Started)
	for _, wrong := range []string{nodeA + "/other", "", owner + "x"} {
		equal(r, "by "+wrong, r.finish(finishOf(wrong, m, job.Executed)), []store.FinishReply{{Refused: true}})
	}
	equal(r, "counter", r.slot("j"), 2)
	equal(r, "history", r.outcomes("j"), nil)
	for _, refused := range []bool{false, true, true} {
		equal(r, "by the owner", r.finish(finishOf(owner, m, job.Executed)), []store.FinishReply{{Refused: refused}})
		equal(r, "counter", r.slot("j"), 1)
	}
}

func finishRetries(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "j")
	id := m.Runs[0].ID
	again := m
	again.Attempt, again.Failed = 2, 1
	f := finishOf(owner, m, job.Failed)
	f.Error, f.Retry, f.RetryIn = "boom", &again, time.Minute
	before := r.now()
	equal(r, "answer", r.finish(f), []store.FinishReply{{}})
	r.wantPlace(id, "delayed")
	due := r.raw.number("ZSCORE", r.key("delayed"), id)
	equal(r, "a minute from now", due >= before+60_000 && due <= r.now()+60_000, true)
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
	equal(r, "rows and dead", len(r.outcomes("j"))+int(r.raw.number("LLEN", r.key("dead"))), 0)
	d, err := r.s.Due(r.ctx, 0, 10)
	r.must(err)
	equal(r, "next delayed", d.NextDelayed, due)
	r.raw.do("ZADD", r.key("delayed"), "XX", 1, id)
	n, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10)
	r.must(err)
	equal(r, "promoted", n, 1)
	r.wantPlace(id, "stream:default")
	_, replies := r.begin(nodeB, store.Started)
	equal(r, "message", replies[0].Message, &again)
	equal(r, "events", r.kinds(id), []job.EventKind{job.JobSubmitted, job.JobStarted, job.JobRetrying, job.JobStarted})
}

func finishRetryRemoved(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "j")
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	f := finishOf(owner, m, job.Failed)
	f.Retry = &m
	r.finish(f)
	r.wantPlace(m.Runs[0].ID)
	equal(r, "history", r.outcomes("j"), []string{m.Runs[0].ID + " error"})
}

// group is a started group of runs of job j, of which b and c are not yet due for their grace.
func group(r *rig, late bool) (store.Entry, string, store.Message) {
	r.Helper()
	e := r.add("j", func(j *job.Job) { j.MisfireGraceTime, j.Overlap = job.Grace(time.Second), job.OverlapQueue })
	m := message(e, r.now()+60_000, "a", "b", "c", "d")
	if late {
		m.Runs[1].Due, m.Runs[2].Due = 1, 2
	}
	r.send(m)
	st, replies := r.begin(nodeA, store.Started)
	return e, st.Owner, *replies[0].Message
}

// follow finishes the head of a group, with the rest to follow.
func follow(owner string, m store.Message) store.Finish {
	f, rest := finishOf(owner, m, job.Executed), m
	rest.Runs = m.Runs[1:]
	f.Next = &rest
	return f
}

func finishNext(t *testing.T, open Open) {
	r := newRig(t, open)
	e, owner, m := group(r, true)
	r.send(message(e, r.now(), "line"))
	r.begin(nodeB, store.StartWaiting)
	reply := r.finish(follow(owner, m))[0]
	equal(r, "runs that follow", reply.Next.Runs, m.Runs[3:])
	equal(r, "history", r.outcomes("j"), []string{"a executed", "b missed", "c missed"})
	equal(r, "counter", r.slot("j"), 1)
	r.wantPlace("d", "running")
	equal(r, "lease", r.raw.text("ZSCORE", r.key("leases"), "d") != "", true)
	equal(r, "nudges", len(r.fetchNudges(nodeA)), 0)
	equal(r, "renewal", r.renew(store.Held{RunID: "d", Owner: owner}), []store.Renewal{store.Renewed})
	r.finish(finishOf(owner, *reply.Next, job.Executed))
	equal(r, "nudges", len(r.fetchNudges(nodeA)), 1)
	equal(r, "events", r.kinds("d"), []job.EventKind{job.JobSubmitted, job.JobStarted, job.JobExecuted})
}

func finishNextMissed(t *testing.T, open Open) {
	r := newRig(t, open)
	e, owner, m := group(r, true)
	m.Runs = m.Runs[:3]
	r.send(message(e, r.now(), "line"))
	r.begin(nodeB, store.StartWaiting)
	equal(r, "answer", r.finish(follow(owner, m)), []store.FinishReply{{}})
	equal(r, "history", r.outcomes("j"), []string{"a executed", "b missed", "c missed"})
	equal(r, "counter", r.slot("j"), 0)
	equal(r, "nudges", len(r.fetchNudges(nodeA)), 1)
	equal(r, "places", r.places(0), map[string][]string{"line": {"waiting:j"}})
}

func finishNextRemoved(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := group(r, false)
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	equal(r, "answer", r.finish(follow(owner, m)), []store.FinishReply{{Removed: true}})
	equal(r, "history", r.outcomes("j"), []string{"a executed", "b cancelled", "c cancelled", "d cancelled"})
	equal(r, "counter", r.slot("j"), 0)
	equal(r, "places", r.places(0), map[string][]string{})
}

func finishMany(t *testing.T, open Open) {
	r := newRig(t, open)
	var done []store.Finish
	var want []store.FinishReply
	for i := range 10 {
		_, owner, m := started(r, unique("job"))
		if i%5 == 0 {
			owner += "x"
		}
		done = append(done, finishOf(owner, m, job.Executed))
		want = append(want, store.FinishReply{Refused: i%5 == 0})
	}
	equal(r, "answers", r.finish(done...), want)
	equal(r, "counters", len(r.raw.scan(r.key("slots:*"))), 2)
	equal(r, "histories", len(r.raw.scan(r.key("history:*"))), 8)
}

func finishLate(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "j")
	id := m.Runs[0].ID
	r.expire(id)
	equal(r, "recovered", r.recoverExpired(), 1)
	equal(r, "before the rerun", r.finish(finishOf(owner, m, job.Executed)), []store.FinishReply{{Refused: true}})
	st, replies := r.begin(nodeB, store.Started)
	equal(r, "while the rerun runs", r.finish(finishOf(owner, m, job.Executed)), []store.FinishReply{{Refused: true}})
	equal(r, "counter", r.slot("j"), 1)
	equal(r, "history", r.outcomes("j"), nil)
	r.finish(finishOf(st.Owner, *replies[0].Message, job.Executed))
	rows, err := r.s.History(r.ctx, "j", 10)
	r.must(err)
	equal(r, "rows and attempt", [2]int{len(rows), rows[0].Attempt}, [2]int{1, 2})
}
