package store_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func init() { maps.Copy(worst, worstOfOthers) }

// worstOfOthers are the worst inputs of the scripts that no run passes through when all goes well.
var worstOfOthers = map[string]func(h *heavy, n int) (act func()){
	"dispatch: 1,000 runs each": func(h *heavy, n int) func() {
		all := make([]store.Dispatch, n)
		for i := range all {
			e := h.stored(fmt.Sprint("j", i), time.Now().UnixMilli()-60_000)
			next := e.Header
			next.Last, next.Next, next.Runs = e.Next, 9e12, 1000
			all[i] = store.Dispatch{
				ID: e.Job.ID, Old: e.Header, Next: &next, RunTime: 9e12, Latest: e.RunTime, Executor: "default",
				Messages: []store.Message{h.late(e.Job.ID, 1000, nil)},
			}
		}
		return func() {
			answers, err := h.s.Dispatch(h.Context(), 0, h.office, all)
			must(h.T, err)
			for _, a := range answers {
				if a != store.DispatchOK {
					h.Fatalf("dispatch says %s", a)
				}
			}
		}
	},
	"enqueue: args of 256 KiB": func(h *heavy, n int) func() {
		return func() {
			for range n {
				_, err := h.s.Enqueue(h.Context(), 0, uuid.NewString(), "sent", time.Hour, "", "", []store.Message{h.late("@x", 1, long)})
				must(h.T, err)
			}
		}
	},
	"withdraw: a run of 1,000 in line": func(h *heavy, n int) func() {
		h.line("k", n, 1000, nil)
		ids := h.raw.ZRange(h.Context(), h.key("waiting:k"), 0, -1).Val()
		return func() {
			for _, id := range ids {
				must(h.T, h.s.Cancel(h.Context(), id))
			}
		}
	},
	"retry: args of 256 KiB in a list of such": func(h *heavy, n int) func() {
		m := h.late("j", 1, long)
		for range 10 * n {
			other := h.late("j", 1, long)
			must(h.T, h.raw.RPush(h.Context(), h.key("dead"), other.Encode()).Err())
		}
		must(h.T, h.raw.RPush(h.Context(), h.key("dead"), m.Encode()).Err())
		dead, err := h.s.FindDead(h.Context(), m.Runs[0].ID)
		must(h.T, err)
		return func() { must(h.T, h.s.Retry(h.Context(), uuid.NewString(), dead, h.late("j", 1, long))) }
	},
	"set aside: texts of 256 KiB": func(h *heavy, n int) func() {
		for range n {
			must(h.T, h.raw.XAdd(h.Context(), &redis.XAddArgs{Stream: h.key("stream:default"), Values: []string{"m", strings.Repeat("x", 256<<10)}}).Err())
		}
		got, err := h.s.Fetch(h.Context(), 0, "default", "n/b", 1000, 0)
		must(h.T, err)
		return func() {
			for _, f := range got {
				must(h.T, h.s.SetAside(h.Context(), store.Consumer{Executor: "default", Name: "n/b"}, f))
			}
			if left := h.raw.XLen(h.Context(), h.key("stream:default")).Val(); left != 0 {
				h.Fatalf("%d entries are left", left)
			}
		}
	},
	"lay aside: texts of 1,000 runs": func(h *heavy, n int) func() {
		for i := range n {
			m := h.late(fmt.Sprint("j", i), 1000, nil)
			must(h.T, h.raw.ZAdd(h.Context(), h.key("delayed"), redis.Z{Score: 1, Member: m.Runs[0].ID}).Err())
			must(h.T, h.raw.HSet(h.Context(), h.key("delayed_runs"), m.Runs[0].ID, strings.Replace(m.Encode(), "1\t1\t1\t", "1\tx\t1\t", 1)).Err())
		}
		return func() {
			_, err := h.s.PromoteDelayed(h.Context(), 0, h.office, time.Now().UnixMilli(), 500)
			must(h.T, err)
			if moved := h.raw.LLen(h.Context(), h.key("dead")).Val(); moved != int64(n) {
				h.Fatalf("%d were laid aside", moved)
			}
		}
	},
	"supersede: a line of runs that replace one another": func(h *heavy, n int) func() {
		h.line("k", 5*n, 200, func(m *store.Message) { m.Overlap = job.OverlapReplace })
		must(h.T, h.raw.Set(h.Context(), h.key("slots:k"), "1", 0).Err())
		return func() {
			must(h.T, h.s.Sweep(h.Context(), 0))
			if left := h.raw.ZCard(h.Context(), h.key("waiting:k")).Val(); left != 1 {
				h.Fatalf("%d are in line", left)
			}
		}
	},
	"nudge: a stream of 256 KiB entries": func(h *heavy, n int) func() {
		h.line("k", 1, 1, nil)
		for i := range n {
			h.put(h.late(fmt.Sprint("j", i), 1, long))
		}
		return func() { must(h.T, h.s.Sweep(h.Context(), 0)) }
	},
	"next: 1,000 late runs each": func(h *heavy, n int) func() {
		h.line("k", n, 1000, nil)
		must(h.T, h.s.Sweep(h.Context(), 0))
		got, err := h.s.Fetch(h.Context(), 0, "default", "n/b", 10, 0)
		must(h.T, err)
		return func() {
			c := store.Consumer{Executor: "default", Name: "n/b"}
			_, err := h.s.StartNext(h.Context(), c, "n/b/"+uuid.NewString(), time.Minute, got[0].ID, "k")
			must(h.T, err)
			if left := h.raw.ZCard(h.Context(), h.key("waiting:k")).Val(); left != 0 {
				h.Fatalf("%d are in line", left)
			}
		}
	},
	"clamp: leases that lie ahead": func(h *heavy, n int) func() {
		h.members("leases", 500*n, 9e12)
		return func() {
			shortened, err := h.s.ClampLeases(h.Context(), 0, h.office, time.Minute)
			must(h.T, err)
			if shortened != 500*n {
				h.Fatalf("%d were shortened", shortened)
			}
		}
	},
	"audit, tally: counters that are wrong": func(h *heavy, n int) func() {
		for i := range 100 * n {
			must(h.T, h.raw.Set(h.Context(), h.key(fmt.Sprint("slots:s", i)), "7", 0).Err())
		}
		h.running(n, 1000, func(m *store.Message) { m.Grace = job.GraceNone })
		return func() {
			_, err := h.s.Audit(h.Context(), 0, h.office)
			must(h.T, err)
		}
	},
	"forget: uids of removed jobs": func(h *heavy, n int) func() {
		h.members("removed", 500*n, 1)
		return func() {
			f := h.s.Forgetting(0, 0)
			for range 50 {
				_, err := f.Step(h.Context(), h.office)
				must(h.T, err)
			}
			if left := h.raw.ZCard(h.Context(), h.key("removed")).Val(); left != 0 {
				h.Fatalf("%d uids are left", left)
			}
		}
	},
}

// stored adds a job and returns it as it is then.
func (h *heavy) stored(id string, at int64) store.Entry {
	j := job.Job{ID: id, Task: "t", Trigger: json.RawMessage(`{"type":"interval","seconds":60}`)}.WithDefaults(job.Options{})
	e := store.Entry{Header: store.Header{UID: "uid-" + id, Version: 1, State: store.Active, Next: at}, Record: store.Record{Job: j, Given: j.Trigger}, RunTime: at}
	must(h.T, h.s.Add(h.Context(), uuid.NewString(), e))
	return e
}

// members gives a sorted set n members with one score.
func (h *heavy) members(key string, n int, score float64) {
	all := make([]redis.Z, n)
	for i := range all {
		all[i] = redis.Z{Score: score, Member: fmt.Sprint("m", i)}
	}
	must(h.T, h.raw.ZAdd(h.Context(), h.key(key), all...).Err())
}

// mostTime is how long one call of a script may hold Redis.
const mostTime = 50 * time.Millisecond

// longest is the longest that one call of a script took since the log of slow commands was emptied.
func (h *heavy) longest() time.Duration {
	most := time.Duration(0)
	entries, err := h.raw.SlowLogGet(h.Context(), 10_000).Result()
	must(h.T, err)
	for _, e := range entries {
		if strings.EqualFold(e.Args[0], "evalsha") || strings.EqualFold(e.Args[0], "eval") {
			most = max(most, e.Duration)
		}
	}
	return most
}
