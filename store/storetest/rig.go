package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Open returns how to reach the server under test. The suite fills in the rest.
type Open func(t *testing.T) store.Config

const (
	lease    = time.Minute // nothing here waits for one
	executor = job.DefaultName
	nodeA    = "node-a/boot-1"
	nodeB    = "node-b/boot-1"
)

var serial atomic.Int64

// rig is one store in a namespace of its own, with short ways to do what a client, a leader and
// nodes do.
type rig struct {
	*testing.T
	ctx    context.Context
	cfg    store.Config
	s      *store.Store
	raw    *wire
	office store.Office
}

func newRig(t *testing.T, open Open, edits ...func(*store.Config)) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cfg := open(t)
	cfg.Namespace = fmt.Sprintf("conf%d", serial.Add(1))
	cfg.Node, cfg.Create = "tester", true
	r := &rig{T: t, ctx: ctx, raw: dialWire(t, cfg.URL), office: store.Office{Epoch: "e", Term: 7}}
	for _, edit := range edits {
		edit(&cfg)
	}
	r.cfg = cfg
	r.s = r.reopen()
	for p := range r.s.Partitions() {
		r.must(r.s.TakeOffice(ctx, p, r.office))
		r.must(r.s.EnsureGroup(ctx, p, executor))
	}
	return r
}

// reopen opens the same store once more, as another process would.
func (r *rig) reopen(edits ...func(*store.Config)) *store.Store {
	r.Helper()
	cfg := r.cfg
	for _, edit := range edits {
		edit(&cfg)
	}
	s, err := store.Open(r.ctx, cfg)
	r.must(err)
	r.Cleanup(s.Close)
	return s
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) wantErr(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("error is %v, want %v", err, want)
	}
}

func equal[T any](r *rig, what string, got, want T) {
	r.Helper()
	if d := cmp.Diff(want, got); d != "" {
		r.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

// key is a key of partition 0.
func (r *rig) key(name string) string { return r.keyIn(0, name) }

func (r *rig) keyIn(partition int, name string) string {
	return fmt.Sprintf("{%s:%d}:%s", r.cfg.Namespace, partition, name)
}

func (r *rig) now() int64 {
	r.Helper()
	now, err := r.s.Now(r.ctx, 0)
	r.must(err)
	return now
}

// unique returns a new id.
func unique(kind string) string { return fmt.Sprintf("%s-%d", kind, serial.Add(1)) }

// entry is a job that is due now.
func (r *rig) entry(id string, edits ...func(*job.Job)) store.Entry {
	r.Helper()
	j := job.Job{ID: id, Task: "t", Trigger: json.RawMessage(`{"type":"interval","seconds":60}`)}
	for _, edit := range edits {
		edit(&j)
	}
	now := r.now()
	return store.Entry{
		Header:  store.Header{UID: unique("uid"), Version: 1, Next: now, State: store.Active},
		Record:  store.Record{Job: j.WithDefaults(job.Options{}), Given: j.Trigger, Created: now},
		RunTime: now,
	}
}

// add stores a job that is due now.
func (r *rig) add(id string, edits ...func(*job.Job)) store.Entry {
	r.Helper()
	e := r.entry(id, edits...)
	r.must(r.s.Add(r.ctx, unique("op"), e))
	return e
}

// copies stores the job of e under other ids of its partition too, in two commands: what a client does
// leaves a key for each.
func (r *rig) copies(e store.Entry, ids []string) {
	r.Helper()
	partition := r.s.PartitionOf(e.Job.ID)
	jobs, times := r.keyIn(partition, "jobs"), r.keyIn(partition, "run_times")
	value := r.raw.text("HGET", jobs, e.Job.ID)
	set, due := []any{"HSET", jobs}, []any{"ZADD", times}
	for _, id := range ids {
		set = append(set, id, strings.ReplaceAll(value, `"`+e.Job.ID+`"`, `"`+id+`"`))
		due = append(due, e.RunTime, id)
	}
	r.raw.do(set...)
	r.raw.do(due...)
}

// message is one run of the job, due at the given time; more ids make it a group.
func message(e store.Entry, due int64, ids ...string) store.Message {
	m := store.Message{
		Attempt: 1, Max: e.Job.MaxInstances, Grace: e.Job.MisfireGraceTime, Overlap: e.Job.Overlap, UID: e.UID,
		JobID: e.Job.ID, Executor: e.Job.Executor, Slot: e.Job.SlotKey(), Task: e.Job.Task, OnLost: e.Job.OnLost,
		Args: e.Job.Args,
	}
	if e.Job.Retry.MaxAttempts > 1 {
		m.Retry = e.Job.Retry
	}
	if len(ids) == 0 {
		ids = []string{unique("run")}
	}
	for i, id := range ids {
		m.Runs = append(m.Runs, store.MessageRun{ID: id, Scheduled: due + int64(i), Due: due + int64(i)})
	}
	return m
}

// advance is a dispatch of one job with the given messages, to run again in a minute.
func advance(e store.Entry, messages ...store.Message) store.Dispatch {
	next := e.Header
	next.Last, next.Next, next.Runs = e.Next, e.Next+60_000, e.Runs+int64(len(messages))
	return store.Dispatch{
		ID: e.Job.ID, Old: e.Header, Next: &next, RunTime: e.RunTime + 60_000, Latest: e.RunTime,
		Executor: e.Job.Executor, Messages: messages,
	}
}

func (r *rig) dispatch(d ...store.Dispatch) []store.Dispatched {
	r.Helper()
	answers, err := r.s.Dispatch(r.ctx, r.s.PartitionOf(d[0].ID), r.office, d)
	r.must(err)
	return answers
}

// send puts messages into their stream without a dispatch, one entry each unless they are a crowd.
func (r *rig) send(messages ...store.Message) {
	r.Helper()
	_, err := r.s.Enqueue(r.ctx, r.s.PartitionOf(messages[0].JobID), unique("op"), "sent", time.Hour, "", "", messages)
	r.must(err)
}

// fetched is what a consumer has in its hands: a start call not yet sent.
// bundle puts messages into the stream as one entry.
func (r *rig) bundle(messages ...store.Message) {
	r.Helper()
	r.must(r.s.EnsureGroup(r.ctx, 0, executor))
	args := []any{"XADD", r.key("stream:" + executor), "*"}
	for i, m := range messages {
		args = append(args, fmt.Sprintf("m%d", i+1), m.Encode())
	}
	r.raw.do(args...)
}

func (r *rig) fetch(consumer string) store.Start {
	r.Helper()
	return r.fetchFrom(0, executor, consumer)
}

func (r *rig) fetchFrom(partition int, executor, consumer string) store.Start {
	r.Helper()
	got, err := r.s.Fetch(r.ctx, partition, executor, consumer, 1000, 0)
	r.must(err)
	return r.startOf(store.Consumer{Partition: partition, Executor: executor, Name: consumer}, got)
}

func (r *rig) startOf(c store.Consumer, got []store.Fetched) store.Start {
	r.Helper()
	st := store.Start{Consumer: c, Owner: c.Name + "/" + unique("nonce"), Lease: lease}
	for i, f := range got {
		st.Entries = append(st.Entries, f.ID)
		for _, body := range f.Bodies {
			m, err := store.DecodeMessage(body)
			r.must(err)
			st.Run = append(st.Run, store.Taken{Entry: i, Message: &m})
		}
	}
	return st
}

func (r *rig) start(st store.Start) []store.StartReply {
	r.Helper()
	replies, err := r.s.Start(r.ctx, st)
	r.must(err)
	return replies
}

// begin fetches all there is and starts it, and wants these verdicts.
func (r *rig) begin(consumer string, want ...store.Verdict) (store.Start, []store.StartReply) {
	r.Helper()
	st := r.fetch(consumer)
	replies := r.start(st)
	equal(r, "verdicts", verdicts(replies), want)
	return st, replies
}

func verdicts(replies []store.StartReply) []store.Verdict {
	var all []store.Verdict
	for _, reply := range replies {
		all = append(all, reply.Verdict)
	}
	return all
}

func finishOf(owner string, m store.Message, outcome job.Outcome) store.Finish {
	return store.Finish{Held: store.Held{RunID: m.Runs[0].ID, Owner: owner}, Message: &m, Outcome: outcome}
}

func (r *rig) finish(done ...store.Finish) []store.FinishReply {
	r.Helper()
	replies, err := r.s.Finish(r.ctx, r.s.PartitionOf(done[0].Message.JobID), lease, done)
	r.must(err)
	return replies
}

// expire makes a lease end a second ago.
func (r *rig) expire(runID string) {
	r.Helper()
	r.raw.do("ZADD", r.key("leases"), "XX", r.now()-1000, runID)
}

func (r *rig) recoverExpired() int {
	r.Helper()
	n, err := r.s.RecoverExpired(r.ctx, 0, r.office, r.now(), 1000)
	r.must(err)
	return n
}

func (r *rig) slot(name string) int64 { return r.raw.number("GET", r.key("slots:"+name)) }

// nudges takes the nudges out of a fetch: entry id and slot of each.
func (r *rig) fetchNudges(consumer string) [][2]string {
	r.Helper()
	got, err := r.s.Fetch(r.ctx, 0, executor, consumer, 1000, 0)
	r.must(err)
	var all [][2]string
	for _, f := range got {
		slot, ok := store.SlotOfNudge(f.Bodies[0])
		if !ok {
			r.Fatalf("entry %s is not a nudge: %q", f.ID, f.Bodies)
		}
		all = append(all, [2]string{f.ID, slot})
	}
	return all
}

// outcomes are the history of a job, oldest first, as "run outcome".
func (r *rig) outcomes(jobID string) []string {
	r.Helper()
	rows, err := r.s.History(r.ctx, jobID, 10_000)
	r.must(err)
	var all []string
	for i := len(rows) - 1; i >= 0; i-- {
		all = append(all, rows[i].RunID+" "+string(rows[i].Outcome))
	}
	return all
}

// kinds are the kinds of the events about a run or a job, in order.
func (r *rig) kinds(id string) []job.EventKind {
	r.Helper()
	var all []job.EventKind
	for _, e := range r.events() {
		if e.RunID == id || (e.RunID == "" && e.JobID == id) {
			all = append(all, e.Kind)
		}
	}
	return all
}

func (r *rig) events() []job.Event {
	r.Helper()
	var all []job.Event
	var at store.Cursor
	for {
		events, next, err := r.s.Events(r.ctx, at, 0)
		r.must(err)
		if len(events) == 0 {
			return all
		}
		all, at = append(all, events...), next
	}
}

// places says where every run of a partition is: "stream:x", "running", "delayed" or "waiting:x".
func (r *rig) places(partition int) map[string][]string {
	r.Helper()
	return r.placesIn(partition, r.raw.scan(r.keyIn(partition, "*")))
}

func (r *rig) placesIn(partition int, keys []string) map[string][]string {
	r.Helper()
	where := map[string][]string{}
	note := func(place, body string) {
		if _, ok := store.SlotOfNudge(body); ok {
			return
		}
		m, err := store.DecodeMessage(body)
		r.must(err)
		for _, run := range m.Runs {
			where[run.ID] = append(where[run.ID], place)
		}
	}
	prefix := r.keyIn(partition, "")
	for _, key := range keys {
		switch name := strings.TrimPrefix(key, prefix); {
		case strings.HasPrefix(name, "stream:"):
			for _, entry := range r.raw.do("XRANGE", key, "-", "+").([]any) {
				fields := entry.([]any)[1].([]any)
				for i := 1; i < len(fields); i += 2 {
					note(name, fields[i].(string))
				}
			}
		case name == "running":
			for _, v := range r.raw.texts("HVALS", key) {
				_, body, _ := strings.Cut(v, "\n")
				note(name, body)
			}
		case name == "delayed_runs", strings.HasPrefix(name, "waiting_runs:"):
			for _, body := range r.raw.texts("HVALS", key) {
				note(strings.Replace(name, "_runs", "", 1), body)
			}
		}
	}
	return where
}

func (r *rig) wantPlace(runID string, want ...string) {
	r.Helper()
	equal(r, "places of "+runID, r.places(0)[runID], want)
}

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
