package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var modelTests = []conformance{
	{"model: random calls, each run in exactly one place", func(t *testing.T, open Open) {
		for range 2 {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				t.Parallel()
				newModel(t, open, seed).walk(200)
			})
		}
	}},
}

// modelBudget ends a walk early where calls are slow; what was walked is judged all the same.
const modelBudget = 2 * time.Second

// attempt is a run that a consumer believes it has.
type attempt struct {
	owner string
	m     store.Message
}

// model makes random calls as a leader, clients and three nodes would, many of them twice, some of
// them too late, and checks after each what must always hold.
type model struct {
	*rig
	rnd     *rand.Rand
	jobs    map[string]store.Entry
	nodes   []string
	fetched []store.Start
	held    []attempt
	sent    map[string]string // run id -> job id
	slots   []string
}

func newModel(t *testing.T, open Open, seed uint64) *model {
	m := &model{
		rig: newRig(t, open, func(c *store.Config) { c.HistoryLimit = 100_000 }), rnd: rand.New(rand.NewPCG(seed, 0)),
		jobs: map[string]store.Entry{}, nodes: []string{nodeA, nodeB, "node-c/boot-1"}, sent: map[string]string{},
		slots: []string{"skip", "k", "drop", "wide"},
	}
	for _, id := range []string{"skip", "queue", "shared", "drop", "wide"} {
		m.addJob(id)
	}
	return m
}

func (m *model) addJob(id string) {
	m.jobs[id] = m.add(id, func(j *job.Job) {
		switch id {
		case "queue", "shared":
			j.Key, j.Overlap = "k", job.OverlapQueue
		case "drop":
			j.OnLost, j.Overlap = job.OnLostDrop, job.OverlapQueue
		case "wide":
			j.MaxInstances, j.MisfireGraceTime, j.Overlap = 3, job.Grace(time.Hour), job.OverlapQueue
		}
	})
}

func (m *model) walk(steps int) {
	actions := []func(){
		m.doDispatch, m.doDispatch, m.doDispatch, m.doFetch, m.doFetch, m.doStart, m.doStart, m.doFinish, m.doFinish,
		m.doRenew, m.doRecover, m.doRemove, m.doPromote, m.doReclaim, m.doSweep, m.doRecoverNode, m.doCancel,
	}
	budget, cancel := context.WithTimeout(m.ctx, modelBudget)
	defer cancel()
	for n := 0; n < steps && budget.Err() == nil; n++ {
		actions[m.rnd.IntN(len(actions))]()
		m.check()
	}
	m.drain()
}

// often is true in one of n cases.
func (m *model) often(n int) bool { return m.rnd.IntN(n) == 0 }

// pick takes a random element, out of the list save in one of three cases: it comes again then.
func pick[T any](m *model, from *[]T) (T, bool) {
	var zero T
	if len(*from) == 0 {
		return zero, false
	}
	i := m.rnd.IntN(len(*from))
	v := (*from)[i]
	if !m.often(3) {
		*from = slices.Delete(*from, i, i+1)
	}
	return v, true
}

func (m *model) doDispatch() {
	ids := slices.Sorted(maps.Keys(m.jobs))
	id := ids[m.rnd.IntN(len(ids))]
	e, err := m.s.Get(m.ctx, id)
	m.must(err)
	m.raw.do("ZADD", m.key("run_times"), "XX", m.now(), id) // it is always due
	var runs []string
	for range 1 + m.rnd.IntN(3) {
		runs = append(runs, unique("run"))
	}
	due := m.now()
	if e.Job.ID == "wide" && m.often(2) {
		due -= 2 * time.Hour.Milliseconds()
	}
	d := advance(e, message(e, due, runs...))
	d.Latest = 0
	for i, want := range []store.Dispatched{store.DispatchOK, store.DispatchStale}[:1+m.rnd.IntN(2)] {
		equal(m.rig, fmt.Sprint("dispatch ", i), m.dispatch(d), []store.Dispatched{want})
	}
	for _, run := range runs {
		m.sent[run] = id
	}
}

func (m *model) doFetch() {
	c := store.Consumer{Executor: executor, Name: m.nodes[m.rnd.IntN(len(m.nodes))]}
	m.take(c, 1+m.rnd.IntN(4))
}

// take fetches for a consumer, answers the nudges and keeps the rest.
func (m *model) take(c store.Consumer, count int) {
	got, err := m.s.Fetch(m.ctx, 0, executor, c.Name, count, 0)
	m.must(err)
	if m.often(4) {
		got, err = m.s.FetchPending(m.ctx, 0, executor, c.Name, 100)
		m.must(err)
	}
	var runs []store.Fetched
	for _, f := range got {
		slot, ok := store.SlotOfNudge(f.Bodies[0])
		if !ok {
			runs = append(runs, f)
			continue
		}
		owner := c.Name + "/" + unique("nonce")
		if reply := m.next(c, owner, f.ID, slot); reply.Verdict == store.Started {
			m.held = append(m.held, attempt{owner, *reply.Message})
		}
	}
	if len(runs) > 0 {
		m.fetched = append(m.fetched, m.startOf(c, runs))
	}
}

func (m *model) doStart() {
	st, ok := pick(m, &m.fetched)
	if !ok {
		return
	}
	if m.often(3) {
		n := m.rnd.IntN(len(st.Run) + 1)
		st.Run, st.Return = st.Run[:n], st.Run[n:]
	}
	m.begin(st)
	if m.often(3) {
		for i, reply := range m.start(st) { // a resend
			if reply.Verdict == store.Started && !slices.ContainsFunc(m.held, func(a attempt) bool {
				return a.owner == st.Owner && a.m.Runs[0].ID == reply.Message.Runs[0].ID
			}) {
				m.Fatalf("the resend started message %d: %+v", i, reply)
			}
		}
	}
}

func (m *model) begin(st store.Start) {
	for _, reply := range m.start(st) {
		if reply.Verdict == store.Started {
			m.held = append(m.held, attempt{st.Owner, *reply.Message})
		}
	}
}

func (m *model) doFinish() {
	if a, ok := pick(m, &m.held); ok {
		m.end(a, m.often(3))
	}
}

// end finishes an attempt, which may be long lost.
func (m *model) end(a attempt, fail bool) {
	f := finishOf(a.owner, a.m, job.Executed)
	if fail {
		f.Outcome = job.Failed
		again := a.m
		again.Runs, again.Attempt, again.Failed = a.m.Runs[:1], a.m.Attempt+1, a.m.Failed+1
		if again.Failed < 3 {
			f.Retry = &again
		}
	}
	if len(a.m.Runs) > 1 {
		next := a.m
		next.Runs, next.Attempt, next.Lost, next.Failed = a.m.Runs[1:], 1, 0, 0
		f.Next = &next
	}
	if reply := m.finish(f)[0]; reply.Next != nil {
		m.held = append(m.held, attempt{a.owner, *reply.Next})
	}
}

func (m *model) doRenew() {
	var held []store.Held
	for _, a := range m.held {
		held = append(held, store.Held{RunID: a.m.Runs[0].ID, Owner: a.owner})
	}
	m.renew(held...)
}

func (m *model) doRecover() {
	for _, a := range m.held {
		if m.often(2) {
			m.expire(a.m.Runs[0].ID)
		}
	}
	m.recoverExpired()
}

func (m *model) doRecoverNode() {
	suspects, err := m.s.Suspects(m.ctx, 0, m.nodes[m.rnd.IntN(len(m.nodes))])
	m.must(err)
	_, err = m.s.RecoverSuspects(m.ctx, 0, m.office, suspects)
	m.must(err)
}

func (m *model) doRemove() {
	if !m.often(2) {
		return
	}
	for id := range m.jobs {
		_, err := m.s.Remove(m.ctx, unique("op"), id)
		m.must(err)
		m.addJob(id)
		break
	}
	m.forget()
}

func (m *model) doCancel() {
	if a, ok := pick(m, &m.held); ok {
		_ = m.s.Cancel(m.ctx, a.m.Runs[0].ID) // it may have ended
		m.held = append(m.held, a)
	}
}

func (m *model) doPromote() {
	_, err := m.s.PromoteDelayed(m.ctx, 0, m.office, m.now(), 100)
	m.must(err)
}

func (m *model) doReclaim() { m.reclaim(m.nodes[m.rnd.IntN(len(m.nodes))], 0, m.often(2)) }

func (m *model) doSweep() { m.must(m.s.Sweep(m.ctx, 0)) }

// check demands that each run is in exactly one place, or ended, and that the counters are right.
func (m *model) check() {
	m.Helper()
	keys := []string{m.key("stream:default"), m.key("running"), m.key("delayed_runs")}
	for _, slot := range m.slots {
		keys = append(keys, m.key("waiting_runs:"+slot))
	}
	places, ended := m.placesIn(0, keys), m.ended()
	for run, jobID := range m.sent {
		if n := len(places[run]) + ended[run]; n != 1 {
			m.Fatalf("run %s of %s is in %v and ended %d times", run, jobID, places[run], ended[run])
		}
	}
	running, err := m.s.Running(m.ctx, 0)
	m.must(err)
	truth := map[string]int64{}
	for _, run := range running {
		truth[run.Slot]++
	}
	for _, slot := range m.slots {
		equal(m.rig, "counter of "+slot, m.slot(slot), truth[slot])
	}
	equal(m.rig, "leases", m.raw.number("ZCARD", m.key("leases")), int64(len(running)))
}

// ended counts the rows of history of each run.
func (m *model) ended() map[string]int {
	m.Helper()
	n := map[string]int{}
	for id := range m.jobs {
		for _, line := range m.outcomes(id) {
			run, _, _ := strings.Cut(line, " ")
			n[run]++
		}
	}
	return n
}

// drain lets everything that was sent end, and checks that nothing is left.
func (m *model) drain() {
	c := store.Consumer{Executor: executor, Name: nodeA}
	for range 500 {
		m.doPromote()
		for _, node := range m.nodes {
			m.reclaim(node, 0, true)
		}
		m.fetched = nil
		m.take(c, 1000)
		for _, st := range m.fetched {
			m.begin(st)
		}
		for len(m.held) > 0 {
			last := len(m.held) - 1
			a := m.held[last]
			m.held = m.held[:last]
			m.end(a, false)
		}
		m.doRecover()
		suspects, err := m.s.Suspects(m.ctx, 0, nodeB)
		m.must(err)
		_, err = m.s.RecoverSuspects(m.ctx, 0, m.office, suspects)
		m.must(err)
		m.doSweep()
		m.check()
		if m.raw.number("XLEN", m.key("stream:default"))+m.raw.number("HLEN", m.key("running"))+
			m.raw.number("ZCARD", m.key("delayed"))+m.raw.number("SCARD", m.key("waiting")) == 0 {
			break
		}
	}
	equal(m.rig, "places", m.places(0), map[string][]string{})
	for _, pattern := range []string{"slots:*", "waiting*", "delayed*", "leases", "running"} {
		equal(m.rig, pattern, m.raw.scan(m.key(pattern)), nil)
	}
	m.check()
	mended, err := m.s.Audit(m.ctx, 0, m.office)
	m.must(err)
	equal(m.rig, "mended", len(mended), 0)
	m.checkEvents()
}

// checkEvents demands submitted first, one outcome last, and a start before what needs one.
func (m *model) checkEvents() {
	m.Helper()
	of := map[string][]job.EventKind{}
	for _, e := range m.events() {
		of[e.RunID] = append(of[e.RunID], e.Kind)
	}
	ends := job.Mask(job.JobExecuted, job.JobError, job.JobMissed, job.JobMaxInstances, job.JobCancelled)
	for run := range m.sent {
		kinds := of[run]
		n := 0
		for _, k := range kinds {
			if ends.Has(k) {
				n++
			}
		}
		last := kinds[len(kinds)-1]
		lost := n == 0 && last == job.JobLost
		if kinds[0] != job.JobSubmitted || !lost && (n != 1 || !ends.Has(last)) {
			m.Errorf("run %s: events %v", run, kinds)
		}
	}
}
