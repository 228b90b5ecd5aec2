package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var adhocTests = append(append(lifeTests, unservedTests...), []conformance{
	{"enqueue: runs for later wait in delayed", enqueueLater},
	{"cancel: a run that was fetched does not start any more", cancelFetched},
	{"cancel: what shares an entry or a message stays", cancelShared},
	{"cancel: a run in line, the line goes on", cancelInLine},
	{"cancel: once, also when its reply is lost", cancelUnheard},
	{"retry: a dead run once, as a new one", retryDead},
	{"retry: not of a removed job", retryRemoved},
	{"backfill: each run once, however it is sent", backfillOnce},
	{"backfill: not of a job that is gone", backfillGone},
	{"results: on one line, within the limit", resultsKept},
	{"results: rows without one are still read", rowsOfOld},
	{"lines: in order, once, and not after a later attempt", linesOnce},
	{"lines: the latest are kept, for a while", linesCapped},
	{"find: an ended run by its job, or by the event log", findEnded},
}...)

func enqueueLater(t *testing.T, open Open) {
	r := newRig(t, open)
	later := r.now() + 60_000
	m := message(r.entry("j"), later, "a")
	m.UID, m.JobID = "", "@t"
	sub := store.Submission{Op: "op", Answer: "a", At: later, Messages: []store.Message{m}}
	for range 2 {
		answer, err := r.s.Submit(r.ctx, 0, sub)
		r.must(err)
		equal(r, "answer", answer, "a")
	}
	r.wantPlace("a", "delayed")
	equal(r, "due", r.raw.number("ZSCORE", r.key("delayed"), "a"), later)
	events := r.events()
	equal(r, "events", r.kinds("a"), []job.EventKind{job.JobSubmitted})
	equal(r, "cause", events[len(events)-1].Cause, "enqueued for "+job.FormatTime(at(later)))
	sub.Op, sub.At, sub.Messages[0].Runs[0].ID = "other", r.now()-1, "b"
	_, err := r.s.Submit(r.ctx, 0, sub)
	r.must(err)
	r.wantPlace("b", "stream:default")
	p, err := r.s.Find(r.ctx, "a")
	r.must(err)
	equal(r, "found", [2]any{p.Place, p.Due}, [2]any{store.InDelayed, later})
}

func cancelFetched(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.Register(r.ctx, []string{executor}, nil))
	e := r.add("j")
	m := message(e, r.now(), "a")
	r.send(m)
	st := r.fetch(nodeA)
	r.must(r.s.Cancel(r.ctx, "a"))
	equal(r, "verdicts", verdicts(r.start(st)), []store.Verdict{store.StartGone})
	equal(r, "history", r.outcomes("j"), []string{"a cancelled"})
	equal(r, "events", r.kinds("a"), []job.EventKind{job.JobSubmitted, job.JobCancelled})
	equal(r, "places", r.places(0), map[string][]string{})
	equal(r, "stream", r.raw.number("XLEN", r.key("stream:default")), 0)
	r.wantErr(r.s.Cancel(r.ctx, "a"), store.ErrRunNotFound)
}

func cancelShared(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.Register(r.ctx, []string{executor}, nil))
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 10 })
	r.bundle(message(e, r.now(), "a"), message(e, r.now(), "b", "c", "d"))
	for _, id := range []string{"b", "d", "a"} {
		r.must(r.s.Cancel(r.ctx, id))
	}
	equal(r, "places", r.places(0), map[string][]string{"c": {"stream:default"}})
	equal(r, "history", r.outcomes("j"), []string{"b cancelled", "d cancelled", "a cancelled"})
	_, replies := r.begin(nodeB, store.Started)
	equal(r, "attempt", replies[0].Message.Attempt, 1)
}

func cancelInLine(t *testing.T, open Open) {
	r := newRig(t, open)
	e, owner, m := started(r, "j", func(j *job.Job) { j.Overlap = job.OverlapQueue })
	r.send(message(e, r.now(), "a"), message(e, r.now()+1, "b"))
	r.begin(nodeA, store.StartWaiting, store.StartWaiting)
	r.must(r.s.Cancel(r.ctx, "a"))
	r.wantPlace("b", "waiting:j")
	r.finish(finishOf(owner, m, job.Executed))
	equal(r, "nudges", len(r.fetchNudges(nodeA)), 1)
	r.must(r.s.Cancel(r.ctx, "b"))
	equal(r, "lines", r.raw.number("EXISTS", r.key("waiting"), r.key("waiting:j"), r.key("waiting_runs:j")), 0)
	equal(r, "history", r.outcomes("j"), []string{"a cancelled", m.Runs[0].ID + " executed", "b cancelled"})
}

func cancelUnheard(t *testing.T, open Open) {
	var p *proxy
	r := newRig(t, open, lossy(t, &p))
	for _, id := range []string{"a", "b"} {
		_, err := r.s.Submit(r.ctx, 0, store.Submission{Op: id, Answer: id, At: r.now() + 60_000, Messages: []store.Message{adHoc(id)}})
		r.must(err)
	}
	r.must(r.s.Cancel(r.ctx, "a"))                      // the server knows the scripts now
	p.before(func() { p.before(func() { p.lose(1) }) }) // after the one for runs that nodes have
	r.must(r.s.Cancel(r.ctx, "b"))
	equal(r, "replies still to be lost", p.left(), 0)
	equal(r, "history", r.outcomes("@t"), []string{"a cancelled", "b cancelled"})
}

// died is a run of job j that failed for good.
func died(r *rig) (store.Entry, store.Dead) {
	r.Helper()
	e, owner, m := started(r, "j")
	f := finishOf(owner, m, job.Failed)
	f.Error = "boom"
	r.finish(f)
	d, err := r.s.FindDead(r.ctx, m.Runs[0].ID)
	r.must(err)
	return e, d
}

func retryDead(t *testing.T, open Open) {
	r := newRig(t, open)
	e, d := died(r)
	again := message(e, r.now(), "new")
	for range 2 { // the second call is a repeat of the first
		r.must(r.s.Retry(r.ctx, "op", d, again))
	}
	r.wantErr(r.s.Retry(r.ctx, "another op", d, message(e, r.now(), "newer")), store.ErrRunNotFound)
	equal(r, "places", r.places(0), map[string][]string{"new": {"stream:default"}})
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1)
	equal(r, "dead", r.raw.number("LLEN", r.key("dead")), 0)
	equal(r, "events", r.kinds("new"), []job.EventKind{job.JobSubmitted})
	_, err := r.s.FindDead(r.ctx, d.Runs[0].ID)
	r.wantErr(err, store.ErrRunNotFound)
}

func retryRemoved(t *testing.T, open Open) {
	r := newRig(t, open)
	e, d := died(r)
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	r.wantErr(r.s.Retry(r.ctx, "retry", d, message(e, r.now(), "new")), store.ErrJobNotFound)
	equal(r, "dead", r.raw.number("LLEN", r.key("dead")), 1)
}

func backfillOnce(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	past := r.now() - 60_000
	send := func(messages ...store.Message) {
		t.Helper()
		r.must(r.s.Backfill(r.ctx, e, "backfill x", time.Hour, messages))
	}
	send(message(e, past, "a", "b"))
	send(message(e, past, "a", "b"))
	send(message(e, past, "z", "a"), message(e, past, "b"), message(e, past, "c"))
	equal(r, "places", r.places(0), map[string][]string{
		"a": {"stream:default"}, "b": {"stream:default"}, "c": {"stream:default"}, "z": {"stream:default"},
	})
	equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 3)
	equal(r, "events", r.kinds("b"), []job.EventKind{job.JobSubmitted})
	ttl := r.raw.number("TTL", r.key("op:a"))
	equal(r, "remembered for an hour", ttl > 3500 && ttl <= 3600, true)
}

func backfillGone(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	e.UID = "another"
	r.wantErr(r.s.Backfill(r.ctx, e, "x", time.Hour, []store.Message{message(e, 1, "a")}), store.ErrJobNotFound)
	equal(r, "places", r.places(0), map[string][]string{})
}

func resultsKept(t *testing.T, open Open) {
	r := newRig(t, open)
	for _, c := range []struct{ name, result, want string }{
		{"none", "", ""},
		{"null", "null", ""},
		{"a value", "{\n\t\"a\": [1, 2]}", `{"a":[1,2]}`},
		{"too long", `"` + strings.Repeat("x", store.ResultLimit) + `"`, `{"omitted":"4098 bytes, at most 4096 are kept"}`},
		{"no JSON", "a\tb", `{"omitted":"it is not JSON"}`},
	} {
		_, owner, m := started(r, unique("j"))
		f := finishOf(owner, m, job.Executed)
		f.Result = []byte(c.result)
		r.finish(f)
		rows, err := r.s.History(r.ctx, m.JobID, 1)
		r.must(err)
		equal(r, c.name, string(rows[0].Result), c.want)
	}
}

func rowsOfOld(t *testing.T, open Open) {
	r := newRig(t, open)
	r.raw.do("LPUSH", r.key("history:j"), strings.Join([]string{"2", "3", "executed", "a", "1", "1", "n", "1", "", "", "oops"}, "\t"))
	rows, err := r.s.History(r.ctx, "j", 10)
	r.must(err)
	equal(r, "rows", rows, []job.Row{{RunID: "a", ScheduledTime: at(1), Outcome: job.Executed, Attempt: 1, Node: "n",
		Started: at(2), Finished: at(3), Count: 1, Error: "oops"}})
}

func line(run string, attempt, number int) store.Line {
	return store.Line{RunID: run, Attempt: attempt, Number: number, Time: at(5), Level: "info", Text: fmt.Sprint(attempt, "-", number)}
}

func linesOnce(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.Keep(r.ctx, []store.Line{line("a", 1, 1), line("b", 1, 1), line("a", 1, 2)}))
	r.must(r.s.Keep(r.ctx, []store.Line{line("a", 1, 2), line("a", 1, 3)}))
	r.must(r.s.Keep(r.ctx, []store.Line{line("a", 2, 1)}))
	r.must(r.s.Keep(r.ctx, []store.Line{line("a", 1, 4), line("a", 2, 2)}))
	got, next, err := r.s.Lines(r.ctx, "a", "", 0)
	r.must(err)
	equal(r, "lines", got, []store.Line{line("a", 1, 1), line("a", 1, 2), line("a", 1, 3), line("a", 2, 1), line("a", 2, 2)})
	none, same, err := r.s.Lines(r.ctx, "a", next, 0)
	r.must(err)
	equal(r, "after the last", len(none), 0)
	equal(r, "cursor", same, next)
	clean := line("c", 1, 1)
	clean.Text, clean.Level, clean.Fraction = "a\tb\nc", "progress", 0.25
	r.must(r.s.Keep(r.ctx, []store.Line{clean}))
	got, _, err = r.s.Lines(r.ctx, "c", "", 0)
	r.must(err)
	clean.Text = "a b ⏎ c"
	equal(r, "text and fraction", got, []store.Line{clean})
}

func linesCapped(t *testing.T, open Open) {
	r := newRig(t, open)
	var all []store.Line
	for i := range store.LinesLimit + 10 {
		all = append(all, line("a", 1, i+1))
	}
	r.must(r.s.Keep(r.ctx, all))
	got, _, err := r.s.Lines(r.ctx, "a", "", 0)
	r.must(err)
	equal(r, "kept", len(got), store.LinesLimit)
	equal(r, "first", got[0].Number, 11)
	equal(r, "has a life", r.raw.number("TTL", r.key("log:a")) > 0, true)
}

func findEnded(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "j")
	r.finish(finishOf(owner, m, job.Executed))
	for _, jobID := range []string{"", "j"} {
		row, found, err := r.s.Ended(r.ctx, m.Runs[0].ID, jobID)
		r.must(err)
		equal(r, "by "+jobID, [2]string{found, row.RunID}, [2]string{"j", m.Runs[0].ID})
	}
	r.raw.do("DEL", r.key("events"))
	_, _, err := r.s.Ended(r.ctx, m.Runs[0].ID, "")
	r.wantErr(err, store.ErrRunNotFound)
	_, _, err = r.s.Ended(r.ctx, m.Runs[0].ID, "j")
	r.must(err)
}
