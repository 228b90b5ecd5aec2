package storetest

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var lostReplyTests = []conformance{
	{"lost reply: every mutation takes effect once and succeeds", loseEach},
	{"lost reply: two in a row", loseTwice},
	{"script flush: scripts are sent again", scriptFlush},
}

// lostReply is one mutation and what must be true after it.
type lostReply struct {
	name    string
	prepare func(r *rig) func() error
	check   func(r *rig)
}

func loseEach(t *testing.T, open Open) {
	for _, c := range lostReplies {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			loseOnce(t, open, c, 1)
		})
	}
}

func loseTwice(t *testing.T, open Open) { loseOnce(t, open, lostReplies[0], 2) }

func loseOnce(t *testing.T, open Open, c lostReply, n int) {
	var p *proxy
	r := newRig(t, open, lossy(t, &p))
	call := c.prepare(r)
	p.lose(n)
	r.must(call())
	equal(r, "replies still to be lost", p.left(), 0)
	c.check(r)
}

var lostReplies = []lostReply{
	{"add", func(r *rig) func() error {
		e := r.entry("j")
		return func() error { return r.s.Add(r.ctx, "op", e) }
	}, func(r *rig) { equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded}) }},
	{"update", func(r *rig) func() error {
		e := r.add("j")
		return func() error { return r.s.Update(r.ctx, "op", e, e, job.JobModified, "") }
	}, func(r *rig) { equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded, job.JobModified}) }},
	{"remove", func(r *rig) func() error {
		r.add("j")
		return func() error { _, err := r.s.Remove(r.ctx, "op", "j"); return err }
	}, func(r *rig) { equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded, job.JobRemoved}) }},
	{"enqueue", func(r *rig) func() error {
		m := adHoc("run")
		return func() error {
			_, err := r.s.Enqueue(r.ctx, 0, "op", "run", time.Hour, "", "", []store.Message{m})
			return err
		}
	}, func(r *rig) { r.wantPlace("run", "stream:default") }},
	{"enqueue now", func(r *rig) func() error {
		return func() error {
			_, err := r.s.EnqueueNow(r.ctx, 0, adHocNow(r, "", "run"))
			return err
		}
	}, func(r *rig) { r.wantPlace("run", "stream:default") }},
	{"enqueue now, by an op", func(r *rig) func() error {
		return func() error {
			answer, err := r.s.EnqueueNow(r.ctx, 0, adHocNow(r, "op", "run"))
			equal(r, "answer", answer, "run")
			return err
		}
	}, func(r *rig) { r.wantPlace("run", "stream:default") }},
	{"cancel before the start", func(r *rig) func() error {
		m := adHoc("run")
		_, err := r.s.Submit(r.ctx, 0, store.Submission{Op: "op", Answer: "run", At: r.now() + 60_000, Messages: []store.Message{m}})
		r.must(err)
		return func() error { return r.s.Cancel(r.ctx, "run") }
	}, func(r *rig) {
		equal(r, "events", r.kinds("run"), []job.EventKind{job.JobSubmitted, job.JobCancelled})
		equal(r, "history", r.outcomes("@t"), []string{"run cancelled"})
	}},
	{"retry", func(r *rig) func() error {
		e, d := died(r)
		return func() error { return r.s.Retry(r.ctx, "op", d, message(e, r.now(), "again")) }
	}, func(r *rig) { equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1) }},
	{"backfill", func(r *rig) func() error {
		e := r.add("j")
		return func() error {
			return r.s.Backfill(r.ctx, e, "backfill", time.Hour, []store.Message{message(e, 1, "a", "b")})
		}
	}, func(r *rig) { equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1) }},
	{"lines", func(r *rig) func() error {
		return func() error { return r.s.Keep(r.ctx, []store.Line{line("a", 1, 1), line("a", 1, 2)}) }
	}, func(r *rig) { equal(r, "lines", r.raw.number("XLEN", r.key("log:a")), 2) }},
	{"pause", func(r *rig) func() error {
		return func() error { return r.s.Pause(r.ctx, true, "") }
	}, func(r *rig) { equal(r, "events", r.events()[1:][0].Kind, job.SchedulerPaused) }},
	{"pause executor", func(r *rig) func() error {
		r.known(executor)
		return func() error { return r.s.PauseExecutor(r.ctx, "op", executor, "") }
	}, func(r *rig) { equal(r, "events", r.events()[1:][0].Kind, job.ExecutorPaused) }},
	{"hand back", func(r *rig) func() error {
		r.send(adHoc("run"))
		st := r.fetch(nodeA)
		return func() error { return r.s.HandBack(r.ctx, st.Consumer, st.Entries) }
	}, func(r *rig) { r.wantPlace("run", "stream:default") }},
	{"set calendar", func(r *rig) func() error {
		return func() error { return r.s.SetCalendar(r.ctx, "op", "c", []byte(closedOn("2030-01-01"))) }
	}, func(r *rig) { equal(r, "calendars", len(r.calendars(0).Documents), 1) }},
	{"remove calendar", func(r *rig) func() error {
		r.setCalendar("c", "2030-01-01")
		return func() error { return r.s.RemoveCalendar(r.ctx, "op", "c") }
	}, func(r *rig) { equal(r, "calendars", len(r.calendars(0).Documents), 0) }},
	{"follow calendars", func(r *rig) func() error {
		r.setCalendar("c", "2030-01-01")
		a := r.addBy("j", "c")
		r.setCalendar("c", "2030-01-02")
		version := r.calendars(0).Version
		return func() error {
			whole, err := r.s.FollowCalendars(r.ctx, 0, r.office, version, true, []store.Follow{later(a)})
			equal(r, "whole: nobody knows that it was this call", whole, false)
			return err
		}
	}, func(r *rig) {
		equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded, job.JobModified})
		d := r.due()
		equal(r, "version that is followed", d.CalendarsApplied, d.CalendarsVersion)
	}},
	{"take office", func(r *rig) func() error {
		return func() error { return r.s.TakeOffice(r.ctx, 0, store.Office{Epoch: "e", Term: 8}) }
	}, func(r *rig) { equal(r, "elections", len(r.events()), 2) }},
	{"dispatch", func(r *rig) func() error {
		e := r.add("j")
		d := advance(e, message(e, e.RunTime, "run"))
		return func() error { _, err := r.s.Dispatch(r.ctx, 0, r.office, []store.Dispatch{d}); return err }
	}, func(r *rig) { r.wantPlace("run", "stream:default") }},
	{"start", func(r *rig) func() error {
		e := r.add("j")
		r.send(message(e, r.now(), "run"), message(e, r.now(), "back"))
		st := r.fetch(nodeA)
		st.Run, st.Return = st.Run[:1], st.Run[1:]
		return func() error {
			replies, err := r.s.Start(r.ctx, st)
			equal(r, "verdicts", verdicts(replies), []store.Verdict{store.Started})
			return err
		}
	}, func(r *rig) {
		equal(r, "counter", r.slot("j"), 1)
		equal(r, "places", r.places(0), map[string][]string{"run": {"running"}, "back": {"stream:default"}})
	}},
	{"start next", func(r *rig) func() error {
		_, st := lined(r, nil, "a", "b")
		r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
		nudge := r.fetchNudges(nodeA)[0]
		return func() error {
			equal(r, "run", r.next(st.Consumer, "o", nudge[0], "j").Message.Runs[0].ID, "a")
			return nil
		}
	}, func(r *rig) {
		equal(r, "counter", r.slot("j"), 1)
		equal(r, "places", r.places(0), map[string][]string{"a": {"running"}, "b": {"waiting:j"}})
	}},
	{"postpone", func(r *rig) func() error {
		e := r.add("j")
		m := message(e, r.now(), "run")
		r.send(m)
		st := r.fetch(nodeA)
		return func() error {
			return r.s.Postpone(r.ctx, st.Consumer, st.Entries[0], time.Minute, []store.Message{m}, nil)
		}
	}, func(r *rig) { r.wantPlace("run", "delayed") }},
	{"set aside", func(r *rig) func() error {
		c, entry := r.entryOf("garbage")
		return func() error { return r.s.SetAside(r.ctx, c, entry) }
	}, func(r *rig) { equal(r, "dead", r.raw.number("LLEN", r.key("dead")), 1) }},
	{"renew", func(r *rig) func() error {
		_, owner, m := started(r, "j")
		return func() error {
			equal(r, "answer", r.renew(store.Held{RunID: m.Runs[0].ID, Owner: owner}), []store.Renewal{store.Renewed})
			return nil
		}
	}, func(r *rig) { equal(r, "leases", r.raw.number("ZCARD", r.key("leases")), 1) }},
	{"finish", func(r *rig) func() error {
		_, owner, m := started(r, "j")
		return func() error {
			equal(r, "answer", r.finish(finishOf(owner, m, job.Executed)), []store.FinishReply{{}})
			return nil
		}
	}, func(r *rig) { equal(r, "rows", len(r.outcomes("j")), 1) }},
	{"finish with what follows", func(r *rig) func() error {
		_, owner, m := group(r, true)
		return func() error {
			equal(r, "what follows", r.finish(follow(owner, m))[0].Next.Runs, m.Runs[3:])
			return nil
		}
	}, func(r *rig) {
		equal(r, "counter", r.slot("j"), 1)
		equal(r, "history", r.outcomes("j"), []string{"a executed", "b missed", "c missed"})
	}},
	{"recover", func(r *rig) func() error {
		_, _, m := started(r, "j")
		r.expire(m.Runs[0].ID)
		return func() error { r.recoverExpired(); return nil }
	}, func(r *rig) {
		equal(r, "places", len(r.places(0)), 1)
		equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1)
		equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
	}},
	{"promote", func(r *rig) func() error {
		r.raw.do("HSET", r.key("delayed_runs"), "run", adHoc("run").Encode())
		r.raw.do("ZADD", r.key("delayed"), 1, "run")
		return func() error { _, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now(), 10); return err }
	}, func(r *rig) { r.wantPlace("run", "stream:default") }},
	{"reclaim", func(r *rig) func() error {
		e := r.add("j")
		r.send(message(e, r.now(), "run"))
		r.fetch(nodeA)
		return func() error { _, err := r.s.Reclaim(r.ctx, 0, r.office, consumer(nodeA), 0, true); return err }
	}, func(r *rig) { r.wantPlace("run", "stream:default") }},
	{"park", func(r *rig) func() error {
		e := r.add("j")
		due, err := r.s.Due(r.ctx, 0, 1)
		r.must(err)
		return func() error {
			parked, err := r.s.Park(r.ctx, 0, r.office, store.Sighting{DueJob: due.Jobs[0], Header: &e.Header}, "no")
			equal(r, "parked", parked || err != nil, true)
			return err
		}
	}, func(r *rig) { equal(r, "events", r.kinds("j"), []job.EventKind{job.JobAdded, job.JobParked}) }},
}

func scriptFlush(t *testing.T, open Open) {
	r := newRig(t, open)
	for _, step := range []func(){
		func() { r.add("j") },
		func() { r.send(adHoc("run")) },
		func() { r.begin(nodeA, store.Started) },
		func() { r.must(r.s.Pause(r.ctx, true, "")) },
		func() { _, err := r.s.Remove(r.ctx, "op", "j"); r.must(err) },
	} {
		r.raw.do("SCRIPT", "FLUSH")
		step()
	}
	r.wantPlace("run", "running")
}
