package storetest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var recordTests = []conformance{
	{"history: capped, newest first", historyCapped},
	{"history: a life once the job is gone, also for rows that arrive later", historyLives},
	{"history: of ad-hoc runs is gathered from all partitions", historyAdHoc},
	{"events: submitted before started before outcome, in every order of calls", eventsOrdered},
	{"events: the cursor goes on where it stopped", eventsCursor},
	{"events: those about a job are found behind many others", eventsAboutJob},
	{"events: the log is capped", eventsCapped},
	{"tidy: what is too old goes, but for the newest row of a history", tidyForgets},
	{"tidy: comes by every job, a page at a time, under an office", tidyTurns},
	{"note: appends what it is given", noteAppends},
	{"registry: names stay, and unknown ones are refused with a remedy", registryKnows},
	{"wakes: tells the next time of every change", wakesTell},
	{"writable: leaves nothing behind", writableClean},
}

func historyCapped(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.HistoryLimit = 3 })
	r.add("j")
	e, err := r.s.Get(r.ctx, "j")
	r.must(err)
	var want []string
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		m := message(e, r.now(), id)
		r.send(m)
		st, _ := r.begin(nodeA, store.Started)
		r.finish(finishOf(st.Owner, m, job.Executed))
		if i > 1 {
			want = append(want, id+" executed")
		}
	}
	equal(r, "history", r.outcomes("j"), want)
	rows, err := r.s.History(r.ctx, "j", 1)
	r.must(err)
	equal(r, "newest", []any{len(rows), rows[0].RunID}, []any{1, "e"})
	for _, limit := range []int{0, -1, -100} {
		rows, err = r.s.History(r.ctx, "j", limit)
		r.must(err)
		equal(r, "rows", len(rows), 0)
	}
	rows, err = r.s.History(r.ctx, "nobody", 5)
	r.must(err)
	equal(r, "rows of nobody", len(rows), 0)
}

func historyLives(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.HistoryTTL = time.Hour })
	_, _, m := started(r, "j", func(j *job.Job) { j.OnLost = job.OnLostDrop })
	_, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	equal(r, "no history yet", r.raw.number("EXISTS", r.key("history:j")), 0)
	r.expire(m.Runs[0].ID)
	equal(r, "recovered", r.recoverExpired(), 1)
	ttl := r.raw.number("TTL", r.key("history:j"))
	equal(r, "an hour", ttl > 3590 && ttl <= 3600, true)
	r.add("j")
	equal(r, "added again", r.raw.number("TTL", r.key("history:j")), -1)
	_, err = r.s.Remove(r.ctx, "op2", "j")
	r.must(err)
	equal(r, "removed again", r.raw.number("TTL", r.key("history:j")) > 3590, true)
	equal(r, "history", len(r.outcomes("j")), 1)
}

func adHoc(id string) store.Message {
	return store.Message{Attempt: 1, Grace: job.GraceNone, JobID: "@t", Executor: executor, Task: "t",
		Runs: []store.MessageRun{{ID: id, Scheduled: 1000, Due: 1000}}}
}

func historyAdHoc(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 3 })
	for p := range 3 {
		m := adHoc(unique("run"))
		_, err := r.s.Enqueue(r.ctx, p, unique("op"), "x", time.Hour, "", "", []store.Message{m})
		r.must(err)
		st := r.fetchFrom(p, executor, nodeA)
		equal(r, "verdict", verdicts(r.start(st)), []store.Verdict{store.Started})
		_, err = r.s.Finish(r.ctx, p, lease, []store.Finish{finishOf(st.Owner, m, job.Executed)})
		r.must(err)
		equal(r, "TTL", r.raw.number("TTL", r.keyIn(p, "history:@t")), -1)
	}
	rows, err := r.s.History(r.ctx, "@t", 10)
	r.must(err)
	equal(r, "rows", len(rows), 3)
	for i := range rows[1:] {
		equal(r, "newest first", rows[i].Finished.Before(rows[i+1].Finished), false)
	}
	rows, err = r.s.History(r.ctx, "@t", 2)
	r.must(err)
	equal(r, "limited", len(rows), 2)
}

func eventsOrdered(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 100 })
	var all []store.Message
	for range 20 {
		all = append(all, message(e, e.RunTime))
	}
	equal(r, "dispatch", r.dispatch(advance(e, all...)), []store.Dispatched{store.DispatchOK})
	st, replies := r.begin(nodeA, repeat(store.Started, 20)...)
	var done []store.Finish
	for _, reply := range replies {
		done = append(done, finishOf(st.Owner, reply.Message, job.Executed))
	}
	r.finish(done...)
	for _, m := range all {
		equal(r, "events", r.kinds(m.Runs[0].ID), []job.EventKind{job.JobSubmitted, job.JobStarted, job.JobExecuted})
	}
	for _, ev := range r.events() {
		if ev.RunID == all[0].Runs[0].ID {
			equal(r, "scheduled time", ev.ScheduledTime, at(e.RunTime))
			equal(r, "attempt and store", []any{ev.Attempt, ev.Store}, []any{1, r.s.Name()})
		}
	}
}

func repeat[T any](v T, n int) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = v
	}
	return all
}

func eventsCursor(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 2 })
	end, err := r.s.EventsEnd(r.ctx)
	r.must(err)
	none, same, err := r.s.Events(r.ctx, end, 0)
	r.must(err)
	equal(r, "after the end", []any{len(none), same}, []any{0, end})
	for p := range 2 {
		r.must(r.s.Note(r.ctx, p, job.Event{Kind: job.NodeJoined, Node: "n"}))
	}
	some, next, err := r.s.Events(r.ctx, end, time.Second)
	r.must(err)
	equal(r, "events", len(some), 2)
	none, _, err = r.s.Events(r.ctx, next, 0)
	r.must(err)
	equal(r, "events", len(none), 0)
	all, _, err := r.s.Events(r.ctx, nil, 0)
	r.must(err)
	equal(r, "from the beginning", len(all), 4)
}

func eventsAboutJob(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.Note(r.ctx, 0, job.Event{Kind: job.JobPaused, JobID: "j"}))
	for range 1100 { // more than one page
		r.must(r.s.Note(r.ctx, 0, job.Event{Kind: job.JobPaused, JobID: "other"}))
	}
	r.must(r.s.Note(r.ctx, 0, job.Event{Kind: job.JobAdded, JobID: "j"}))
	r.must(r.s.Note(r.ctx, 0, job.Event{Kind: job.JobResumed, JobID: "j"}))
	found, err := r.s.EventsAbout(r.ctx, "j", job.Mask(job.JobPaused, job.JobResumed))
	r.must(err)
	var kinds []job.EventKind
	for _, e := range found {
		kinds = append(kinds, e.Kind)
	}
	equal(r, "events", kinds, []job.EventKind{job.JobPaused, job.JobResumed})
}

func eventsCapped(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.EventLimit = 10 })
	for range 230 {
		r.must(r.s.Note(r.ctx, 0, job.Event{Kind: job.NodeJoined}))
	}
	if n := r.raw.number("XLEN", r.key("events")); n < 10 || n > 120 {
		t.Errorf("%d entries are kept, about 10 were asked for", n)
	}
}

// pastRows puts rows into a history, the last of which is the newest, so many hours old.
func (r *rig) pastRows(id string, ages ...int) {
	r.Helper()
	for i, age := range ages {
		row := job.Row{RunID: fmt.Sprint(i), Outcome: job.Executed, Attempt: 1, Started: at(1), Finished: time.UnixMilli(r.now()).Add(-time.Duration(age) * time.Hour)}
		r.raw.do("LPUSH", r.key("history:"+id), store.HistoryRow(row))
	}
}

func tidyForgets(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.HistoryAge, c.EventAge = 10*time.Hour, time.Hour })
	cases := []struct {
		id         string
		ages, kept []int
	}{
		{"none", []int{9, 8, 1}, []int{9, 8, 1}},
		{"some", []int{99, 50, 11, 9, 8, 7, 6, 1}, []int{9, 8, 7, 6, 1}},
		{"one", []int{11, 9}, []int{9}},
		{"all-but-the-newest", []int{50, 40, 30, 20, 11}, []int{11}},
		{"alone", []int{11}, []int{11}},
		{"@t", []int{12, 11, 9}, []int{9}},
		{"@unknown", []int{12, 11}, []int{12, 11}},
	}
	for _, c := range cases {
		if c.id[0] != '@' {
			r.add(c.id)
		}
		r.pastRows(c.id, c.ages...)
	}
	r.add("without")
	r.raw.do("DEL", r.key("events"))
	for i := range 250 {
		r.raw.do("XADD", r.key("events"), fmt.Sprintf("%d-0", 1000+i), "e", "node_joined\t\t\t\t\t\t\t")
	}
	r.must(r.s.Note(r.ctx, 0, job.Event{Kind: job.NodeLost}))
	next, forgotten, err := r.s.Tidy(r.ctx, 0, r.office, []string{"t"}, 0)
	r.must(err)
	equal(r, "next, forgotten", []int64{int64(next), forgotten}, []int64{0, 250 + 3 + 1 + 4 + 2})
	equal(r, "events", len(r.events()), 1)
	for _, c := range cases {
		rows, err := r.s.History(r.ctx, c.id, 100)
		r.must(err)
		kept := []int{}
		for _, row := range rows {
			kept = append([]int{int(time.UnixMilli(r.now()).Sub(row.Finished).Hours())}, kept...)
		}
		equal(r, c.id, kept, c.kept)
	}
	_, forgotten, err = r.s.Tidy(r.ctx, 0, r.office, []string{"t"}, next)
	r.must(err)
	equal(r, "forgotten again", forgotten, 0)
}

func tidyTurns(t *testing.T, open Open) {
	r := newRig(t, open)
	ids := make([]string, 1300) // more than a small hash holds, which comes in one piece
	for i := range ids {
		ids[i] = fmt.Sprintf("j%d", i)
	}
	r.copies(r.add("one"), ids)
	for _, id := range ids[:20] {
		r.pastRows(id, 24*100, 24*91, 24*89)
	}
	_, _, err := r.s.Tidy(r.ctx, 0, store.Office{Epoch: "e", Term: 6}, nil, 0)
	r.wantErr(err, store.ErrFenced)
	all, calls := int64(0), 0
	for cursor := uint64(0); calls == 0 || cursor != 0; calls++ {
		next, forgotten, err := r.s.Tidy(r.ctx, 0, r.office, nil, cursor)
		r.must(err)
		cursor, all = next, all+forgotten
	}
	equal(r, "forgotten", all, 40)
	if calls > 6 {
		t.Errorf("%d calls", calls)
	}
}

func noteAppends(t *testing.T, open Open) {
	r := newRig(t, open)
	want := job.Event{Kind: job.NodeLost, Store: r.s.Name(), JobID: "j", RunID: "r", ScheduledTime: at(5), Attempt: 2,
		Node: "n", Term: 9, Cause: "a b ⏎ c"}
	sent := want
	sent.Cause = "a\tb\nc"
	r.must(r.s.Note(r.ctx, 0, sent, sent))
	events := r.events()
	got := events[len(events)-2:]
	equal(r, "has a time", got[0].Time.IsZero(), false)
	got[0].Time, got[1].Time = time.Time{}, time.Time{}
	equal(r, "events", got, []job.Event{want, want})
}

func registryKnows(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 2 })
	r.must(r.s.Register(r.ctx, []string{"b", "a"}, []string{"task"}))
	r.must(r.s.Register(r.ctx, []string{"a"}, nil))
	r.must(r.s.Register(r.ctx, nil, nil))
	reg, err := r.s.Registry(r.ctx)
	r.must(err)
	equal(r, "registry", reg, store.Registry{Executors: []string{"a", "b"}, Tasks: []string{"task"}})
	r.must(reg.Knows("a", "task"))
	r.wantErr(reg.Knows("c", "task"), store.ErrUnknownExecutor)
	r.wantErr(reg.Knows("a", "other"), store.ErrUnknownTask)
	for p := range 2 {
		equal(r, "group", len(r.raw.do("XINFO", "GROUPS", r.keyIn(p, "stream:b")).([]any)), 1)
	}
	n, err := r.s.StreamLength(r.ctx, "a")
	r.must(err)
	equal(r, "length", n, 0)
}

func wakesTell(t *testing.T, open Open) {
	r := newRig(t, open)
	heard, done := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		_ = r.s.Wakes(r.ctx, func(_ int, what string) { heard <- what })
	}()
	hear := func() string {
		t.Helper()
		select {
		case what := <-heard:
			return what
		case <-r.ctx.Done():
			t.Fatal("nothing was heard")
			return ""
		}
	}
	equal(r, "first", hear(), "subscribed")
	e := r.entry("j")
	e.RunTime = 12345
	r.must(r.s.Add(r.ctx, "op", e))
	equal(r, "add", hear(), "12345")
	changed := e
	changed.RunTime = 23456
	r.must(r.s.Update(r.ctx, "op2", e, changed, job.JobModified, ""))
	equal(r, "update", hear(), "23456")
	later := r.now() + 60_000
	_, err := r.s.Submit(r.ctx, 0, store.Submission{Op: "op3", Answer: "a", At: later, Messages: []store.Message{adHoc("a")}})
	r.must(err)
	equal(r, "enqueue for later", hear(), strconv.FormatInt(later, 10))
	r.must(r.s.Pause(r.ctx, true, ""))
	equal(r, "pause", hear(), "")
	r.raw.do("DEL", r.key("paused"))
	_, _, m := started(r, "k")
	hear()
	r.must(r.s.Cancel(r.ctx, m.Runs[0].ID))
	equal(r, "cancel", hear(), "cancel")
	r.s.Close()
	<-done
}

func writableClean(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 2 })
	r.must(r.s.Writable(r.ctx, "n", []int{0, 1}))
	for p := range 2 {
		equal(r, "registry", r.raw.number("HLEN", r.keyIn(p, "registry")), 0)
	}
}
