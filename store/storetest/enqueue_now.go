package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var enqueueNowTests = []conformance{
	{"enqueue now: runs have the time of the moment", enqueueNow},
	{"enqueue now: an op once, and its first answer", enqueueNowOnce},
	{"enqueue now: submissions that meet travel together, each op once", enqueueTogether},
	{"enqueue now: forms that meet keep to themselves", enqueueForms},
	{"enqueue now: a crowd shares entries, some do not", enqueueCrowd},
}

// adHocNow is ad-hoc runs of the task t, by an op if it is not empty.
func adHocNow(r *rig, op string, ids ...string) store.AdHoc {
	sub := store.AdHoc{Form: r.s.Form(adHoc("")), Op: op}
	for _, id := range ids {
		sub.Runs = append(sub.Runs, store.AdHocRun{ID: id, Args: `{"of":"` + id + `"}`})
	}
	return sub
}

func enqueueNow(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Node = "client" })
	before := r.now()
	answer, err := r.s.EnqueueNow(r.ctx, 0, adHocNow(r, "", "a", "b"))
	r.must(err)
	equal(r, "answer", answer, "a")
	after := r.now()
	var ids []string
	for _, taken := range r.fetch(nodeA).Run {
		got, want := taken.Message, adHoc(taken.Message.Runs[0].ID)
		if s := got.Runs[0].Scheduled; s < before || s > after {
			r.Errorf("run %+v was enqueued between %d and %d", got.Runs[0], before, after)
		}
		want.Runs[0].Scheduled, want.Runs[0].Due = got.Runs[0].Scheduled, got.Runs[0].Scheduled
		want.Args = []byte(`{"of":"` + want.Runs[0].ID + `"}`)
		equal(r, "message", got, &want)
		ids = append(ids, got.Runs[0].ID)
	}
	equal(r, "runs", ids, []string{"a", "b"})
	events := r.events()
	for i, e := range events[len(events)-2:] {
		if ms := e.ScheduledTime.UnixMilli(); ms < before || ms > after {
			r.Errorf("event %+v", e)
		}
		equal(r, "event", e, job.Event{Kind: job.JobSubmitted, Store: e.Store, Time: e.Time, JobID: "@t", RunID: ids[i],
			ScheduledTime: e.ScheduledTime, Attempt: 1, Node: "client", Cause: "enqueued"})
	}
	_, err = r.s.EnqueueNow(r.ctx, 0, store.AdHoc{Form: r.s.Form(adHoc(""))})
	equal(r, "no runs are refused", err != nil, true)
}

func enqueueNowOnce(t *testing.T, open Open) {
	r := newRig(t, open)
	for _, id := range []string{"first", "second"} {
		sub := adHocNow(r, "op", id, id+"-2")
		sub.Life = time.Hour
		answer, err := r.s.EnqueueNow(r.ctx, 0, sub)
		r.must(err)
		equal(r, "answer", answer, "first")
	}
	equal(r, "places", r.places(0), map[string][]string{"first": {"stream:default"}, "first-2": {"stream:default"}})
	equal(r, "events of the second", len(r.kinds("second")), 0)
	ttl := r.raw.number("TTL", r.key("op:op"))
	equal(r, "remembered for an hour", ttl > 3500 && ttl <= 3600, true)
	_, err := r.s.EnqueueNow(r.ctx, 0, adHocNow(r, "brief", "third"))
	r.must(err)
	ttl = r.raw.number("TTL", r.key("op:brief"))
	equal(r, "remembered for ten minutes at least", ttl > 500, true)
}

func enqueueTogether(t *testing.T, open Open) {
	r := newRig(t, open)
	const callers, each = 20, 20
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				sub := adHocNow(r, "", fmt.Sprintf("lone-%d-%d", c, i))
				if i%2 == 0 { // two callers send each op
					sub.Op, sub.Runs[0].ID = fmt.Sprintf("op-%d-%d", c/2, i), fmt.Sprintf("run-%d-%d", c/2, i)
				}
				answer, err := r.s.EnqueueNow(r.ctx, 0, sub)
				if err != nil || answer != sub.Runs[0].ID {
					r.Errorf("answer %q, %v; want %q", answer, err, sub.Runs[0].ID)
				}
			}
		})
	}
	all.Wait()
	runs := map[string]int{}
	r.must(r.s.Register(r.ctx, []string{executor}, []string{"t"}))
	r.must(r.s.Each(r.ctx, 0, store.InStream, func(p store.Placed) bool { runs[p.Runs[0].ID]++; return true }))
	equal(r, "runs", len(runs), callers*each*3/4)
	for id, n := range runs {
		if n != 1 {
			r.Errorf("run %s is there %d times", id, n)
		}
	}
	calls := len(r.raw.scan(r.key("op:*"))) - callers*each/4
	if sent := callers * each; calls < 1 || calls > sent {
		r.Errorf("%d submissions took %d calls", sent, calls)
	}
}

func enqueueForms(t *testing.T, open Open) {
	r := newRig(t, open)
	var all sync.WaitGroup
	tasks := map[string]string{}
	for i := range 30 {
		m := adHoc("")
		m.Task = fmt.Sprintf("task-%d", i%3)
		m.JobID = "@" + m.Task
		form := r.s.Form(m)
		for n := range 10 {
			id := fmt.Sprintf("run-%d-%d", i, n)
			tasks[id] = m.Task
			all.Go(func() {
				sub := adHocNow(r, "", id)
				sub.Form = form
				if _, err := r.s.EnqueueNow(r.ctx, 0, sub); err != nil {
					r.Error(err)
				}
			})
		}
	}
	all.Wait()
	got := map[string]string{}
	r.must(r.s.Register(r.ctx, []string{executor}, nil))
	r.must(r.s.Each(r.ctx, 0, store.InStream, func(p store.Placed) bool {
		got[p.Runs[0].ID] = p.Task
		equal(r, "job", p.JobID, "@"+p.Task)
		equal(r, "args", string(p.Args), `{"of":"`+p.Runs[0].ID+`"}`)
		return true
	}))
	equal(r, "tasks by run", got, tasks)
}

func enqueueCrowd(t *testing.T, open Open) {
	r := newRig(t, open)
	crowd := func(n int) (ids []string) {
		for range n {
			ids = append(ids, unique("run"))
		}
		return ids
	}
	entries := func() int64 { return r.raw.number("XLEN", r.key("stream:default")) }
	for _, c := range []struct {
		name          string
		runs, entries int
	}{
		{"one", 1, 1},
		{"some", 63, 63},
		{"many", 500, 72}, // seven an entry, and three in the last
	} {
		before := entries()
		_, err := r.s.EnqueueNow(r.ctx, 0, adHocNow(r, "", crowd(c.runs)...))
		r.must(err)
		equal(r, c.name, entries()-before, int64(c.entries))
	}
	runs := map[string]bool{}
	r.must(r.s.Register(r.ctx, []string{executor}, nil))
	r.must(r.s.Each(r.ctx, 0, store.InStream, func(p store.Placed) bool { runs[p.Runs[0].ID] = true; return true }))
	equal(r, "runs", len(runs), 564)
}
