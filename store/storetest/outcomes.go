package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Every run of a message has one outcome, whatever ends it; and a run that was asked to cancel is not run again.
var outcomeTests = []conformance{
	{"outcome: a message that is handed back ends run by run when its job is gone", handedBackRemoved},
	{"outcome: every way in which an attempt ends, with and without a cancellation and a removal", endsOfAttempts},
	{"outcome: every way in which a run is lost, with and without a cancellation and a removal", endsOfLost},
	{"outcome: a request to cancel between the leader's look and its recovery counts", cancelledMeanwhile},
	{"outcome: a run that fails after a request to cancel it is cancelled, in a call of many too", cancelledOfMany},
	{"outcome: what replaces a run ends it, also when it fails", replacedFails},
	{"outcome: what follows is told again while the run is tried again elsewhere", followsToldAgain},
	{"outcome: runs of a removed job that no node serves are cancelled", unservedRemoved},
}

// grouped has nodeA run the first of three runs of a job.
func grouped(r *rig, edits ...func(*job.Job)) (store.Entry, string, store.Message) {
	r.Helper()
	e := r.add("j", edits...)
	r.send(message(e, r.now(), "a", "b", "c"))
	st, replies := r.begin(nodeA, store.Started)
	return e, st.Owner, *replies[0].Message
}

// handedBack is what a node says that has to stop at once.
func handedBack(owner string, m store.Message) store.Finish {
	f, again := finishOf(owner, m, job.Cancelled), m
	again.Attempt++
	f.Cause, f.Error, f.Retry = "node shutdown", "node shutdown", &again
	return f
}

// failed is a failure, to be tried again or not; what follows goes on.
func failed(owner string, m store.Message, retry bool) store.Finish {
	f := finishOf(owner, m, job.Failed)
	f.Error, f.Next = "boom", m.Following()
	if retry {
		again := m
		again.Runs, again.Attempt, again.Failed = m.Runs[:1], 2, 1
		f.Retry, f.RetryIn = &again, time.Minute
	}
	return f
}

func handedBackRemoved(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := grouped(r)
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	equal(r, "answer", r.finish(handedBack(owner, m)), []store.FinishReply{{Removed: true}})
	equal(r, "history", r.outcomes("j"), []string{"a cancelled", "b cancelled", "c cancelled"})
	equal(r, "places", r.places(0), map[string][]string{})
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
	for _, id := range []string{"a", "b", "c"} {
		kinds := r.kinds(id)
		equal(r, "last event of "+id, kinds[len(kinds)-1], job.JobCancelled)
	}
	equal(r, "again", r.finish(handedBack(owner, m)), []store.FinishReply{{Refused: true}})
	equal(r, "history", len(r.outcomes("j")), 3)
}

// endsOfAttempts has the first of three runs end in every way, and looks at what becomes of all.
func endsOfAttempts(t *testing.T, open Open) {
	const gone = "b cancelled, c cancelled"
	ways := map[string]func(string, store.Message) store.Finish{
		"executed": func(owner string, m store.Message) store.Finish {
			f := finishOf(owner, m, job.Executed)
			f.Next = m.Following()
			return f
		},
		"failed":  func(owner string, m store.Message) store.Finish { return failed(owner, m, false) },
		"retried": func(owner string, m store.Message) store.Finish { return failed(owner, m, true) },
		"back":    handedBack,
	}
	cases := []struct {
		way                string
		cancelled, removed bool
		rows               string // of all runs
		places             string // of those that have none
		dead               int64
	}{
		{way: "executed", rows: "a executed", places: "b running, c running"},
		{way: "executed", cancelled: true, rows: "a executed", places: "b running, c running"},
		{way: "executed", removed: true, rows: "a executed, " + gone},
		{way: "failed", rows: "a error", places: "b running, c running", dead: 1},
		{way: "failed", cancelled: true, rows: "a cancelled", places: "b running, c running"},
		{way: "failed", removed: true, rows: "a error, " + gone, dead: 1},
		{way: "failed", cancelled: true, removed: true, rows: "a cancelled, " + gone},
		{way: "retried", places: "a delayed, b running, c running"},
		{way: "retried", cancelled: true, rows: "a cancelled", places: "b running, c running"},
		{way: "retried", removed: true, rows: "a error, " + gone, dead: 1},
		{way: "retried", cancelled: true, removed: true, rows: "a cancelled, " + gone},
		{way: "back", places: "a delayed, b delayed, c delayed"},
		{way: "back", cancelled: true, rows: "a cancelled", places: "b stream:default, c stream:default"},
		{way: "back", removed: true, rows: "a cancelled, " + gone},
		{way: "back", cancelled: true, removed: true, rows: "a cancelled, " + gone},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s, cancelled %v, removed %v", c.way, c.cancelled, c.removed), func(t *testing.T) {
			r := newRig(t, open)
			_, owner, m := grouped(r)
			askAndRemove(r, "a", c.cancelled, c.removed)
			f := ways[c.way](owner, m)
			reply := r.finish(f)[0]
			equal(r, "said to be cancelled", reply.Cancelled, c.cancelled && c.way != "executed")
			equal(r, "said to be removed", reply.Removed, c.removed)
			wantEnds(r, c.rows, c.places, c.dead)
			if rows, err := r.s.History(r.ctx, "j", 10); c.cancelled && c.way != "executed" {
				r.must(err)
				row := rows[len(rows)-1]
				equal(r, "cause and error", [2]string{row.Cause, row.Error}, [2]string{strings.TrimSuffix("cancelled on request; "+f.Cause, "; "), f.Error})
				kinds := r.kinds("a")
				equal(r, "last event", kinds[len(kinds)-1], job.JobCancelled)
			}
		})
	}
}

// askAndRemove asks for the cancellation of a run that runs, and removes job j.
func askAndRemove(r *rig, run string, cancel, remove bool) {
	r.Helper()
	if cancel {
		r.must(r.s.Cancel(r.ctx, run))
	}
	if remove {
		_, err := r.s.Remove(r.ctx, unique("op"), "j")
		r.must(err)
	}
}

// wantEnds wants these rows in any order, the other runs in these places, so many dead, and true counters.
func wantEnds(r *rig, rows, places string, dead int64) {
	r.Helper()
	got, where := map[string]int{}, map[string]string{}
	for _, row := range r.outcomes("j") {
		got[row]++
	}
	want := map[string]int{}
	for row := range strings.SplitSeq(rows, ", ") {
		if row != "" {
			want[row]++
		}
	}
	equal(r, "rows", got, want)
	for run, all := range r.places(0) {
		where[run] = strings.Join(all, "+")
	}
	wantWhere := map[string]string{}
	for part := range strings.SplitSeq(places, ", ") {
		if run, place, ok := strings.Cut(part, " "); ok {
			wantWhere[run] = place
		}
	}
	equal(r, "places", where, wantWhere)
	equal(r, "dead", r.raw.number("LLEN", r.key("dead")), dead)
	mended, err := r.s.Audit(r.ctx, 0, r.office)
	r.must(err)
	equal(r, "mended", mended, nil)
}

// endsOfLost has the first of three runs lost, and looks at what becomes of all.
func endsOfLost(t *testing.T, open Open) {
	const gone, rest = "b cancelled, c cancelled", "b stream:default, c stream:default"
	cases := []struct {
		name               string
		drop               bool
		lost               int
		cancelled, removed bool
		rows, places       string
		dead               int64
	}{
		{name: "rerun", places: "a stream:default, " + rest},
		{name: "rerun", cancelled: true, rows: "a cancelled", places: rest},
		{name: "rerun", removed: true, rows: "a cancelled, " + gone},
		{name: "rerun", cancelled: true, removed: true, rows: "a cancelled, " + gone},
		{name: "drop", drop: true, rows: "a lost", places: rest, dead: 1},
		{name: "drop", drop: true, cancelled: true, rows: "a cancelled", places: rest},
		{name: "drop", drop: true, removed: true, rows: "a lost, " + gone, dead: 1},
		{name: "drop", drop: true, cancelled: true, removed: true, rows: "a cancelled, " + gone},
		{name: "max_lost", lost: 2, rows: "a lost", places: rest, dead: 1},
		{name: "max_lost", lost: 2, cancelled: true, rows: "a cancelled", places: rest},
		{name: "max_lost", lost: 2, removed: true, rows: "a lost, " + gone, dead: 1},
		{name: "max_lost", lost: 2, cancelled: true, removed: true, rows: "a cancelled, " + gone},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s, cancelled %v, removed %v", c.name, c.cancelled, c.removed), func(t *testing.T) {
			r := newRig(t, open)
			e := r.add("j", func(j *job.Job) {
				j.Retry.MaxAttempts = 5
				if c.drop {
					j.OnLost = job.OnLostDrop
				}
			})
			m := message(e, r.now(), "a", "b", "c")
			m.Lost, m.Attempt = c.lost, c.lost+1
			r.send(m)
			st, _ := r.begin(nodeA, store.Started)
			askAndRemove(r, "a", c.cancelled, c.removed)
			r.expire("a")
			equal(r, "taken", r.recoverExpired(), 1)
			wantEnds(r, c.rows, c.places, c.dead)
			equal(r, "taken again", r.recoverExpired(), 0)
			equal(r, "late result", r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed)), []store.FinishReply{{Refused: true}})
			wantEnds(r, c.rows, c.places, c.dead)
			kinds, want := r.kinds("a"), job.JobLost
			if strings.Contains(c.rows, "a cancelled") {
				want = job.JobCancelled
			}
			equal(r, "last event", kinds[len(kinds)-1], want)
			_, err := r.s.FindDead(r.ctx, "a")
			equal(r, "can be retried", err == nil, c.dead > 0)
		})
	}
}

func cancelledMeanwhile(t *testing.T, open Open) {
	var p *proxy
	r := newRig(t, open, lossy(t, &p))
	_, _, m := grouped(r)
	r.expire("a")
	p.before(func() {
		value := r.raw.text("HGET", r.key("running"), "a")
		r.raw.do("HSET", r.key("running"), "a", strings.Replace(value, "\t0\n", "\t1\n", 1))
	})
	equal(r, "recovered", r.recoverExpired(), 1)
	wantEnds(r, "a cancelled", "b stream:default, c stream:default", 0)
	equal(r, "runs", len(m.Runs), 3)
}

func cancelledOfMany(t *testing.T, open Open) {
	r := newRig(t, open)
	var done []store.Finish
	for _, id := range []string{"ok", "error", "timeout", "fine"} {
		_, owner, m := started(r, id)
		outcome := map[string]job.Outcome{"error": job.Failed, "timeout": job.TimedOut}[id]
		f := finishOf(owner, m, job.Executed)
		if outcome != "" {
			f.Outcome, f.Error = outcome, "boom"
			r.must(r.s.Cancel(r.ctx, m.Runs[0].ID))
		}
		done = append(done, f)
	}
	equal(r, "answers", r.finish(done...), []store.FinishReply{{}, {Cancelled: true}, {Cancelled: true}, {}})
	for _, id := range []string{"error", "timeout"} {
		rows, err := r.s.History(r.ctx, id, 10)
		r.must(err)
		cause := map[string]string{"error": "cancelled on request", "timeout": "cancelled on request; timeout"}[id]
		equal(r, id, [4]string{string(rows[0].Outcome), rows[0].Cause, rows[0].Error, fmt.Sprint(rows[0].Attempt)}, [4]string{"cancelled", cause, "boom", "1"})
	}
	equal(r, "dead", r.raw.number("LLEN", r.key("dead")), 0)
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
	equal(r, "again", r.finish(done...), []store.FinishReply{{Refused: true}, {Refused: true}, {Refused: true}, {Refused: true}})
}

func replacedFails(t *testing.T, open Open) {
	r := newRig(t, open)
	e, owner, m := started(r, "j", func(j *job.Job) { j.Overlap, j.Retry.MaxAttempts = job.OverlapReplace, 3 })
	r.send(message(e, r.now(), "newer"))
	r.begin(nodeB, store.StartWaiting)
	equal(r, "answer", r.finish(failed(owner, m, true)), []store.FinishReply{{Cancelled: true}})
	equal(r, "history", r.outcomes("j"), []string{m.Runs[0].ID + " cancelled"})
	equal(r, "delayed and dead", r.raw.number("ZCARD", r.key("delayed"))+r.raw.number("LLEN", r.key("dead")), 0)
	nudge := r.fetchNudges(nodeB)[0]
	reply := r.next(store.Consumer{Executor: executor, Name: nodeB}, nodeB+"/x", nudge[0], nudge[1])
	equal(r, "the newer one starts", [2]string{string(reply.Verdict), reply.Message.Runs[0].ID}, [2]string{"STARTED", "newer"})
}

func unservedRemoved(t *testing.T, open Open) {
	r := newRig(t, open)
	e, stays := r.add("j", graced), r.add("stays", graced)
	patient := message(e, r.now(), "p1", "p2")
	patient.Grace, patient.Attempt = job.GraceNone, 2
	r.send(message(e, r.now(), "a", "b", "c"), message(stays, r.now(), "stays"))
	r.send(patient)
	_, err := r.s.Remove(r.ctx, unique("op"), "j")
	r.must(err)
	equal(r, "missed", r.expireUnserved(), 0)
	equal(r, "places", r.places(0), map[string][]string{"stays": {"stream:default"}})
	equal(r, "history", r.outcomes("j"), []string{"a cancelled", "b cancelled", "c cancelled", "p1 cancelled", "p2 cancelled"})
	rows, err := r.s.History(r.ctx, "j", 10)
	r.must(err)
	equal(r, "cause", rows[0].Cause, "job removed")
	equal(r, "missed again", r.expireUnserved(), 0)
	equal(r, "rows", len(r.outcomes("j")), 5)
}

func followsToldAgain(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := grouped(r, func(j *job.Job) { j.MaxInstances, j.Retry.MaxAttempts, j.OnLost = 3, 3, job.OnLostDrop })
	f := failed(owner, m, true)
	f.RetryIn = 0
	first := r.finish(f)[0]
	equal(r, "what follows", first.Next.Runs, m.Runs[1:])
	_, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now()+1, 10)
	r.must(err)
	r.begin(nodeB, store.Started)
	again := r.finish(f)[0] // the answer to the first sending was lost
	equal(r, "what follows, again", again, first)
	wantEnds(r, "", "a running, b running, c running", 0)
}
