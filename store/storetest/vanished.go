package storetest

import (
	"bytes"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// A run may leave its place between two reads of a leader or a node, because a client cancels it or a node ends
// it. It is gone then, and no fault: nothing is logged, nothing is added to the dead runs, and its neighbours go on.
var vanishedTests = []conformance{
	{"vanished: a delayed run that is cancelled between two reads", vanishedDelayed},
	{"vanished: a run in line that is cancelled between two reads", vanishedInLine},
	{"vanished: a run that ends while it is laid aside", vanishedRunning},
}

// witness is a rig behind a proxy that keeps the warnings and errors of the log.
type witness struct {
	*rig
	p   *proxy
	log bytes.Buffer
}

func newWitness(t *testing.T, open Open) *witness {
	w := &witness{}
	w.rig = newRig(t, open, lossy(t, &w.p), func(c *store.Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &w.log, Level: hclog.Warn})
	})
	w.log.Reset()
	return w
}

// sawNothing fails if a run was reported or became dead.
func (w *witness) sawNothing() {
	w.Helper()
	equal(w.rig, "log", w.log.String(), "")
	equal(w.rig, "dead", w.raw.number("LLEN", w.key("dead")), 0)
}

// vanishedDelayed is PromoteDelayed when a cancel comes after the members were read: their texts are missing at the
// second read, and the members too when the script looks.
func vanishedDelayed(t *testing.T, open Open) {
	w := newWitness(t, open)
	r := w.rig
	e := r.add("j")
	m := message(e, r.now()-2000, "stays")
	r.raw.do("ZADD", r.key("delayed"), 0, "cancelled", 1, "stays")
	r.raw.do("HSET", r.key("delayed_runs"), "stays", m.Encode())
	w.p.before(func() { r.raw.do("ZREM", r.key("delayed"), "cancelled") })
	n, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now()+1000, 10)
	r.must(err)
	equal(r, "promoted", n, 1)
	r.wantPlace("stays", "stream:default")
	w.sawNothing()
}

func vanishedInLine(t *testing.T, open Open) {
	w := newWitness(t, open)
	r := w.rig
	_, st := lined(r, nil, "a", "b")
	r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed))
	nudge := r.fetchNudges(nodeA)[0]
	r.raw.do("HDEL", r.key("waiting_runs:j"), "a")
	w.p.before(func() { r.raw.do("ZREM", r.key("waiting:j"), "a") })
	reply := r.next(st.Consumer, "o", nudge[0], nudge[1])
	equal(r, "verdict", reply.Verdict, store.Started)
	equal(r, "run", reply.Message.Runs[0].ID, "b")
	w.sawNothing()
}

func vanishedRunning(t *testing.T, open Open) {
	w := newWitness(t, open)
	r := w.rig
	r.raw.do("ZADD", r.key("leases"), 1, "ended")
	r.raw.do("HSET", r.key("running"), "ended", "of an unknown form")
	w.p.before(func() {
		r.raw.do("ZREM", r.key("leases"), "ended")
		r.raw.do("HDEL", r.key("running"), "ended")
	})
	equal(r, "recovered", r.recoverExpired(), 0)
	w.sawNothing()
}
