package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var executorTests = []conformance{
	{"executor: paused, nothing of it starts and nothing is lost", executorHolds},
	{"executor: paused, the other executors go on", executorOthers},
	{"executor: paused, runs under way go on and what follows them waits", executorFollows},
	{"executor: paused, a nudge goes back", executorNudge},
	{"executor: paused after a start whose answer was lost, the start is told again", executorResent},
	{"executor: misfire is judged when a run really starts", executorMisfire},
	{"executor: paused in every partition, once per op", executorOp},
	{"executor: one that nobody has served is refused by name", executorUnknown},
	{"executor: listed with pause, backlog and runs", executorList},
	{"hand back: entries as they are, and only the own", handBack},
}

// known makes the executors of the suite known, as a node does.
func (r *rig) known(executors ...string) {
	r.Helper()
	r.must(r.s.Register(r.ctx, executors, []string{"t"}))
}

// pauseExecutor pauses the suite's executor.
func (r *rig) pauseExecutor(reason string) {
	r.Helper()
	r.known(executor)
	r.must(r.s.PauseExecutor(r.ctx, unique("op"), executor, reason))
}

func (r *rig) resumeExecutor() {
	r.Helper()
	r.must(r.s.ResumeExecutor(r.ctx, unique("op"), executor))
}

func executorHolds(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 9 })
	r.pauseExecutor("the disk is full")
	r.send(message(e, r.now(), "a"), message(e, r.now(), "b"), message(e, r.now(), "c"))
	st := r.fetch(nodeA)
	st.Run, st.Return = st.Run[:2], st.Run[2:]
	before := r.raw.number("XLEN", r.key("events"))
	equal(r, "verdicts", verdicts(r.start(st)), []store.Verdict{store.StartPaused, store.StartPaused})
	equal(r, "still pending here", r.pending(nodeA), st.Entries)
	equal(r, "events", r.raw.number("XLEN", r.key("events")), before)
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
	equal(r, "history", r.outcomes("j"), nil)
	r.must(r.s.HandBack(r.ctx, st.Consumer, st.Entries))
	equal(r, "given back all the same", len(r.pending(nodeA)), 0)
	equal(r, "places", r.places(0), map[string][]string{"a": {"stream:default"}, "b": {"stream:default"}, "c": {"stream:default"}})
	r.resumeExecutor()
	r.begin(nodeB, store.Started, store.Started, store.Started)
}

func executorOthers(t *testing.T, open Open) {
	r := newRig(t, open)
	r.pauseExecutor("")
	r.known("reports")
	m := adHoc("run")
	m.Executor = "reports"
	r.send(m)
	equal(r, "verdicts", verdicts(r.start(r.fetchFrom(0, "reports", nodeA))), []store.Verdict{store.Started})
}

func executorFollows(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	m := message(e, r.now(), "a", "b", "c")
	r.send(m)
	st, _ := r.begin(nodeA, store.Started)
	r.pauseExecutor("")
	held := store.Held{RunID: "a", Owner: st.Owner}
	equal(r, "the lease is kept", r.renew(held), []store.Renewal{store.Renewed})
	equal(r, "finish", r.finish(follow(st.Owner, m)), []store.FinishReply{{Back: true}})
	equal(r, "history", r.outcomes("j"), []string{"a executed"})
	equal(r, "places", r.places(0), map[string][]string{"b": {"stream:default"}, "c": {"stream:default"}})
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
	r.resumeExecutor()
	_, replies := r.begin(nodeB, store.Started)
	equal(r, "what starts", replies[0].Message.Runs, m.Runs[1:])
}

func executorNudge(t *testing.T, open Open) {
	r := newRig(t, open)
	_, st := lined(r, nil, "a")
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	nudge := r.fetchNudges(nodeA)[0]
	r.pauseExecutor("")
	for range 2 { // the second is a resend
		equal(r, "verdict", r.next(st.Consumer, "o", nudge[0], "j").Verdict, store.StartPaused)
		equal(r, "entries", r.raw.number("XLEN", r.key("stream:default")), 1)
		equal(r, "pending", len(r.pending(nodeA)), 0)
	}
	r.wantPlace("a", "waiting:j")
	r.resumeExecutor()
	again := r.fetchNudges(nodeB)[0]
	equal(r, "verdict", r.next(store.Consumer{Executor: executor, Name: nodeB}, "o", again[0], "j").Verdict, store.Started)
}

func executorResent(t *testing.T, open Open) {
	r := newRig(t, open)
	r.send(message(r.add("j"), r.now(), "run"))
	st, _ := r.begin(nodeA, store.Started)
	r.pauseExecutor("")
	equal(r, "start again", verdicts(r.start(st)), []store.Verdict{store.Started})
	equal(r, "counter", r.slot("j"), 1)
	r.wantPlace("run", "running")
}

func executorMisfire(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances, j.MisfireGraceTime = 9, job.Grace(time.Second) })
	r.pauseExecutor("")
	late, early := message(e, r.now()-60_000, "late"), message(e, r.now()+60_000, "early")
	r.send(late, early)
	st, _ := r.begin(nodeA, store.StartPaused, store.StartPaused)
	equal(r, "history", r.outcomes("j"), nil)
	r.resumeExecutor()
	equal(r, "verdicts", verdicts(r.start(st)), []store.Verdict{store.StartMissed, store.Started})
	equal(r, "history", r.outcomes("j"), []string{"late missed"})
}

func executorOp(t *testing.T, open Open) {
	r := newRig(t, open, three)
	r.known(executor)
	before := r.now()
	for _, reason := range []string{"first\tof\ntwo", "second"} {
		r.must(r.s.PauseExecutor(r.ctx, unique("op"), executor, reason))
	}
	for p := range 3 {
		paused, err := r.s.PausedExecutors(r.ctx, p)
		r.must(err)
		state := paused[executor]
		since := state.Since.UnixMilli()
		equal(r, "since", since >= before && since <= r.now(), true)
		equal(r, "reason", state.Reason, "first of ⏎ two")
		is, err := r.s.ExecutorPaused(r.ctx, p, executor)
		r.must(err)
		equal(r, "paused", is, true)
	}
	r.must(r.s.ResumeExecutor(r.ctx, "same", executor))
	r.must(r.s.PauseExecutor(r.ctx, unique("op"), executor, ""))
	r.must(r.s.ResumeExecutor(r.ctx, "same", executor)) // resent, and late: somebody has paused it anew
	is, err := r.s.ExecutorPaused(r.ctx, 1, executor)
	r.must(err)
	equal(r, "paused", is, true)
	var causes []string
	for _, e := range r.events() {
		if e.Kind == job.ExecutorPaused || e.Kind == job.ExecutorResumed {
			causes = append(causes, string(e.Kind)+" "+e.Cause)
		}
	}
	equal(r, "events", causes[:3], []string{
		"executor_paused default: first of ⏎ two", "executor_resumed default", "executor_paused default",
	})
	equal(r, "events in all partitions", len(causes), 9)
}

func executorUnknown(t *testing.T, open Open) {
	r := newRig(t, open)
	r.known(executor, "reports")
	for _, err := range []error{
		r.s.PauseExecutor(r.ctx, unique("op"), "repots", ""), r.s.ResumeExecutor(r.ctx, unique("op"), "repots"),
	} {
		r.wantErr(err, store.ErrUnknownExecutor)
		equal(r, "names the known ones", strings.Contains(err.Error(), `"repots"; known are default, reports`), true)
	}
	equal(r, "keys", r.raw.number("EXISTS", r.key("paused_executors")), 0)
}

func executorList(t *testing.T, open Open) {
	r := newRig(t, open, three)
	r.known(executor, "reports")
	for p := range 3 {
		_, err := r.s.Enqueue(r.ctx, p, unique("op"), "x", time.Hour, "", "", []store.Message{adHoc(unique("run")), adHoc(unique("run"))})
		r.must(err)
		st := r.fetchFrom(p, executor, nodeA)
		st.Entries, st.Run = st.Entries[:1], st.Run[:1]
		r.start(st)
	}
	r.must(r.s.PauseExecutor(r.ctx, unique("op"), "reports", "why"))
	r.raw.do("HDEL", r.keyIn(2, "paused_executors"), "reports")
	states, err := r.s.Executors(r.ctx)
	r.must(err)
	states[1].Pause.Since = time.Time{}
	equal(r, "executors", states, []store.ExecutorState{
		{Name: executor, Backlog: 3, Running: 3},
		{Name: "reports", Pause: store.PauseState{Reason: "why"}, PausedIn: 2},
	})
}

func handBack(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 9 })
	r.send(message(e, r.now(), "a"), message(e, r.now(), "b"))
	r.raw.do("XADD", r.key("stream:default"), "*", "m", "N\tj")
	got, err := r.s.Fetch(r.ctx, 0, executor, nodeA, 10, 0)
	r.must(err)
	ids := []string{got[2].ID, got[0].ID, "1-1"}
	r.must(r.s.HandBack(r.ctx, store.Consumer{Executor: executor, Name: nodeB}, ids))
	equal(r, "by another consumer", len(r.pending(nodeA)), 3)
	r.must(r.s.HandBack(r.ctx, store.Consumer{Executor: executor, Name: nodeA}, ids))
	equal(r, "pending", r.pending(nodeA), []string{got[1].ID})
	back, err := r.s.Fetch(r.ctx, 0, executor, nodeB, 10, 0)
	r.must(err)
	equal(r, "bodies", [][]string{back[0].Bodies, back[1].Bodies}, [][]string{got[2].Bodies, got[0].Bodies})
}
