package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

const (
	benchJobs  = 2_000
	benchBatch = 100 // runs of one start or finish call
)

// BenchmarkRun moves one-shot jobs through the scripts of a run's life. Beside the time of a run it
// reports how many microseconds of Redis each step takes per run.
func BenchmarkRun(b *testing.B) {
	server, err := devstack.StartRedis(b.Context(), devstack.RedisConfig{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Close() })
	options, _ := redis.ParseURL(server.URL())
	p := &pipeline{b: b, raw: redis.NewClient(options), spent: map[string]float64{}}
	b.Cleanup(func() { _ = p.raw.Close() })
	p.s, err = store.Open(b.Context(), store.Config{URL: server.URL(), Create: true, Logger: hclog.NewNullLogger()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.s.Close)
	p.check(p.s.Register(b.Context(), []string{"default"}, []string{"noop"}))
	p.check(p.s.EnsureGroup(b.Context(), 0, "default"))
	p.office = store.Office{Epoch: "e", Term: 1}
	p.check(p.s.TakeOffice(b.Context(), 0, p.office))
	rounds, began := 0, time.Duration(0)
	for b.Loop() {
		b.StopTimer()
		p.fill()
		b.StartTimer()
		at := time.Now()
		p.drain()
		began += time.Since(at)
		rounds++
	}
	runs := float64(rounds * benchJobs)
	for _, step := range []string{"due", "records", "dispatch", "fetch", "start", "finish"} {
		b.ReportMetric(p.spent[step]/runs, step+"-redis-us/run")
	}
	b.ReportMetric(float64(began.Microseconds())/runs, "us/run")
	b.ReportMetric(0, "ns/op")
}

type pipeline struct {
	b      *testing.B
	s      *store.Store
	raw    *redis.Client
	office store.Office
	spent  map[string]float64
}

func (p *pipeline) check(err error) {
	if err != nil {
		p.b.Helper()
		p.b.Fatal(err)
	}
}

// usec is how much of a processor Redis has used so far, in microseconds: unlike the time that its
// commands took, it does not count what other programs do on the machine.
func (p *pipeline) usec() float64 {
	info, err := p.raw.Info(context.Background(), "cpu").Result()
	p.check(err)
	total := 0.0
	for line := range strings.Lines(info) {
		for _, name := range []string{"used_cpu_user_main_thread:", "used_cpu_sys_main_thread:"} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
				p.check(err)
				total += v * 1e6
			}
		}
	}
	return total
}

func (p *pipeline) step(name string, f func()) {
	before := p.usec()
	f()
	p.spent[name] += p.usec() - before
}

func (p *pipeline) fill() {
	ctx := context.Background()
	for i := range benchJobs {
		id := fmt.Sprintf("job-%06d", i)
		now := time.Now().UnixMilli() - 1000
		j := job.Job{ID: id, Task: "noop", Trigger: json.RawMessage(`{"type":"date","run_date":"2026-11-22T20:00:00Z"}`), Args: json.RawMessage(`{"tenant":42}`)}
		j = j.WithDefaults(job.Options{})
		p.check(p.s.Add(ctx, uuid.NewString(), store.Entry{
			Header: store.Header{UID: uuid.NewString(), State: store.Active, Next: now}, Record: store.Record{Job: j, Given: j.Trigger, Created: now}, RunTime: now,
		}))
	}
}

func (p *pipeline) drain() {
	ctx := context.Background()
	for {
		var due store.Due
		var err error
		p.step("due", func() { due, err = p.s.Due(ctx, 0, 4000) })
		p.check(err)
		if len(due.Jobs) == 0 {
			break
		}
		p.dispatch(ctx, due)
	}
	for ran := 0; ran < benchJobs; {
		ran += p.consume(ctx)
	}
}

func (p *pipeline) dispatch(ctx context.Context, due store.Due) {
	for len(due.Jobs) > 0 {
		n := min(len(due.Jobs), store.MaxDispatch)
		ids := make([]string, n)
		for i, j := range due.Jobs[:n] {
			ids[i] = j.ID
		}
		var found []store.Found
		var err error
		p.step("records", func() { found, err = p.s.Records(ctx, 0, ids, nil) })
		p.check(err)
		calls := make([]store.Dispatch, n)
		for i, j := range due.Jobs[:n] {
			e := found[i].Entry
			run := store.MessageRun{ID: uuid.NewString(), Scheduled: j.RunTime, Due: j.RunTime}
			calls[i] = store.Dispatch{ID: j.ID, Old: e.Header, Latest: j.RunTime, Executor: "default", Messages: []store.Message{e.Message(run)}}
		}
		p.step("dispatch", func() {
			_, err = p.s.Dispatch(ctx, 0, p.office, calls)
		})
		p.check(err)
		due.Jobs = due.Jobs[n:]
	}
}

func (p *pipeline) consume(ctx context.Context) (ran int) {
	var got []store.Fetched
	var err error
	c := store.Consumer{Executor: "default", Name: "n/b"}
	p.step("fetch", func() { got, err = p.s.Fetch(ctx, 0, "default", c.Name, benchBatch/7, time.Second) })
	p.check(err)
	st := store.Start{Consumer: c, Owner: "n/b/" + uuid.NewString(), Lease: 15 * time.Second}
	for i, f := range got {
		st.Entries = append(st.Entries, f.ID)
		for _, body := range f.Bodies {
			m, err := store.DecodeMessage(body)
			p.check(err)
			st.Run = append(st.Run, store.Taken{Entry: i, Message: &m, Body: body})
		}
	}
	var replies []store.StartReply
	p.step("start", func() { replies, err = p.s.Start(ctx, st) })
	p.check(err)
	var done []store.Finish
	for _, r := range replies {
		if r.Verdict != store.Started {
			p.b.Fatal(r.Verdict)
		}
		done = append(done, store.Finish{Held: store.Held{RunID: r.Message.Runs[0].ID, Owner: st.Owner}, Message: r.Message, Outcome: job.Executed})
	}
	p.step("finish", func() { _, err = p.s.Finish(ctx, 0, st.Lease, done) })
	p.check(err)
	return len(done)
}
