package storetest

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var checkTests = []conformance{
	{"check: a store in use has no findings, and nothing is written", checkClean},
	{"check: finds each planted fault, and its remedy mends it", checkFinds},
	{"check: what moves is no finding", checkMoves},
	{"check: a hundred of a kind are told", checkLimited},
	{"check: looks into every partition", checkPartitions},
}

// findings are what Check tells.
func (r *rig) findings() []store.Finding {
	r.Helper()
	var all []store.Finding
	r.must(r.s.Check(r.ctx, func(f store.Finding) { all = append(all, f) }))
	return all
}

// furnish leaves something in every place: a run that runs, one in line, one delayed, one fetched,
// one unread, a removed job's history, and lines of a run.
func (r *rig) furnish() (running store.Start) {
	r.Helper()
	r.must(r.s.Register(r.ctx, []string{executor}, []string{"t"}))
	r.setCalendar("holidays", "2030-01-01")
	r.addBy("refers", "holidays")
	e := r.add("j", func(j *job.Job) { j.Overlap = job.OverlapQueue })
	now := r.now()
	r.send(message(e, now, "runs"), message(e, now, "in-line"))
	running, _ = r.begin(nodeA, store.Started, store.StartWaiting)
	other := r.add("other", func(j *job.Job) { j.MaxInstances = 9 })
	r.send(message(other, now, "fails"))
	st, replies := r.begin(nodeA, store.Started)
	again := finishOf(st.Owner, *replies[0].Message, job.Failed)
	again.Retry, again.RetryIn = replies[0].Message, time.Hour
	r.finish(again)
	r.send(message(other, now, "fetched"))
	r.fetch(nodeB)
	r.send(message(other, now, "unread"))
	gone := r.add("gone")
	r.send(message(gone, now, "ends"))
	_, err := r.s.Fetch(r.ctx, 0, executor, nodeA, 1, 0) // "unread" is fetched too now
	r.must(err)
	st, replies = r.begin(nodeA, store.Started)
	r.finish(finishOf(st.Owner, *replies[0].Message, job.Executed))
	_, err = r.s.Remove(r.ctx, unique("op"), "gone")
	r.must(err)
	r.must(r.s.Keep(r.ctx, []store.Line{{RunID: "runs", Attempt: 1, Number: 1, Time: at(now), Level: "info", Text: "hello"}}))
	return running
}

func checkClean(t *testing.T, open Open) {
	r := newRig(t, open)
	equal(r, "findings in an empty store", r.findings(), nil)
	r.furnish()
	before := r.places(0)
	equal(r, "findings", r.findings(), nil)
	equal(r, "places afterwards", r.places(0), before)
}

// planted is a fault and how it is put into a furnished store.
type planted struct {
	fault   store.Fault
	subject string
	plant   func(r *rig)
	mend    func(r *rig) // nil = the remedy is a command, which is carried out
}

var plantedFaults = []planted{
	{store.UnreadableJob, "odd", func(r *rig) { r.raw.do("HSET", r.key("jobs"), "odd", "1 nonsense") },
		func(r *rig) { r.raw.do("HDEL", r.key("jobs"), "odd") }},
	{store.JobWithoutTime, "other", func(r *rig) { r.raw.do("ZREM", r.key("run_times"), "other") },
		func(r *rig) { r.raw.do("ZADD", r.key("run_times"), r.now(), "other") }},
	{store.WrongNextTime, "wrong", func(r *rig) { r.addAt("wrong", "2030-01-01T00:30:00Z") }, func(r *rig) { r.removed("wrong") }},
	{store.WrongNextTime, "too-late", func(r *rig) { r.addAt("too-late", "2040-01-01T00:00:00Z") }, func(r *rig) { r.removed("too-late") }},
	{store.WrongNextTime, "far", func(r *rig) {
		r.addAt("far", "2030-01-01T00:00:00Z")
		r.raw.do("ZADD", r.key("run_times"), r.now()+1e12, "far")
	}, func(r *rig) { r.removed("far") }},
	{store.OtherZoneRules, "zones", func(r *rig) { r.raw.do("HSET", r.key("meta"), "zones", "1999z") },
		func(r *rig) { r.raw.do("HDEL", r.key("meta"), "zones") }},
	{store.StoppedJobWithTime, "still", func(r *rig) {
		e := r.entry("still")
		e.State, e.RunTime = store.Paused, 0
		r.must(r.s.Add(r.ctx, unique("op"), e))
		r.raw.do("ZADD", r.key("run_times"), r.now(), "still")
	}, nil},
	{store.JobCalendars, "by", func(r *rig) {
		r.setCalendar("c", "2030-01-01")
		r.addBy("by", "c")
		r.raw.do("HDEL", r.key("calendar_jobs"), "by")
	}, func(r *rig) { r.removed("by"); r.addBy("by", "c") }},
	{store.JobCalendars, "nobody", func(r *rig) { r.raw.do("HSET", r.key("calendar_jobs"), "nobody", "c") },
		func(r *rig) { r.add("nobody"); r.removed("nobody") }},
	{store.TimeWithoutJob, "nobody", func(r *rig) { r.raw.do("ZADD", r.key("run_times"), r.now(), "nobody") }, nil},
	{store.UnreadableRun, "odd", func(r *rig) {
		r.raw.do("HSET", r.key("running"), "odd", "nonsense")
		r.raw.do("ZADD", r.key("leases"), r.now(), "odd")
	}, func(r *rig) {
		r.raw.do("HDEL", r.key("running"), "odd")
		r.raw.do("ZREM", r.key("leases"), "odd")
	}},
	{store.RunWithoutLease, "runs", func(r *rig) { r.raw.do("ZREM", r.key("leases"), "runs") }, nil},
	{store.LeaseWithoutRun, "nobody", func(r *rig) { r.raw.do("ZADD", r.key("leases"), r.now(), "nobody") }, nil},
	{store.SlotCounter, "j", func(r *rig) { r.raw.do("INCR", r.key("slots:j")) },
		func(r *rig) { _, err := r.s.Audit(r.ctx, 0, r.office); r.must(err) }},
	{store.SlotCounter, "j", func(r *rig) { r.raw.do("DEL", r.key("slots:j")) },
		func(r *rig) { _, err := r.s.Audit(r.ctx, 0, r.office); r.must(err) }},
	{store.SlotCounter, "nobody", func(r *rig) { r.raw.do("SET", r.key("slots:nobody"), 1) },
		func(r *rig) { _, err := r.s.Audit(r.ctx, 0, r.office); r.must(err) }},
	{store.LineNotIndexed, "j", func(r *rig) { r.raw.do("SREM", r.key("waiting"), "j") }, nil},
	{store.PlaceWithoutRun, "j", func(r *rig) { r.raw.do("ZADD", r.key("waiting:j"), 1, "nobody") }, nil},
	{store.RunWithoutPlace, "j", func(r *rig) { r.raw.do("ZREM", r.key("waiting:j"), "in-line") }, nil},
	{store.PlaceWithoutRun, "nobody", func(r *rig) { r.raw.do("ZADD", r.key("delayed"), 1, "nobody") }, nil},
	{store.RunWithoutPlace, "fails", func(r *rig) { r.raw.do("ZREM", r.key("delayed"), "fails") }, nil},
	{store.RunInTwoPlaces, "runs", func(r *rig) {
		r.raw.do("ZADD", r.key("delayed"), r.now()+1e6, "runs")
		r.raw.do("HSET", r.key("delayed_runs"), "runs", adHoc("runs").Encode())
	}, func(r *rig) {
		r.raw.do("ZREM", r.key("delayed"), "runs")
		r.raw.do("HDEL", r.key("delayed_runs"), "runs")
	}},
	{store.StreamWithoutGroup, "default", func(r *rig) { r.raw.do("XGROUP", "DESTROY", r.key("stream:default"), "nodes") },
		func(r *rig) { r.must(r.s.EnsureGroup(r.ctx, 0, executor)) }},
	{store.StreamNotRegistered, "nowhere", func(r *rig) {
		r.must(r.s.EnsureGroup(r.ctx, 0, "nowhere"))
		r.raw.do("XADD", r.key("stream:nowhere"), "*", "m", "N\tx")
	}, func(r *rig) { r.must(r.s.Register(r.ctx, []string{"nowhere"}, nil)) }},
	{store.StrandedEntry, "", func(r *rig) { r.raw.do("XACK", r.key("stream:default"), "nodes", r.pending(nodeB)[0]) },
		func(r *rig) { r.raw.do("DEL", r.key("stream:default")) }},
	{store.PendingWithoutEntry, "", func(r *rig) { r.raw.do("XDEL", r.key("stream:default"), r.pending(nodeB)[0]) },
		func(r *rig) { r.must(ignore(r.s.Reclaim(r.ctx, 0, r.office, consumer(nodeB), 0, false))) }},
	{store.UnreadableMessage, "", func(r *rig) {
		r.raw.do("XADD", r.key("stream:default"), "*", "m", "1\tnonsense")
		r.takeAll(nodeA)
	}, func(r *rig) { r.raw.do("DEL", r.key("stream:default")) }},
	{store.EndlessKey, "log:runs", func(r *rig) { r.raw.do("PERSIST", r.key("log:runs")) }, nil},
	{store.EndlessKey, "history:gone", func(r *rig) { r.raw.do("PERSIST", r.key("history:gone")) }, nil},
	{store.EndlessKey, "past:20000", func(r *rig) { r.raw.do("HSET", r.key("past:20000"), "gone", "row") }, nil},
	{store.EndlessKey, "op:x", func(r *rig) { r.raw.do("SET", r.key("op:x"), "y") }, nil},
	{store.WrongType, "removed", func(r *rig) {
		r.raw.do("DEL", r.key("removed"))
		r.raw.do("SET", r.key("removed"), "y")
	}, nil},
	{store.StrangeScore, "fails", func(r *rig) { r.raw.do("ZADD", r.key("delayed"), "1e300", "fails") }, nil},
	{store.UnknownKey, "streams", func(r *rig) { r.raw.do("SET", r.key("streams"), "y") }, nil},
}

// addAt stores a job that fires each hour from 2030 on, with a next time.
func (r *rig) addAt(id, next string) {
	r.Helper()
	e := r.entry(id, func(j *job.Job) {
		j.Trigger = json.RawMessage(`{"every":"1h","start_date":"2030-01-01T00:00:00Z","timezone":"UTC","type":"interval"}`)
	})
	at, err := time.Parse(time.RFC3339, next)
	r.must(err)
	e.Next, e.RunTime = at.UnixMilli(), at.UnixMilli()
	r.must(r.s.Add(r.ctx, unique("op"), e))
}

// removed removes a job.
func (r *rig) removed(id string) {
	r.Helper()
	_, err := r.s.Remove(r.ctx, unique("op"), id)
	r.must(err)
}

func ignore(_ int, err error) error { return err }

// takeAll fetches without reading what it got.
func (r *rig) takeAll(consumer string) {
	r.Helper()
	_, err := r.s.Fetch(r.ctx, 0, executor, consumer, 1000, 0)
	r.must(err)
}

func checkFinds(t *testing.T, open Open) {
	for _, p := range plantedFaults {
		t.Run(string(p.fault)+"_"+p.subject, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, open)
			r.furnish()
			p.plant(r)
			found := r.findings()
			equal(r, "findings", len(found), 1)
			f := found[0]
			equal(r, "fault", f.Fault, p.fault)
			equal(r, "partition", f.Partition, 0)
			if p.subject != "" {
				equal(r, "subject", f.Subject, p.subject)
			}
			if f.Detail == "" || f.Remedy == "" || !strings.HasPrefix(f.Key, r.key("")) {
				t.Errorf("finding is %+v", f)
			}
			if p.mend != nil {
				p.mend(r)
			} else {
				r.follow(f.Remedy)
			}
			equal(r, "findings when it is mended", r.findings(), nil)
		})
	}
}

// follow carries out the Redis commands of a remedy.
func (r *rig) follow(remedy string) {
	r.Helper()
	for command := range strings.SplitSeq(remedy, "&&") {
		_, command, ok := strings.Cut(command, "redis-cli ")
		if !ok {
			r.Fatalf("remedy %q has no command", remedy)
		}
		var words []any
		for word := range strings.FieldsSeq(command) {
			words = append(words, strings.Trim(word, "'"))
		}
		r.raw.do(words...)
	}
}

func checkMoves(t *testing.T, open Open) {
	r := newRig(t, open)
	r.must(r.s.Register(r.ctx, []string{executor}, []string{"t"}))
	e := r.add("j", func(j *job.Job) { j.MaxInstances = 1000 })
	var work sync.WaitGroup
	stop := make(chan struct{})
	defer work.Wait()
	defer close(stop)
	work.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			var all []store.Message
			for range 20 {
				all = append(all, message(e, 1))
			}
			r.send(all...)
			st := r.fetch(nodeA)
			var done []store.Finish
			for _, reply := range r.start(st) {
				done = append(done, finishOf(st.Owner, *reply.Message, job.Executed))
			}
			r.finish(done...)
		}
	})
	for range 5 {
		if found := r.findings(); len(found) > 0 {
			t.Errorf("found %+v", found)
		}
	}
}

func checkLimited(t *testing.T, open Open) {
	r := newRig(t, open)
	command := []any{"ZADD", r.key("leases")}
	for range 700 {
		command = append(command, 1, unique("nobody"))
	}
	r.raw.do(command...)
	equal(r, "findings", len(r.findings()), 100)
}

func checkPartitions(t *testing.T, open Open) {
	r := newRig(t, open, three)
	for p := range 3 {
		r.raw.do("ZADD", r.keyIn(p, "leases"), 1, "nobody")
	}
	var where []int
	for _, f := range r.findings() {
		where = append(where, f.Partition)
	}
	equal(r, "partitions", where, []int{0, 1, 2})
}
