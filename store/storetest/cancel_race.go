package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var cancelRaceTests = []conformance{
	{"cancel: runs that fail and are tried again, each cancelled at a random moment, begin no further attempt", cancelRace},
}

// race is a crowd of runs that nodes run and a client cancels.
type race struct {
	*rig
	acked sync.Map    // run id -> true once its cancellation was acknowledged
	over  atomic.Bool // every run has ended
}

func cancelRace(t *testing.T, open Open) {
	const many = 100
	r := &race{rig: newRig(t, open)}
	r.must(r.s.Register(r.ctx, []string{executor}, nil))
	e := r.add("j", func(j *job.Job) { j.MaxInstances, j.Retry.MaxAttempts = many, 1000 })
	var ids []string
	for i := range many {
		id := fmt.Sprintf("run-%d", i)
		m := message(e, r.now(), id)
		if i%4 == 0 { // what follows it goes on
			m = message(e, r.now(), id, id+"-next")
		}
		for _, run := range m.Runs {
			ids = append(ids, run.ID)
		}
		r.send(m)
	}
	var all, clients sync.WaitGroup
	for _, node := range []string{nodeA, nodeB, "node-c/boot-1"} {
		all.Go(func() {
			for !r.over.Load() && r.ctx.Err() == nil {
				r.work(node)
			}
		})
	}
	all.Go(func() {
		for !r.over.Load() && r.ctx.Err() == nil {
			if _, err := r.s.PromoteDelayed(r.ctx, 0, r.office, r.now()+1, 100); err != nil {
				r.Error(err)
			}
		}
	})
	for part := range 4 {
		clients.Go(func() {
			for i := part; i < len(ids); i += 4 {
				r.cancel(ids[i])
			}
		})
	}
	clients.Wait()
	for r.ctx.Err() == nil && r.raw.number("HLEN", r.key("running"))+r.raw.number("ZCARD", r.key("delayed"))+r.raw.number("XLEN", r.key("stream:default")) > 0 {
	}
	r.over.Store(true)
	all.Wait()
	r.judge(ids)
}

// cancel cancels a run until that is acknowledged or the run has ended.
func (r *race) cancel(id string) {
	for r.ctx.Err() == nil {
		err := r.s.Cancel(r.ctx, id)
		switch {
		case err == nil:
			r.acked.Store(id, true)
			return
		case errors.Is(err, store.ErrRunFollows), errors.Is(err, store.ErrChanged):
			continue
		case errors.Is(err, store.ErrRunNotFound):
			if _, _, err := r.s.Ended(r.ctx, id, "j"); err != nil {
				r.Errorf("run %s was not found, and has not ended", id)
			}
		default:
			r.Error(err)
		}
		return
	}
}

// work is one round of a node: it runs what it finds, fails most of it, and looks for nothing that was cancelled.
func (r *race) work(node string) {
	before := map[string]bool{}
	r.acked.Range(func(id, _ any) bool { before[id.(string)] = true; return true })
	got, err := r.s.Fetch(r.ctx, 0, executor, node, 20, 0)
	if err != nil || len(got) == 0 {
		return
	}
	st := r.startOf(store.Consumer{Executor: executor, Name: node}, got)
	replies, err := r.s.Start(r.ctx, st)
	if err != nil {
		r.Error(err)
		return
	}
	var held []store.Message
	for _, reply := range replies {
		if reply.Verdict == store.Started {
			held = append(held, *reply.Message)
		}
	}
	for len(held) > 0 {
		m := held[0]
		held = held[1:]
		if before[m.Runs[0].ID] {
			r.Errorf("run %s began attempt %d after its cancellation was acknowledged", m.Runs[0].ID, m.Attempt)
		}
		if next := r.end(st.Owner, m); next != nil {
			held = append(held, *next)
		}
	}
}

// end ends an attempt at random, and returns what follows it.
func (r *race) end(owner string, m store.Message) *store.Message {
	f := finishOf(owner, m, job.Executed)
	again := m
	again.Attempt++
	switch n := rand.IntN(20); {
	case n == 0:
		f.Next = m.Following()
	case n < 4:
		f.Outcome, f.Cause, f.Retry = job.Cancelled, "node shutdown", &again // handed back
	default:
		again.Runs, again.Failed = m.Runs[:1], m.Failed+1
		f.Outcome, f.Error, f.Next, f.Retry = job.Failed, "boom", m.Following(), &again
		f.RetryIn = time.Duration(rand.IntN(10)) * time.Millisecond
	}
	replies, err := r.s.Finish(r.ctx, 0, lease, []store.Finish{f})
	if err != nil {
		r.Error(err)
		return nil
	}
	return replies[0].Next
}

// judge wants one outcome of each run: of those whose cancellation was acknowledged, executed or cancelled.
func (r *race) judge(ids []string) {
	r.Helper()
	outcomes := map[string][]string{}
	rows, err := r.s.History(r.ctx, "j", 10_000)
	r.must(err)
	for _, row := range rows {
		outcomes[row.RunID] = append(outcomes[row.RunID], string(row.Outcome))
	}
	for _, id := range ids {
		got := outcomes[id]
		if len(got) != 1 || got[0] != "cancelled" && got[0] != "executed" {
			r.Errorf("run %s has the outcomes %v, want one: executed or cancelled", id, got)
		}
	}
	equal(r.rig, "places", r.places(0), map[string][]string{})
	equal(r.rig, "dead", r.raw.number("LLEN", r.key("dead")), 0)
	equal(r.rig, "counters", r.raw.scan(r.key("slots:*")), nil)
}
