package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// What is done in several scripts is finished by a repeat, or by the leader's sweep, when the first caller is gone
// after one of them. An entry of the event log stays within its bounds.
var stepTests = []conformance{
	{"remove: a repeat of the op clears the line that the first left", removeGoesOn},
	{"replace: Sweep asks the run to end when the node was gone before it asked", replaceGoesOn},
	{"events: an entry holds at most 64 events and 8 KiB, or one longer event", entriesBounded},
}

func removeGoesOn(t *testing.T, open Open) {
	r := newRig(t, open)
	e, _ := lined(r, nil, "a", "b")
	uid, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	equal(r, "uid", uid, e.UID)
	equal(r, "in line", r.raw.number("ZCARD", r.key("waiting:j")), 0)
	m := message(e, r.now(), "left") // as if the client had gone before its first clear_line
	r.raw.do("ZADD", r.key("waiting:j"), 1, "left")
	r.raw.do("HSET", r.key("waiting_runs:j"), "left", m.Encode())
	r.raw.do("SADD", r.key("waiting"), "j")
	again, err := r.s.Remove(r.ctx, "op", "j")
	r.must(err)
	equal(r, "uid of the repeat", again, uid)
	equal(r, "in line", r.raw.number("EXISTS", r.key("waiting:j"), r.key("waiting_runs:j")), 0)
	equal(r, "lines", r.raw.number("SISMEMBER", r.key("waiting"), "j"), 0)
	if all := strings.Join(r.outcomes("j"), ","); !strings.Contains(all, "left cancelled") {
		t.Errorf("outcomes: %s", all)
	}
}

func replaceGoesOn(t *testing.T, open Open) {
	r := newRig(t, open)
	replacing := func(j *job.Job) { j.Overlap = job.OverlapReplace }
	e := r.add("j", replacing)
	r.send(message(e, r.now(), "holder"))
	st, _ := r.begin(nodeA, store.Started)
	for i, id := range []string{"old", "new"} {
		m := message(e, r.now(), id)
		r.raw.do("ZADD", r.key("waiting:j"), i, id)
		r.raw.do("HSET", r.key("waiting_runs:j"), id, m.Encode())
		r.raw.do("SADD", r.key("waiting"), "j")
	}
	for range 2 {
		r.must(r.s.Sweep(r.ctx, 0))
		equal(r, "in line", r.raw.texts("ZRANGE", r.key("waiting:j"), 0, -1), []string{"new"})
		held := []store.Held{{RunID: "holder", Owner: st.Owner}}
		renewals, err := r.s.Renew(r.ctx, 0, lease, held)
		r.must(err)
		equal(r, "renewal", renewals, []store.Renewal{store.RenewCancels})
	}
	equal(r, "outcomes", r.outcomes("j"), []string{"old max_instances"})
}

func entriesBounded(t *testing.T, open Open) {
	r := newRig(t, open)
	for _, length := range []int{1, 300, 20_000} {
		var events []job.Event
		for i := range 200 {
			events = append(events, job.Event{Kind: job.JobError, JobID: fmt.Sprint("j", i), Cause: strings.Repeat("x", length)})
		}
		r.must(r.s.Note(r.ctx, 0, events...))
	}
	for _, entry := range r.raw.do("XRANGE", r.key("events"), "-", "+").([]any) {
		text := entry.([]any)[1].([]any)[1].(string)
		if n := strings.Count(text, "\n") + 1; n > 64 || (n > 1 && len(text) > 8<<10) {
			t.Errorf("an entry holds %d events in %d bytes", n, len(text))
		}
	}
	equal(r, "events", len(r.events()) >= 600, true)
}
