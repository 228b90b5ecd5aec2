package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var poisonTests = []conformance{
	{"poison: what cannot be read harms itself only, in every collection", poisonHarmsItself},
	{"poison: a slot counter that cannot be read is full until audit, and stops no end of a run", poisonedCounter},
	{"poison: a job whose record cannot be read leaves no uid when it is removed", poisonedRemoved},
}

// poison is one way in which a stored collection can be spoilt.
type poison struct {
	name string
	// plant spoils the collection with the i-th of its kind, which stands at a score where the order matters.
	plant func(r *rig, score int64, i int)
	fault store.Fault // that Check tells of it; "" for none
	aside int         // how many go to the dead runs for each that was planted
	stays bool        // Check still tells of it when all else has gone on
	once  bool        // there can be only one
}

// newerText is a record of a format that this version does not know.
const newerText = "2\tof tomorrow\n\n"

// poisons are by collection.
var poisons = slices.Concat(linePoisons, runningPoisons, delayedPoisons, streamPoisons, schedulePoisons, sundryPoisons)

var linePoisons = []poison{
	{name: "line: garbage", fault: store.UnreadableRun, aside: 1, plant: func(r *rig, score int64, i int) {
		r.inLine("line", score, i, "garbage")
	}},
	{name: "line: member without text", fault: store.PlaceWithoutRun, aside: 1, plant: func(r *rig, score int64, i int) {
		r.raw.do("ZADD", r.key("waiting:line"), score, fmt.Sprint("bad-", i))
	}},
	{name: "line: a newer format in another line", plant: func(r *rig, score int64, i int) {
		slot := fmt.Sprint("newer-line-", i)
		r.inLine(slot, score, i, newerText)
		r.raw.do("SADD", r.key("waiting"), slot)
		r.raw.do("XADD", r.key("stream:default"), "*", "m", "N\t"+slot)
	}},
}

var runningPoisons = []poison{
	{name: "running: garbage", fault: store.UnreadableRun, aside: 1, plant: func(r *rig, score int64, i int) {
		r.leased(score, i, "garbage")
	}},
	{name: "running: garbage in the message", fault: store.UnreadableRun, aside: 1, plant: func(r *rig, score int64, i int) {
		r.leased(score, i, "n/b/o\t1\t1\t\tdefault\t0\n1\tgarbage")
	}},
	{name: "running: a newer format", plant: func(r *rig, score int64, i int) {
		r.leased(score, i, "n/b/o\t1\t1\t\tdefault\t0\n"+newerText)
	}},
	{name: "running: a lease of nothing", fault: store.LeaseWithoutRun, plant: func(r *rig, score int64, i int) {
		r.raw.do("ZADD", r.key("leases"), score, fmt.Sprint("bad-", i))
	}},
}

var delayedPoisons = []poison{
	{name: "delayed: garbage", fault: store.UnreadableRun, aside: 1, plant: func(r *rig, score int64, i int) {
		r.putOff(score, i, "garbage")
	}},
	{name: "delayed: a newer format", plant: func(r *rig, score int64, i int) { r.putOff(score, i, newerText) }},
	{name: "delayed: member without text", fault: store.PlaceWithoutRun, aside: 1, plant: func(r *rig, score int64, i int) {
		r.raw.do("ZADD", r.key("delayed"), score, fmt.Sprint("bad-", i))
	}},
}

var streamPoisons = []poison{
	{name: "stream: garbage", aside: 1, plant: func(r *rig, _ int64, i int) {
		r.raw.do("XADD", r.key("stream:default"), "*", "m", fmt.Sprint("garbage ", i))
	}},
	{name: "stream: an entry without a message", aside: 1, plant: func(r *rig, _ int64, i int) {
		r.raw.do("XADD", r.key("stream:default"), "*", "what", i)
	}},
	{name: "stream: a newer format", plant: func(r *rig, _ int64, _ int) {
		r.raw.do("XADD", r.key("stream:default"), "*", "m", newerText)
	}},
}

var schedulePoisons = []poison{
	{name: "run_times: a record that is garbage", fault: store.UnreadableJob, stays: true, plant: func(r *rig, score int64, i int) {
		r.raw.do("ZADD", r.key("run_times"), score, fmt.Sprint("bad-", i))
		r.raw.do("HSET", r.key("jobs"), fmt.Sprint("bad-", i), "1 garbage")
	}},
	{name: "run_times: a newer format", plant: func(r *rig, score int64, i int) {
		r.raw.do("ZADD", r.key("run_times"), score, fmt.Sprint("bad-", i))
		r.raw.do("HSET", r.key("jobs"), fmt.Sprint("bad-", i), "2 of tomorrow")
	}},
	{name: "run_times: a score that is a fraction", fault: store.StrangeScore, stays: true, plant: func(r *rig, score int64, i int) {
		r.raw.do("ZADD", r.key("run_times"), fmt.Sprint(score, ".5"), fmt.Sprint("bad-", i))
	}},
	{name: "run_times: a score of no time", fault: store.StrangeScore, stays: true, plant: func(r *rig, _ int64, i int) {
		r.raw.do("ZADD", r.key("run_times"), []string{"-inf", "inf", "1e300", "-1e300", "-0.4"}[i%5], fmt.Sprint("bad-", i))
	}},
	{name: "leases: a score of no time", fault: store.StrangeScore, plant: func(r *rig, _ int64, i int) {
		r.raw.do("ZADD", r.key("leases"), []string{"-inf", "-1e300", "-0.4"}[i%3], fmt.Sprint("bad-", i))
	}},
	{name: "delayed: a score of no time", fault: store.StrangeScore, aside: 1, plant: func(r *rig, _ int64, i int) {
		r.raw.do("ZADD", r.key("delayed"), []string{"-inf", "0.5", "-1e300"}[i%3], fmt.Sprint("bad-", i))
	}},
}

var sundryPoisons = []poison{
	{name: "slots: garbage", fault: store.SlotCounter, plant: func(r *rig, _ int64, i int) {
		r.raw.do("SET", r.key(fmt.Sprint("slots:bad-", i)), "garbage")
	}},
	{name: "slots: garbage in a slot that is held", fault: store.SlotCounter, once: true, plant: func(r *rig, _ int64, _ int) {
		r.raw.do("SET", r.key("slots:line"), "garbage")
	}},
	{name: "removed: an empty uid", once: true, plant: func(r *rig, score int64, _ int) {
		r.raw.do("ZADD", r.key("removed"), score, "")
	}},
	{name: "paused_executors: garbage", once: true, fault: store.UnreadableNumber, stays: true, plant: func(r *rig, _ int64, _ int) {
		r.raw.do("HSET", r.key("paused_executors"), "reports", "garbage")
	}},
	{name: "calendars: a version that is garbage", once: true, fault: store.UnreadableNumber, plant: func(r *rig, _ int64, _ int) {
		r.raw.do("HSET", r.key("calendars"), "version", "garbage", "applied", "nonsense")
	}},
	{name: "calendars: a version beyond all", once: true, fault: store.UnreadableNumber, plant: func(r *rig, _ int64, _ int) {
		r.raw.do("HSET", r.key("calendars"), "version", "9e300")
	}},
	{name: "fence: a sequence that is garbage", once: true, fault: store.UnreadableNumber, plant: func(r *rig, _ int64, _ int) {
		r.raw.do("HSET", r.key("fence"), "seq", "garbage")
	}},
	{name: "events: garbage", plant: func(r *rig, _ int64, i int) { r.raw.do("XADD", r.key("events"), "*", "x", i) }},
	{name: "history: garbage", plant: func(r *rig, _ int64, i int) {
		r.raw.do("LPUSH", r.key("history:due-1"), fmt.Sprint("garbage ", i))
	}},
	{name: "registry: garbage", plant: func(r *rig, _ int64, i int) {
		r.raw.do("HSET", r.key("registry"), fmt.Sprint("garbage ", i), "x", "executor:", "x")
	}},
}

func (r *rig) inLine(slot string, score int64, i int, text string) {
	r.Helper()
	r.raw.do("ZADD", r.key("waiting:"+slot), score, fmt.Sprint("bad-", i))
	r.raw.do("HSET", r.key("waiting_runs:"+slot), fmt.Sprint("bad-", i), text)
}

func (r *rig) leased(score int64, i int, value string) {
	r.Helper()
	r.raw.do("ZADD", r.key("leases"), score, fmt.Sprint("bad-", i))
	r.raw.do("HSET", r.key("running"), fmt.Sprint("bad-", i), value)
}

func (r *rig) putOff(score int64, i int, text string) {
	r.Helper()
	r.raw.do("ZADD", r.key("delayed"), score, fmt.Sprint("bad-", i))
	r.raw.do("HSET", r.key("delayed_runs"), fmt.Sprint("bad-", i), text)
}

// poisonCases are where and how many.
var poisonCases = []struct {
	name   string
	score  int64 // of the first; what is good stands at 100 and at 1,000,000
	number int
}{
	{"many at the head", 1, 150},
	{"one in the middle", 1000, 1},
}

func poisonHarmsItself(t *testing.T, open Open) {
	for _, p := range poisons {
		for _, c := range poisonCases {
			if p.once && c.number > 1 {
				continue
			}
			t.Run(strings.ReplaceAll(p.name+", "+c.name, " ", "_"), func(t *testing.T) {
				t.Parallel()
				a := newApothecary(t, open)
				for i := range c.number {
					p.plant(a.rig, c.score+int64(i), i)
				}
				if p.fault != "" {
					a.wantFault(p.fault)
				}
				for range 3 {
					a.round()
				}
				logged := a.logged()
				for range 3 {
					a.round()
				}
				equal(a.rig, "lines of log of further rounds", a.logged()[len(logged):], "")
				equal(a.rig, "lines without a remedy", a.withoutRemedy(), nil)
				equal(a.rig, "executed", a.executed(), a.good)
				dead, err := a.s.DeadRuns(a.ctx, 1000)
				a.must(err)
				equal(a.rig, "set aside", len(dead), p.aside*c.number)
				switch {
				case p.stays:
					a.wantFault(p.fault)
				default:
					equal(a.rig, "findings afterwards", a.findings(), nil)
				}
			})
		}
	}
}

// apothecary is a store with good runs before and behind where poison is planted, and one node and one leader
// that work on it.
type apothecary struct {
	*rig
	log  *safeBuffer
	good []string
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func newApothecary(t *testing.T, open Open) *apothecary {
	t.Helper()
	a := &apothecary{log: &safeBuffer{}}
	a.rig = newRig(t, open, func(c *store.Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: a.log, Level: hclog.Warn})
	})
	a.log.b.Reset()
	a.must(a.s.Register(a.ctx, []string{executor}, []string{"t"}))
	line := a.add("line", func(j *job.Job) { j.Overlap = job.OverlapQueue })
	a.raw.do("ZREM", a.key("run_times"), "line")
	a.raw.do("HDEL", a.key("jobs"), "line")
	a.send(message(line, 1, "line-holds"), message(line, 100, "line-1"), message(line, 1_000_000, "line-2"))
	a.begin(nodeA, store.Started, store.StartWaiting, store.StartWaiting)
	for i, score := range []int64{100, 1_000_000} {
		m := adHoc(fmt.Sprint("lost-", i+1))
		a.send(m)
		a.begin(nodeA, store.Started)
		a.raw.do("ZADD", a.key("leases"), score, m.Runs[0].ID)
		late := adHoc(fmt.Sprint("late-", i+1))
		a.raw.do("ZADD", a.key("delayed"), score, late.Runs[0].ID)
		a.raw.do("HSET", a.key("delayed_runs"), late.Runs[0].ID, late.Encode())
		due := a.entry(fmt.Sprint("due-", i+1), func(j *job.Job) { j.MaxInstances = 9 })
		due.Next, due.RunTime = score, score
		a.must(a.s.Add(a.ctx, unique("op"), due))
		a.good = append(a.good, m.Runs[0].ID, late.Runs[0].ID, "run of "+due.Job.ID)
	}
	a.raw.do("ZADD", a.key("leases"), 50, "line-holds")
	a.good = append(a.good, "line-holds", "line-1", "line-2", "fresh")
	a.send(adHoc("fresh"))
	slices.Sort(a.good)
	return a
}

// round is one look of the leader, its housekeeping, and one of a node.
func (a *apothecary) round() {
	a.Helper()
	due, err := a.s.Due(a.ctx, 0, 1000)
	a.must(err)
	if due.CalendarsBroken != "" {
		a.must(a.s.MendCalendars(a.ctx, 0, a.office, due.CalendarsBroken))
	}
	if due.Known > due.Sequence {
		_, err := a.s.NoteRolledBack(a.ctx, 0, a.office, due)
		a.must(err)
	}
	for _, j := range due.Jobs {
		e, err := a.s.Get(a.ctx, j.ID)
		if err != nil {
			continue
		}
		d := advance(e, message(e, e.RunTime, "run of "+j.ID))
		d.Next.Next, d.RunTime = due.Now+3_600_000, due.Now+3_600_000
		a.dispatch(d)
	}
	_, err = a.s.PromoteDelayed(a.ctx, 0, a.office, due.Now, 100)
	a.must(err)
	_, err = a.s.RecoverExpired(a.ctx, 0, a.office, due.Now, 100)
	a.must(err)
	a.must(a.s.Sweep(a.ctx, 0))
	_, err = a.s.Audit(a.ctx, 0, a.office)
	a.must(err)
	a.node()
	_, err = a.s.Executors(a.ctx)
	a.must(err)
	_, err = a.s.Calendars(a.ctx, 0)
	a.must(err)
	_, err = a.s.History(a.ctx, "due-1", 1000)
	a.must(err)
	_, err = a.s.List(a.ctx)
	a.must(err)
}

// node takes up all that there is, as a node does.
func (a *apothecary) node() {
	a.Helper()
	c := store.Consumer{Executor: executor, Name: nodeB}
	got, err := a.s.Fetch(a.ctx, 0, executor, nodeB, 10_000, 0)
	a.must(err)
	for _, f := range got {
		if slot, ok := store.SlotOfNudge(f.Bodies[0]); ok {
			a.answerNudge(c, f.ID, slot)
			continue
		}
		var fault error
		for _, body := range f.Bodies {
			_, err := store.DecodeMessage(body)
			fault = errors.Join(fault, err)
		}
		switch {
		case errors.Is(fault, store.ErrNewerFormat):
			a.must(a.s.HandBack(a.ctx, c, []string{f.ID}))
		case fault != nil:
			a.must(a.s.SetAside(a.ctx, c, f))
		default:
			st := a.startOf(c, []store.Fetched{f})
			for _, reply := range a.start(st) {
				a.end(st.Owner, reply)
			}
		}
	}
}

func (a *apothecary) answerNudge(c store.Consumer, entry, slot string) {
	a.Helper()
	owner := nodeB + "/" + unique("nonce")
	reply, err := a.s.StartNext(a.ctx, c, owner, lease, entry, slot)
	if errors.Is(err, store.ErrNewerFormat) {
		a.must(a.s.HandBack(a.ctx, c, []string{entry}))
		return
	}
	a.must(err)
	a.end(owner, reply)
}

func (a *apothecary) end(owner string, reply store.StartReply) {
	a.Helper()
	if reply.Verdict == store.Started {
		a.finish(finishOf(owner, *reply.Message, job.Executed))
	}
}

// executed are the runs that ended well.
func (a *apothecary) executed() []string {
	a.Helper()
	var all []string
	for _, e := range a.events() {
		if e.Kind == job.JobExecuted {
			all = append(all, e.RunID)
		}
	}
	slices.Sort(all)
	return all
}

func (a *apothecary) logged() string {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	return a.log.b.String()
}

func (a *apothecary) withoutRemedy() (all []string) {
	for line := range strings.Lines(a.logged()) {
		if !strings.Contains(line, "remedy") {
			all = append(all, line)
		}
	}
	return all
}

// wantFault wants Check to tell of a fault, with what to do.
func (a *apothecary) wantFault(fault store.Fault) {
	a.Helper()
	var seen []store.Fault
	for _, f := range a.findings() {
		if f.Fault == fault && f.Remedy != "" && f.Detail != "" {
			return
		}
		seen = append(seen, f.Fault)
	}
	a.Fatalf("check told of %v, want %s", slices.Compact(seen), fault)
}

func poisonedCounter(t *testing.T, open Open) {
	r := newRig(t, open)
	two := func(j *job.Job) { j.MaxInstances, j.Overlap = 2, job.OverlapQueue }
	e, owner, m := started(r, "j", two)
	r.raw.do("SET", r.key("slots:j"), "garbage")
	waits, other := message(e, r.now(), "waits"), adHoc("other")
	r.send(waits, other)
	r.begin(nodeB, store.StartWaiting, store.Started)
	r.raw.do("SET", r.key("slots:j"), "garbage")
	equal(r, "refused", r.finish(finishOf(owner, m, job.Executed))[0].Refused, false)
	for _, n := range r.fetchNudges(nodeA) {
		_, err := r.s.StartNext(r.ctx, consumerOf(nodeA), nodeA+"/x", lease, n[0], n[1])
		r.must(err)
	}
	_, err := r.s.Audit(r.ctx, 0, r.office)
	r.must(err)
	r.must(r.s.Sweep(r.ctx, 0))
	for _, n := range r.fetchNudges(nodeA) {
		reply, err := r.s.StartNext(r.ctx, consumerOf(nodeA), nodeA+"/y", lease, n[0], n[1])
		r.must(err)
		equal(r, "verdict", reply.Verdict, store.Started)
	}
	equal(r, "counter", r.slot("j"), 1)
}

func consumerOf(name string) store.Consumer { return store.Consumer{Executor: executor, Name: name} }

func poisonedRemoved(t *testing.T, open Open) {
	r := newRig(t, open)
	r.raw.do("HSET", r.key("jobs"), "bad", "garbage")
	_, err := r.s.Remove(r.ctx, unique("op"), "bad")
	r.must(err)
	equal(r, "removed", r.raw.number("ZCARD", r.key("removed")), 0)
}
