package storetest

import (
	"strings"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var nextLostTests = []conformance{
	{"next: asked again by the same owner after all answers were lost, it tells what it started", nextAskedAgain},
	{"next: a call that comes after the nudge was answered starts nothing", nextTooLate},
	{"next: what was withdrawn from the head of the line meanwhile does not run", nextWithdrawn},
}

// freed is a line of two messages whose slot is free, and the nudge that nodeA has fetched.
func freed(r *rig, runs ...string) (store.Consumer, [2]string) {
	r.Helper()
	e, st := lined(r, func(j *job.Job) { j.OnLost = job.OnLostDrop })
	for i, run := range runs {
		ids := strings.Split(run, "+")
		r.send(message(e, r.now()+int64(10*i), ids...))
		r.begin(nodeA, store.StartWaiting)
	}
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	return st.Consumer, r.fetchNudges(nodeA)[0]
}

func nextAskedAgain(t *testing.T, open Open) {
	var p *proxy
	r := newRig(t, open, lossy(t, &p))
	c, nudge := freed(r, "a+b", "c")
	p.lose(5) // as often as a call is sent
	_, err := r.s.StartNext(r.ctx, c, "o", lease, nudge[0], nudge[1])
	if err == nil {
		t.Fatal("the answer was not lost")
	}
	equal(r, "replies still to be lost", p.left(), 0)
	equal(r, "what is first in line by now", r.raw.texts("ZRANGE", r.key("waiting:j"), 0, -1), []string{"c"})
	for range 2 { // the second asks anew: nothing is left to do for this nudge
		reply := r.next(c, "o", nudge[0], nudge[1])
		if reply.Verdict == store.StartGone {
			break
		}
		equal(r, "verdict", reply.Verdict, store.Started)
		equal(r, "run", reply.Message.Runs[0].ID, "a")
		equal(r, "runs", len(reply.Message.Runs), 2)
	}
	equal(r, "places", r.places(0), map[string][]string{"a": {"running"}, "b": {"running"}, "c": {"waiting:j"}})
	equal(r, "counter", r.slot("j"), 1)
}

func nextTooLate(t *testing.T, open Open) {
	r := newRig(t, open)
	c, nudge := freed(r, "a", "b")
	reply := r.next(c, "o", nudge[0], nudge[1])
	equal(r, "run", reply.Message.Runs[0].ID, "a")
	r.finish(finishOf("o", *reply.Message, job.Executed))
	equal(r, "late", r.next(c, "o", nudge[0], nudge[1]).Verdict, store.StartGone)
	other := store.Consumer{Executor: executor, Name: nodeB}
	second := r.fetchNudges(nodeA)[0]
	equal(r, "of a stranger", r.next(other, "p", second[0], second[1]).Verdict, store.StartGone)
	r.wantPlace("b", "waiting:j")
	equal(r, "counter", r.slot("j"), 0)
	equal(r, "its own", r.next(c, "q", second[0], second[1]).Verdict, store.Started)
}

func nextWithdrawn(t *testing.T, open Open) {
	var p *proxy
	r := newRig(t, open, lossy(t, &p))
	c, nudge := freed(r, "a+b+c")
	p.before(func() {
		m, err := store.DecodeMessage(r.raw.text("HGET", r.key("waiting_runs:j"), "a"))
		r.must(err)
		m.Runs = append(m.Runs[:1:1], m.Runs[2])
		r.raw.do("HSET", r.key("waiting_runs:j"), "a", m.Encode())
	})
	reply := r.next(c, "o", nudge[0], nudge[1])
	var ids []string
	for _, run := range reply.Message.Runs {
		ids = append(ids, run.ID)
	}
	equal(r, "runs", ids, []string{"a", "c"})
}
