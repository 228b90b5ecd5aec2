package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

const (
	// mostCalls and mostBytes bound what one script does: commands, and bytes of their arguments. An item that is
	// longer by itself, at most one message, may come on top.
	mostCalls = 5_000
	mostBytes = 2 << 20
)

// heavy is a store on a Redis of its own, for the worst input of each script.
type heavy struct {
	*testing.T
	s      *store.Store
	raw    *redis.Client
	addr   string
	office store.Office
}

func newHeavy(t *testing.T) *heavy {
	server := startRedis(t, "--save", "", "--appendonly", "no", "--slowlog-log-slower-than", "1000", "--slowlog-max-len", "10000")
	s, err := store.Open(t.Context(), store.Config{URL: server.URL(), Create: true, Node: "n"})
	must(t, err)
	t.Cleanup(s.Close)
	h := &heavy{T: t, s: s, raw: connect(t, server.URL()), addr: server.Addr(), office: store.Office{Epoch: "e", Term: 1}}
	must(t, s.TakeOffice(t.Context(), 0, h.office))
	must(t, s.EnsureGroup(t.Context(), 0, "default"))
	must(t, s.Register(t.Context(), []string{"default"}, []string{"t"}))
	return h
}

func (h *heavy) key(name string) string { return "{default:0}:" + name }

// late is a message of n runs that are beyond their grace.
func (h *heavy) late(jobID string, n int, edit func(*store.Message)) store.Message {
	m := store.Message{
		Attempt: 1, Max: 1, Grace: job.Grace(time.Second), Overlap: job.OverlapSkip, UID: "uid-" + jobID, JobID: jobID,
		Executor: "default", Slot: jobID, Task: "t", OnLost: job.OnLostRerun, Args: json.RawMessage(`{}`),
	}
	for i := range n {
		m.Runs = append(m.Runs, store.MessageRun{ID: uuid.NewString(), Scheduled: int64(1000 + i), Due: int64(1000 + i)})
	}
	if edit != nil {
		edit(&m)
	}
	return m
}

// put appends messages to the stream, an entry each.
func (h *heavy) put(messages ...store.Message) {
	for _, m := range messages {
		must(h.T, h.raw.XAdd(h.Context(), &redis.XAddArgs{Stream: h.key("stream:default"), Values: []string{"m", m.Encode()}}).Err())
	}
}

// fetched is a start call for all that is in the stream.
func (h *heavy) fetched() store.Start {
	got, err := h.s.Fetch(h.Context(), 0, "default", "n/b", 1000, 0)
	must(h.T, err)
	st := store.Start{Consumer: store.Consumer{Executor: "default", Name: "n/b"}, Owner: "n/b/" + uuid.NewString(), Lease: time.Minute}
	for i, f := range got {
		st.Entries = append(st.Entries, f.ID)
		for _, body := range f.Bodies {
			m, err := store.DecodeMessage(body)
			must(h.T, err)
			st.Run = append(st.Run, store.Taken{Entry: i, Message: &m, Body: body})
		}
	}
	return st
}

// line puts n messages of each runs in line for a slot.
func (h *heavy) line(jobID string, n, runs int, edit func(*store.Message)) {
	for i := range n {
		m := h.late(jobID, runs, edit)
		must(h.T, h.raw.ZAdd(h.Context(), h.key("waiting:"+m.Slot), redis.Z{Score: float64(i), Member: m.Runs[0].ID}).Err())
		must(h.T, h.raw.HSet(h.Context(), h.key("waiting_runs:"+m.Slot), m.Runs[0].ID, m.Encode()).Err())
		must(h.T, h.raw.SAdd(h.Context(), h.key("waiting"), m.Slot).Err())
	}
}

// worst are the worst inputs, of a size n each, and what is to be measured.
var worst = map[string]func(h *heavy, n int) (act func()){
	"start: messages of 1,000 late runs": func(h *heavy, n int) func() {
		for i := range n {
			h.put(h.late(fmt.Sprint("j", i), 1000, nil))
		}
		st := h.fetched()
		return func() { h.started(st, store.StartMissed) }
	},
	"start: jobs that were removed": func(h *heavy, n int) func() {
		for i := range n {
			h.put(h.late(fmt.Sprint("j", i), 1000, nil))
			must(h.T, h.raw.ZAdd(h.Context(), h.key("removed"), redis.Z{Score: 1, Member: fmt.Sprint("uid-j", i)}).Err())
		}
		st := h.fetched()
		return func() { h.started(st, store.StartRemoved) }
	},
	"start: args of 256 KiB": func(h *heavy, n int) func() {
		for i := range n {
			h.put(h.late(fmt.Sprint("j", i), 1, long))
		}
		st := h.fetched()
		return func() { h.started(st, store.Started) }
	},
	"finish: what follows is late": func(h *heavy, n int) func() {
		st, done := h.running(n, 1, func(m *store.Message) { m.Grace = job.GraceNone })
		for i := range done {
			next := h.late(done[i].Message.JobID, 1000, nil)
			done[i].Next = &next
		}
		return func() { must(h.T, h.finish(st, done)) }
	},
	"finish: args of 256 KiB": func(h *heavy, n int) func() {
		st, done := h.running(n, 1, long)
		return func() { must(h.T, h.finish(st, done)) }
	},
	"remove: messages of 1,000 runs in line": func(h *heavy, n int) func() {
		j := job.Job{ID: "lined", Task: "t", Trigger: json.RawMessage(`{"type":"interval","seconds":60}`)}.WithDefaults(job.Options{})
		e := store.Entry{Header: store.Header{UID: "uid-lined", State: store.Active, Next: 9e12}, Record: store.Record{Job: j, Given: j.Trigger}, RunTime: 9e12}
		must(h.T, h.s.Add(h.Context(), uuid.NewString(), e))
		h.line("lined", n, 1000, nil)
		return func() {
			_, err := h.s.Remove(h.Context(), uuid.NewString(), "lined")
			must(h.T, err)
			if left := h.raw.ZCard(h.Context(), h.key("waiting:lined")).Val(); left != 0 {
				h.Fatalf("%d are still in line", left)
			}
		}
	},
	"promote: delayed runs of removed jobs": func(h *heavy, n int) func() {
		for i := range n {
			m := h.late(fmt.Sprint("j", i), 1000, nil)
			must(h.T, h.raw.ZAdd(h.Context(), h.key("delayed"), redis.Z{Score: 1, Member: m.Runs[0].ID}).Err())
			must(h.T, h.raw.HSet(h.Context(), h.key("delayed_runs"), m.Runs[0].ID, m.Encode()).Err())
			must(h.T, h.raw.ZAdd(h.Context(), h.key("removed"), redis.Z{Score: 1, Member: m.UID}).Err())
		}
		return func() {
			_, err := h.s.PromoteDelayed(h.Context(), 0, h.office, time.Now().UnixMilli(), 500)
			must(h.T, err)
		}
	},
	"recover: 1,000 runs each": func(h *heavy, n int) func() {
		_, done := h.running(n, 1000, func(m *store.Message) { m.Grace, m.OnLost = job.GraceNone, job.OnLostDrop })
		for _, f := range done {
			must(h.T, h.raw.ZAdd(h.Context(), h.key("leases"), redis.Z{Score: 1, Member: f.RunID}).Err())
		}
		return func() {
			_, err := h.s.RecoverExpired(h.Context(), 0, h.office, time.Now().UnixMilli(), 1000)
			must(h.T, err)
		}
	},
	"expire: entries that nobody fetches": func(h *heavy, n int) func() {
		for i := range n {
			h.put(h.late(fmt.Sprint("j", i), 1000, nil))
		}
		return func() {
			closed, err := h.s.ExpireUnserved(h.Context(), 0, h.office, "default")
			must(h.T, err)
			if closed != 1000*n {
				h.Fatalf("%d closed", closed)
			}
		}
	},
	"reclaim: entries of 256 KiB": func(h *heavy, n int) func() {
		for i := range n {
			h.put(h.late(fmt.Sprint("j", i), 1, long))
		}
		h.fetched()
		return func() {
			moved, err := h.s.Reclaim(h.Context(), 0, h.office, store.ConsumerInfo{Executor: "default", Name: "n/b"}, 0, true)
			must(h.T, err)
			if moved != n {
				h.Fatalf("%d moved", moved)
			}
		}
	},
	"hand back: entries of 256 KiB": func(h *heavy, n int) func() {
		for i := range n {
			h.put(h.late(fmt.Sprint("j", i), 1, long))
		}
		st := h.fetched()
		return func() { must(h.T, h.s.HandBack(h.Context(), st.Consumer, st.Entries)) }
	},
	"renew: args of 256 KiB": func(h *heavy, n int) func() {
		_, done := h.running(n, 1, long)
		held := make([]store.Held, len(done))
		for i, f := range done {
			held[i] = store.Held{RunID: f.RunID, Owner: f.Owner, Bytes: len(f.Message.Args)}
		}
		return func() {
			_, err := h.s.Renew(h.Context(), 0, time.Minute, held)
			must(h.T, err)
		}
	},
	"start: runs that replace others, behind a long line": func(h *heavy, n int) func() {
		h.line("k", 20*n, 10, func(m *store.Message) { m.Overlap = job.OverlapQueue })
		must(h.T, h.raw.Set(h.Context(), h.key("slots:k"), "1", 0).Err())
		for i := range n {
			h.put(h.late(fmt.Sprint("j", i), 1, func(m *store.Message) { m.Slot, m.Overlap, m.Grace = "k", job.OverlapReplace, job.GraceNone }))
		}
		st := h.fetched()
		return func() { h.started(st, store.StartWaiting) }
	},
	"backfill: args of 256 KiB": func(h *heavy, n int) func() {
		j := job.Job{ID: "b", Task: "t", Trigger: json.RawMessage(`{"type":"interval","seconds":60}`)}.WithDefaults(job.Options{})
		e := store.Entry{Header: store.Header{UID: "uid-b", State: store.Active, Next: 9e12}, Record: store.Record{Job: j, Given: j.Trigger}, RunTime: 9e12}
		must(h.T, h.s.Add(h.Context(), uuid.NewString(), e))
		messages := make([]store.Message, n)
		for i := range messages {
			messages[i] = h.late("b", 10, long)
		}
		return func() { must(h.T, h.s.Backfill(h.Context(), e, "test", time.Hour, messages)) }
	},
}

func long(m *store.Message) {
	m.Grace, m.Args = job.GraceNone, json.RawMessage(`"`+strings.Repeat("x", 256<<10-2)+`"`)
}

func (h *heavy) started(st store.Start, want store.Verdict) {
	replies, err := h.s.Start(h.Context(), st)
	must(h.T, err)
	for _, r := range replies {
		if r.Verdict != want {
			h.Fatalf("verdict %s, want %s", r.Verdict, want)
		}
	}
}

// running are n messages of so many runs that have started, and what ends them.
func (h *heavy) running(n, runs int, edit func(*store.Message)) (store.Start, []store.Finish) {
	for i := range n {
		h.put(h.late(fmt.Sprint("j", i), runs, edit))
	}
	st := h.fetched()
	h.started(st, store.Started)
	done := make([]store.Finish, len(st.Run))
	for i, t := range st.Run {
		done[i] = store.Finish{Held: store.Held{RunID: t.Message.Runs[0].ID, Owner: st.Owner}, Message: t.Message, Outcome: job.Executed}
	}
	return st, done
}

func (h *heavy) finish(st store.Start, done []store.Finish) error {
	_, err := h.s.Finish(h.Context(), 0, st.Lease, done)
	return err
}

// No script holds Redis: each does a bounded number of commands with a bounded number of bytes, and twice the
// input costs at most about twice the time. No call takes longer than 50 ms, in the best of five.
func TestScriptsAreBounded(t *testing.T) {
	for name, build := range worst {
		t.Run(name, func(t *testing.T) {
			h := newHeavy(t)
			calls, bytes := h.watch(build(h, 8))
			if calls > mostCalls || bytes > mostBytes {
				t.Errorf("one script made %d calls with %d bytes, at most %d and %d are allowed", calls, bytes, mostCalls, mostBytes)
			}
			once, _ := h.fastest(build, 4)
			twice, longest := h.fastest(build, 8)
			for range 2 { // a busy machine may have slowed down one of the two
				if !grows(once, twice) {
					break
				}
				again, _ := h.fastest(build, 4)
				more, _ := h.fastest(build, 8)
				once, twice = min(once, again), min(twice, more)
			}
			if grows(once, twice) {
				t.Errorf("%v for an input, %v for twice as much", once, twice)
			}
			if longest > mostTime {
				t.Errorf("one script held Redis for %v, at most %v is allowed", longest, mostTime)
			}
			t.Logf("%d calls, %d bytes; %v, %v for twice as much, the longest call %v", calls, bytes, once, twice, longest)
		})
	}
}

// grows reports whether twice the input costs more than 2.5 times the time.
func grows(once, twice time.Duration) bool {
	return float64(twice) > 2.5*float64(max(once, time.Millisecond))
}

var spentIn = regexp.MustCompile(`cmdstat_evalsha:calls=\d+,usec=(\d+)`)

// fastest is the least time that all calls of scripts took, of five, and the least that the longest call took.
func (h *heavy) fastest(build func(*heavy, int) func(), n int) (least, longest time.Duration) {
	for i := range 5 {
		h.empty()
		act := build(h, n)
		must(h.T, h.raw.ConfigResetStat(h.Context()).Err())
		must(h.T, h.raw.Do(h.Context(), "SLOWLOG", "RESET").Err())
		act()
		if most := h.longest(); i == 0 || most < longest {
			longest = most
		}
		found := spentIn.FindStringSubmatch(h.raw.Info(h.Context(), "commandstats").Val())
		if found == nil {
			h.Fatal("no script was called")
		}
		us, err := strconv.ParseInt(found[1], 10, 64)
		must(h.T, err)
		if d := time.Duration(us) * time.Microsecond; least == 0 || d < least {
			least = d
		}
	}
	return least, longest
}

// empty deletes all but what makes it a store.
func (h *heavy) empty() {
	for _, key := range h.raw.Keys(h.Context(), "*").Val() {
		switch strings.TrimPrefix(key, h.key("")) {
		case "meta", "fence", "registry":
		default:
			must(h.T, h.raw.Del(h.Context(), key).Err())
		}
	}
	must(h.T, h.s.EnsureGroup(h.Context(), 0, "default"))
}

// watch returns the most commands, and bytes of their arguments, of the scripts that act calls.
func (h *heavy) watch(act func()) (calls, bytes int) {
	conn, err := net.Dial("tcp", h.addr)
	must(h.T, err)
	defer conn.Close()
	_, err = fmt.Fprint(conn, "MONITOR\r\n")
	must(h.T, err)
	lines := bufio.NewReaderSize(conn, 1<<20)
	_, err = lines.ReadString('\n')
	must(h.T, err)
	act()
	must(h.T, h.raw.Echo(context.Background(), "the end of the watch").Err())
	n, size := 0, 0
	for {
		line, err := lines.ReadString('\n')
		must(h.T, err)
		if strings.Contains(line, "the end of the watch") {
			return calls, bytes
		}
		if !strings.Contains(line[:min(len(line), 60)], " lua]") {
			n, size = 0, 0
		}
		n, size = n+1, size+len(line)
		calls, bytes = max(calls, n), max(bytes, size)
	}
}
