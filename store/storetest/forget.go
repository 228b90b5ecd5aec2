package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var forgetTests = []conformance{
	{"forget: a uid stays while a message refers to it, wherever that is", forgetKeeps},
	{"forget: every move in the middle of a pass keeps the uid", forgetMoved},
	{"forget: lines and other jobs hold nothing back", forgetPastLines},
	{"forget: what cannot be read keeps at most what it names", forgetUnreadable},
	{"forget: a stream of an executor that is not registered counts", forgetUnregistered},
	{"forget: what only dead refers to moves to removed_dead, and goes with it", forgetDead},
	{"forget: a clock that is set back forgets nothing that was removed in the pass", forgetClock},
	{"forget: another leader goes on with the pass, an older one does not", forgetHandedOn},
	{"forget: a thousand uids a step", forgetMany},
	{"forget: a page of large messages is not read at once", forgetBytes},
	{"forget: a cancelled run of a message of several of a removed job leaves nothing in its place", forgetWithdrawn},
	{"forget: random moves, no uid goes before its last message", forgetRandom},
	{"chores: their time and cursor are kept for the next leader, garbage counts as none", choresKept},
}

// forget makes the steps of a pass with other things between them, and returns how many uids it forgot.
func (r *rig) forgetWith(f *store.Forgetting, between func(step int)) int {
	r.Helper()
	n := 0
	for i := range 10_000 {
		step, err := f.Step(r.ctx, r.office)
		r.must(err)
		n += step.Forgotten
		if step.Done {
			return n
		}
		between(i)
	}
	r.Fatal("the pass does not end")
	return n
}

func (r *rig) forget() int {
	r.Helper()
	return r.forgetWith(r.s.Forgetting(0, 0), func(int) {})
}

func (r *rig) remove(e store.Entry) {
	r.Helper()
	_, err := r.s.Remove(r.ctx, unique("op"), e.Job.ID)
	r.must(err)
}

// kept are how many uids stand in removed.
func (r *rig) kept() int64 { return r.raw.number("ZCARD", r.key("removed")) }

func (r *rig) keeps(e store.Entry) bool { return r.raw.text("ZSCORE", r.key("removed"), e.UID) != "" }

// placings put a message of e, of the runs "one" and "two", in one place each.
var placings = []struct {
	name string
	put  func(r *rig, e store.Entry)
}{
	{"stream", func(r *rig, e store.Entry) { r.send(message(e, r.now(), "one", "two")) }},
	{"pending", func(r *rig, e store.Entry) {
		r.send(message(e, r.now(), "one", "two"))
		r.fetch(nodeA)
	}},
	{"running", func(r *rig, e store.Entry) {
		r.send(message(e, r.now(), "one", "two"))
		r.begin(nodeA, store.Started)
	}},
	{"delayed", func(r *rig, e store.Entry) {
		m := message(e, r.now(), "one", "two")
		r.send(m)
		st := r.fetch(nodeA)
		r.must(r.s.Postpone(r.ctx, st.Consumer, st.Entries[0], 0, []store.Message{m}, nil))
	}},
	{"line", func(r *rig, e store.Entry) {
		// Another job has the key in common; remove looks into the line of the job's own key only.
		r.raw.do("SADD", r.key("waiting"), "elsewhere")
		r.raw.do("ZADD", r.key("waiting:elsewhere"), 1, "one")
		r.raw.do("HSET", r.key("waiting_runs:elsewhere"), "one", message(e, r.now(), "one", "two").Encode())
	}},
}

func forgetKeeps(t *testing.T, open Open) {
	for _, c := range placings {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, open)
			e, gone := r.add("j"), r.add("gone")
			c.put(r, e)
			r.remove(e)
			r.remove(gone)
			for range 3 {
				r.forget()
				equal(r, "kept", r.keeps(e), true)
			}
			equal(r, "the other is forgotten", r.kept(), 1)
			r.raw.do("DEL", r.key("stream:default"), r.key("running"), r.key("leases"), r.key("delayed"), r.key("delayed_runs"),
				r.key("waiting"), r.key("waiting:elsewhere"), r.key("waiting_runs:elsewhere"))
			equal(r, "forgotten", r.forget(), 1)
			equal(r, "kept", r.kept(), 0)
			equal(r, "idle keys", r.raw.scan(r.key("removed*")), nil)
		})
	}
}

// forgetMoved moves a message behind the back of the pass: before each of its steps in turn, so that it has
// looked through none, some or all of the places.
func forgetMoved(t *testing.T, open Open) {
	moves := []struct {
		name string
		put  string
		move func(r *rig, st store.Start)
	}{
		{"given back", "stream", func(r *rig, st store.Start) {
			st.Return, st.Run = st.Run, nil
			r.start(st)
		}},
		{"handed back", "stream", func(r *rig, st store.Start) { r.must(r.s.HandBack(r.ctx, st.Consumer, st.Entries)) }},
		{"reclaimed", "stream", func(r *rig, _ store.Start) { r.reclaim(nodeA, 0, false) }},
		{"postponed", "stream", func(r *rig, st store.Start) {
			r.must(r.s.Postpone(r.ctx, st.Consumer, st.Entries[0], time.Hour, []store.Message{*st.Run[0].Message}, nil))
		}},
		{"cancelled in the stream", "stream", func(r *rig, _ store.Start) { r.must(r.s.Cancel(r.ctx, "two")) }},
		{"recovered", "running", func(r *rig, _ store.Start) {
			r.expire("one")
			equal(r, "recovered", r.recoverExpired(), 1)
		}},
	}
	for _, c := range moves {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for at := range 12 {
				r := newRig(t, open)
				r.must(r.s.Register(r.ctx, []string{executor}, nil))
				e := r.add("j")
				r.send(message(e, r.now(), "one", "two"))
				st := r.fetch(nodeA)
				if c.put == "running" {
					r.start(st)
				}
				r.send(message(r.add("other"), r.now()))
				r.remove(e)
				r.forgetWith(r.s.Forgetting(0, 1), func(step int) {
					if step == at {
						c.move(r, st)
					}
				})
				if places := r.places(0); len(places["one"]) == 1 {
					equal(r, fmt.Sprintf("kept, moved after step %d, to %v", at, places["one"]), r.keeps(e), true)
				}
			}
		})
	}
}

func forgetPastLines(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("queue", func(j *job.Job) { j.Overlap = job.OverlapQueue })
	r.send(message(e, r.now()), message(e, r.now()), message(e, r.now()))
	r.begin(nodeA, store.Started, store.StartWaiting, store.StartWaiting)
	for i := range 50 {
		r.send(message(e, r.now()))
		r.remove(r.add(fmt.Sprint("gone-", i)))
	}
	equal(r, "in line", r.raw.number("SCARD", r.key("waiting")), 1)
	equal(r, "forgotten", r.forget(), 50)
}

func forgetUnreadable(t *testing.T, open Open) {
	r := newRig(t, open)
	named, newer, gone := r.add("named"), r.add("newer"), r.add("gone")
	for _, e := range []store.Entry{named, newer, gone} {
		r.remove(e)
	}
	broken := strings.Replace(message(named, r.now()).Encode(), "\t1\t", "\tx\t", 1)
	for i, garbage := range []string{broken, "", "what is this", "1\t", "N\t", "\x00\xff", fmt.Sprintf(`2 {"job":{"uid":%q}}`, newer.UID)} {
		r.raw.do("XADD", r.key("stream:default"), "*", "m", garbage)
		r.raw.do("HSET", r.key("running"), fmt.Sprint("garbage-", i), "head\n"+garbage)
		r.raw.do("HSET", r.key("running"), fmt.Sprint("headless-", i), garbage)
		r.raw.do("HSET", r.key("delayed_runs"), fmt.Sprint("garbage-", i), garbage)
		r.raw.do("HSET", r.key("waiting_runs:x"), fmt.Sprint("garbage-", i), garbage)
		r.raw.do("LPUSH", r.key("dead"), garbage)
	}
	r.raw.do("SET", r.key("stream:none"), "not a stream")
	r.raw.do("SET", r.key("waiting_runs:none"), "not a hash")
	r.raw.do("HSET", r.key("housekeeping"), "forget", "garbage")
	equal(r, "forgotten", r.forget(), 1)
	equal(r, "the readable part names it", r.keeps(named), true)
	equal(r, "a newer format names it", r.keeps(newer), true)
	r.raw.do("DEL", r.key("stream:none"), r.key("waiting_runs:none"))
}

func forgetUnregistered(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.Executor = "unknown" })
	r.send(message(e, r.now()))
	r.remove(e)
	r.forget()
	equal(r, "kept", r.keeps(e), true)
}

// fail has a run of e fail for good.
func (r *rig) fail(e store.Entry, run string) {
	r.Helper()
	r.send(message(e, r.now(), run))
	st, replies := r.begin(nodeA, store.Started)
	r.finish(finishOf(st.Owner, *replies[0].Message, job.Failed))
}

func forgetDead(t *testing.T, open Open) {
	r := newRig(t, open)
	e, alive := r.add("j"), r.add("alive")
	r.fail(alive, "of the living")
	r.fail(e, "dead")
	r.remove(e)
	equal(r, "forgotten", r.forget(), 1)
	equal(r, "removed", r.kept(), 0)
	equal(r, "removed_dead", r.raw.texts("SMEMBERS", r.key("removed_dead")), []string{e.UID})
	d, err := r.s.FindDead(r.ctx, "dead")
	r.must(err)
	for range 2 {
		r.wantErr(r.s.Retry(r.ctx, unique("op"), d, message(e, r.now(), "again")), store.ErrJobNotFound)
		r.forget()
	}
	r.add("j")
	r.wantErr(r.s.Retry(r.ctx, unique("op"), d, message(e, r.now(), "again")), store.ErrJobNotFound)
	r.raw.do("LTRIM", r.key("dead"), 1, -1)
	r.forget()
	equal(r, "removed_dead", r.raw.text("EXISTS", r.key("removed_dead")), "0")
	d, err = r.s.FindDead(r.ctx, "of the living")
	r.must(err)
	r.must(r.s.Retry(r.ctx, unique("op"), d, message(alive, r.now(), "retried")))
}

func forgetClock(t *testing.T, open Open) {
	r := newRig(t, open)
	e, during := r.add("j"), r.add("during")
	r.send(message(during, r.now(), "one"))
	r.remove(e)
	n := r.forgetWith(r.s.Forgetting(0, 0), func(step int) {
		if step == 4 {
			r.remove(during)
			r.raw.do("ZADD", r.key("removed"), "XX", r.now()-3_600_000, during.UID) // as a clock set back would have it
		}
	})
	equal(r, "forgotten", n, 1)
	equal(r, "kept", r.keeps(during), true)
	equal(r, "forgotten by the next", r.forget(), 0)
	r.begin(nodeA, store.StartRemoved)
	equal(r, "forgotten at last", r.forget(), 1)
}

func forgetHandedOn(t *testing.T, open Open) {
	r := newRig(t, open)
	for i := range 10 {
		e := r.add(fmt.Sprint("j-", i))
		if i%2 == 0 {
			r.send(message(e, r.now()))
		}
		r.remove(e)
	}
	n, steps := 0, 0
	for done := false; !done; steps++ {
		f := r.s.Forgetting(0, 2) // a leader that makes one step
		step, err := f.Step(r.ctx, r.office)
		r.must(err)
		n, done = n+step.Forgotten, step.Done
		c, err := r.s.Chores(r.ctx, 0)
		r.must(err)
		equal(r, "under way", c.Forgetting, !done)
		r.office.Term++
		r.must(r.s.TakeOffice(r.ctx, 0, r.office))
		_, err = f.Step(r.ctx, store.Office{Epoch: "e", Term: 7})
		r.wantErr(err, store.ErrFenced)
	}
	equal(r, "forgotten", n, 5)
	equal(r, "kept", r.kept(), 5)
	if steps < 10 {
		r.Errorf("the pass had %d steps", steps)
	}
}

func forgetMany(t *testing.T, open Open) {
	r := newRig(t, open)
	args := []any{"ZADD", r.key("removed")}
	for i := range 2500 {
		args = append(args, r.now(), fmt.Sprint("uid-of-many-", i))
	}
	r.raw.do(args...)
	var steps []int64
	n := r.forgetWith(r.s.Forgetting(0, 0), func(int) { steps = append(steps, r.kept()) })
	equal(r, "forgotten", n, 2500)
	for i := 1; i < len(steps); i++ {
		if steps[i-1]-steps[i] > 1000 {
			r.Errorf("a step forgot %d", steps[i-1]-steps[i])
		}
	}
	if len(steps) > 15 {
		r.Errorf("2,500 uids took %d steps", len(steps))
	}
}

func forgetBytes(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j", func(j *job.Job) { j.Args = json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`) })
	for range 40 {
		r.send(message(e, r.now()))
	}
	r.remove(e)
	steps := 0
	r.forgetWith(r.s.Forgetting(0, 20), func(int) { steps++ })
	equal(r, "kept", r.keeps(e), true)
	if steps < 10 { // 20 entries are 2 MB, of which one read shall return a quarter
		r.Errorf("4 MB were read in %d steps", steps)
	}
}

func forgetWithdrawn(t *testing.T, open Open) {
	for _, c := range placings {
		if c.name == "running" || c.name == "line" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, open)
			r.must(r.s.Register(r.ctx, []string{executor}, nil))
			e := r.add("j")
			c.put(r, e)
			r.remove(e)
			r.must(r.s.Cancel(r.ctx, "one"))
			equal(r, "places", r.places(0), map[string][]string{})
			equal(r, "history", r.outcomes("j"), []string{"one cancelled", "two cancelled"})
			r.forget()
			equal(r, "kept", r.keeps(e), false)
		})
	}
}

func choresKept(t *testing.T, open Open) {
	r := newRig(t, open)
	c, err := r.s.Chores(r.ctx, 0)
	r.must(err)
	equal(r, "at first", c, store.Chores{Now: c.Now})
	r.must(r.s.NoteChores(r.ctx, 0, r.office, 1234, 1<<63+5))
	r.wantErr(r.s.NoteChores(r.ctx, 0, store.Office{Epoch: "e", Term: 6}, 9, 9), store.ErrFenced)
	c, err = r.s.Chores(r.ctx, 0)
	r.must(err)
	equal(r, "last", c.Last, 1234)
	equal(r, "cursor", c.Tidied, 1<<63+5)
	r.raw.do("HSET", r.key("housekeeping"), "chores", "soon", "tidied", "-1", "forget", "1\t2")
	c, err = r.s.Chores(r.ctx, 0)
	r.must(err)
	equal(r, "garbage", c, store.Chores{Now: c.Now})
}
