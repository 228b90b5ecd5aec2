package storetest

import (
	"strings"
	"testing"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var leaseTests = []conformance{
	{"renew: kept, lost, cancelled", renewAnswers},
	{"renew: presence decides, not expiry", renewExpired},
	{"renew: thousands in one call", renewMany},
	{"cancel: nobody runs it", cancelNobody},
	{"cancel: of a removed job's runs", cancelJob},
	{"recover: only what has expired, and sends it again as the next attempt", recoverExpired},
	{"recover: a lease renewed meanwhile is left alone", recoverAlive},
	{"recover: on_lost drop closes the run", recoverDrops},
	{"recover: after three losses a run is dead, the rest of its group goes on", recoverMaxLost},
	{"recover: a proven loss revokes leases of that boot only", recoverNode},
	{"recover: a run somebody asked to cancel is not sent again", recoverCancelled},
	{"recover: what changed since the leader looked is left alone", recoverChanged},
	{"recover: the rerun waits in line and overtakes nobody wrongly", recoverLine},
	{"recover: a lease of nothing is forgotten", recoverGhost},
	{"clamp: leases that lie too far ahead end sooner, others stay", clampShortens},
	{"audit: finds a tampered counter and mends it", auditMends},
}

func (r *rig) renew(held ...store.Held) []store.Renewal {
	r.Helper()
	answers, err := r.s.Renew(r.ctx, 0, lease, held)
	r.must(err)
	return answers
}

func renewAnswers(t *testing.T, open Open) {
	r := newRig(t, open)
	_, ownerA, a := started(r, "a")
	_, ownerB, b := started(r, "b")
	heldA, heldB := store.Held{RunID: a.Runs[0].ID, Owner: ownerA}, store.Held{RunID: b.Runs[0].ID, Owner: ownerB}
	r.raw.do("ZADD", r.key("leases"), "XX", 5, heldA.RunID, 5, heldB.RunID)
	r.must(r.s.Cancel(r.ctx, heldB.RunID))
	stranger := store.Held{RunID: heldA.RunID, Owner: ownerB}
	nobody := store.Held{RunID: "nobody", Owner: ownerA}
	before := r.now()
	equal(r, "answers", r.renew(stranger, heldA, heldB, nobody),
		[]store.Renewal{store.RenewLost, store.Renewed, store.RenewCancels, store.RenewLost})
	for _, id := range []string{heldA.RunID, heldB.RunID} {
		end := r.raw.number("ZSCORE", r.key("leases"), id)
		equal(r, "lease length", end >= before+lease.Milliseconds() && end <= r.now()+lease.Milliseconds(), true)
	}
	equal(r, "leases", r.raw.number("ZCARD", r.key("leases")), 2)
	equal(r, "by a stranger only", r.renew(stranger), []store.Renewal{store.RenewLost})
	runs, err := r.s.Running(r.ctx, 0)
	r.must(err)
	for _, run := range runs {
		equal(r, "cancelled", run.Cancelled, run.JobID == "b")
		equal(r, "node", run.Node, "node-a")
	}
}

func renewExpired(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "j")
	held := store.Held{RunID: m.Runs[0].ID, Owner: owner}
	r.expire(held.RunID)
	equal(r, "answer", r.renew(held), []store.Renewal{store.Renewed})
	equal(r, "recovered", r.recoverExpired(), 0)
	r.expire(held.RunID)
	equal(r, "recovered", r.recoverExpired(), 1)
	equal(r, "answer", r.renew(held), []store.Renewal{store.RenewLost})
	equal(r, "leases", r.raw.number("ZCARD", r.key("leases")), 0)
}

func renewMany(t *testing.T, open Open) {
	r := newRig(t, open)
	const n = 9000
	e := r.add("j", func(j *job.Job) { j.MaxInstances = n })
	held := make([]store.Held, n)
	args := []any{"HSET", r.key("running")}
	leases := []any{"ZADD", r.key("leases")}
	for i := range held {
		held[i] = store.Held{RunID: unique("run"), Owner: "o"}
		args = append(args, held[i].RunID, "o\t1\t1\tj\tdefault\t0\n"+message(e, 1, held[i].RunID).Encode())
		leases = append(leases, 5, held[i].RunID)
	}
	r.raw.do(args...)
	r.raw.do(leases...)
	for i, answer := range r.renew(held...) {
		equal(r, held[i].RunID, answer, store.Renewed)
	}
	equal(r, "expired", r.raw.number("ZCOUNT", r.key("leases"), 0, 10), 0)
}

func cancelNobody(t *testing.T, open Open) {
	r := newRig(t, open, func(c *store.Config) { c.Partitions = 2 })
	r.wantErr(r.s.Cancel(r.ctx, "nobody"), store.ErrRunNotFound)
}

func cancelJob(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "a")
	started(r, "b")
	uid, err := r.s.Remove(r.ctx, "op", "a")
	r.must(err)
	n, err := r.s.CancelJob(r.ctx, "a", uid)
	r.must(err)
	equal(r, "asked", n, 1)
	equal(r, "renewal", r.renew(store.Held{RunID: m.Runs[0].ID, Owner: owner}), []store.Renewal{store.RenewCancels})
	equal(r, "answer", r.finish(finishOf(owner, m, job.Cancelled)), []store.FinishReply{{}})
	equal(r, "history", r.outcomes("a"), []string{m.Runs[0].ID + " cancelled"})
}

func recoverExpired(t *testing.T, open Open) {
	r := newRig(t, open)
	_, _, a := started(r, "a")
	_, ownerB, b := started(r, "b")
	r.expire(a.Runs[0].ID)
	equal(r, "recovered", r.recoverExpired(), 1)
	r.wantPlace(a.Runs[0].ID, "stream:default")
	r.wantPlace(b.Runs[0].ID, "running")
	equal(r, "counters", [2]int64{r.slot("a"), r.slot("b")}, [2]int64{0, 1})
	st, replies := r.begin(nodeB, store.Started)
	got := replies[0].Message
	equal(r, "attempt, lost and failed", [3]int{got.Attempt, got.Lost, got.Failed}, [3]int{2, 1, 0})
	r.finish(finishOf(st.Owner, *got, job.Executed), finishOf(ownerB, b, job.Executed))
	equal(r, "events", r.kinds(a.Runs[0].ID),
		[]job.EventKind{job.JobSubmitted, job.JobStarted, job.JobLost, job.JobStarted, job.JobExecuted})
	equal(r, "history", r.outcomes("a"), []string{a.Runs[0].ID + " executed"})
}

func recoverAlive(t *testing.T, open Open) {
	r := newRig(t, open)
	_, owner, m := started(r, "j")
	// The leader's clock runs ahead: it takes the lease for expired, Redis does not.
	n, err := r.s.RecoverExpired(r.ctx, 0, r.office, r.now()+10*lease.Milliseconds(), 10)
	r.must(err)
	equal(r, "recovered", n, 0)
	r.wantPlace(m.Runs[0].ID, "running")
	equal(r, "answer", r.finish(finishOf(owner, m, job.Executed)), []store.FinishReply{{}})
}

func recoverDrops(t *testing.T, open Open) {
	r := newRig(t, open)
	_, _, m := started(r, "j", func(j *job.Job) { j.OnLost = job.OnLostDrop })
	id := m.Runs[0].ID
	r.expire(id)
	equal(r, "recovered", r.recoverExpired(), 1)
	equal(r, "history", r.outcomes("j"), []string{id + " lost"})
	equal(r, "places", r.places(0), map[string][]string{})
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
	equal(r, "dead", r.raw.number("LLEN", r.key("dead")), 1)
	rows, err := r.s.History(r.ctx, "j", 1)
	r.must(err)
	equal(r, "node", rows[0].Node, "node-a")
}

func recoverMaxLost(t *testing.T, open Open) {
	r := newRig(t, open)
	e := r.add("j")
	r.send(message(e, r.now(), "a", "b"))
	for loss := range store.MaxLost {
		_, replies := r.begin(nodeA, store.Started)
		equal(r, "attempt", replies[0].Message.Attempt, loss+1)
		r.expire("a")
		equal(r, "recovered", r.recoverExpired(), 1)
	}
	equal(r, "history", r.outcomes("j"), []string{"a lost"})
	rows, err := r.s.History(r.ctx, "j", 1)
	r.must(err)
	equal(r, "cause", strings.Contains(rows[0].Cause, "max_lost"), true)
	equal(r, "attempt of the row", rows[0].Attempt, store.MaxLost)
	st, replies := r.begin(nodeB, store.Started)
	m := replies[0].Message
	equal(r, "what goes on", []any{m.Runs[0].ID, len(m.Runs), m.Attempt, m.Lost}, []any{"b", 1, 1, 0})
	r.finish(finishOf(st.Owner, *m, job.Executed))
	equal(r, "history", r.outcomes("j"), []string{"a lost", "b executed"})
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
}

func recoverNode(t *testing.T, open Open) {
	r := newRig(t, open)
	lost := map[string]string{}
	for _, consumer := range []string{nodeA, nodeB, nodeA + "0", "node-a/boot-2"} {
		e := r.add(unique("job"))
		m := message(e, r.now())
		r.send(m)
		r.begin(consumer, store.Started)
		lost[consumer] = m.Runs[0].ID
	}
	suspects, err := r.s.Suspects(r.ctx, 0, nodeA)
	r.must(err)
	n, err := r.s.RecoverSuspects(r.ctx, 0, r.office, suspects)
	r.must(err)
	equal(r, "recovered", n, 1)
	for consumer, id := range lost {
		want := "running"
		if consumer == nodeA {
			want = "stream:default"
		}
		r.wantPlace(id, want)
	}
	equal(r, "leases", r.raw.number("ZCARD", r.key("leases")), 3)
}

func recoverCancelled(t *testing.T, open Open) {
	r := newRig(t, open)
	_, _, m := started(r, "j")
	id := m.Runs[0].ID
	r.must(r.s.Cancel(r.ctx, id))
	r.expire(id)
	equal(r, "recovered", r.recoverExpired(), 1)
	r.wantPlace(id)
	equal(r, "history", r.outcomes("j"), []string{id + " cancelled"})
	equal(r, "counters", r.raw.scan(r.key("slots:*")), nil)
}

func recoverChanged(t *testing.T, open Open) {
	cases := []struct {
		name   string
		change func(r *rig, id string)
	}{
		{"another owner has it", func(r *rig, id string) {
			value := r.raw.text("HGET", r.key("running"), id)
			r.raw.do("HSET", r.key("running"), id, "node-b/boot-1/x"+value[strings.IndexByte(value, '\t'):])
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var p *proxy
			r := newRig(t, open, lossy(t, &p))
			_, _, m := started(r, "j")
			id := m.Runs[0].ID
			r.expire(id)
			p.before(func() { c.change(r, id) })
			equal(r, "recovered", r.recoverExpired(), 0)
			r.wantPlace(id, "running")
			equal(r, "counter", r.slot("j"), 1)
		})
	}
}

func recoverLine(t *testing.T, open Open) {
	r := newRig(t, open)
	_, st := lined(r, nil, "a", "b")
	r.expire("first")
	equal(r, "recovered", r.recoverExpired(), 1)
	got, err := r.s.Fetch(r.ctx, 0, executor, nodeB, 10, 0)
	r.must(err)
	equal(r, "the run and a nudge", len(got), 2)
	again := r.startOf(store.Consumer{Executor: executor, Name: nodeB}, got[:1])
	equal(r, "the rerun", verdicts(r.start(again)), []store.Verdict{store.StartWaiting})
	reply := r.next(store.Consumer{Executor: executor, Name: nodeB}, "o", got[1].ID, "j")
	equal(r, "first by due time", reply.Message.Runs[0].ID, "first")
	equal(r, "late result", r.finish(finishOf(st.Owner, *st.Run[0].Message, job.Executed)), []store.FinishReply{{Refused: true}})
	equal(r, "counter", r.slot("j"), 1)
}

func recoverGhost(t *testing.T, open Open) {
	r := newRig(t, open)
	r.raw.do("ZADD", r.key("leases"), 5, "ghost")
	equal(r, "recovered", r.recoverExpired(), 0)
	equal(r, "leases", r.raw.number("ZCARD", r.key("leases")), 0)
}

func auditMends(t *testing.T, open Open) {
	r := newRig(t, open)
	started(r, "a")
	started(r, "b")
	started(r, "fine")
	mended, err := r.s.Audit(r.ctx, 0, r.office)
	r.must(err)
	equal(r, "mended", len(mended), 0)
	r.raw.do("SET", r.key("slots:a"), 5)
	r.raw.do("DEL", r.key("slots:b"))
	r.raw.do("SET", r.key("slots:ghost"), 2)
	mended, err = r.s.Audit(r.ctx, 0, r.office)
	r.must(err)
	equal(r, "mended", len(mended), 3)
	equal(r, "counters", [3]int64{r.slot("a"), r.slot("b"), r.slot("fine")}, [3]int64{1, 1, 1})
	equal(r, "ghost", r.raw.number("EXISTS", r.key("slots:ghost")), 0)
	mended, err = r.s.Audit(r.ctx, 0, r.office)
	r.must(err)
	equal(r, "mended again", len(mended), 0)
}

func clampShortens(t *testing.T, open Open) {
	r := newRig(t, open)
	const many, hour = 2500, int64(3_600_000)
	before := r.now()
	leases := []any{"ZADD", r.key("leases"), before + 10_000, "near", before - hour, "ended"}
	for range many {
		leases = append(leases, before+hour, unique("ahead"))
	}
	r.raw.do(leases...)
	n, err := r.s.ClampLeases(r.ctx, 0, r.office, lease)
	r.must(err)
	equal(r, "shortened", n, many)
	equal(r, "near", r.raw.number("ZSCORE", r.key("leases"), "near"), before+10_000)
	equal(r, "ended", r.raw.number("ZSCORE", r.key("leases"), "ended"), before-hour)
	equal(r, "clamped", r.raw.number("ZCOUNT", r.key("leases"), before+lease.Milliseconds(), r.now()+lease.Milliseconds()), many)
	n, err = r.s.ClampLeases(r.ctx, 0, r.office, lease)
	r.must(err)
	equal(r, "shortened again", n, 0)
}
