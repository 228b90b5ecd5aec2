package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Out of memory, what gives memory back or keeps runs alive goes on, and what takes more is refused
// before it has written anything.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s := openStore(t, store.Config{URL: server.URL(), Create: true})
	raw := connect(t, server.URL())
	ctx := patience(t)
	office := store.Office{Epoch: "e", Term: 1}
	must(t, s.TakeOffice(ctx, 0, office), s.EnsureGroup(ctx, 0, "default"))
	now, err := s.Now(ctx, 0)
	must(t, err)
	e := dueJob("j", now)
	must(t, s.Add(ctx, "op", e))
	held, lost := adHoc("held"), adHoc("lost")
	_, err = s.Enqueue(ctx, 0, "op2", "x", time.Hour, "", "", []store.Message{held, lost})
	must(t, err)
	st := fetchAll(t, s, "n/b")
	_, err = s.Start(ctx, st)
	must(t, err)
	_, err = s.Enqueue(ctx, 0, "op3", "x", time.Hour, "", "", []store.Message{adHoc("fetched")})
	must(t, err)
	later := fetchAll(t, s, "n/b")

	must(t, raw.ConfigSet(ctx, "maxmemory", "1").Err())
	before := dump(t, raw)
	next := e.Header
	next.Next += 60_000
	refused := []struct {
		name string
		call func() error
	}{
		{"update", func() error { return s.Update(ctx, "op6", e, e, job.JobModified, "") }},
		{"dispatch", func() error {
			_, err := s.Dispatch(ctx, 0, office, []store.Dispatch{{ID: "j", Old: e.Header, Next: &next, RunTime: next.Next, Latest: now, Executor: "default", Messages: []store.Message{adHoc("new")}}})
			return err
		}},
		{"enqueue", func() error {
			_, err := s.Enqueue(ctx, 0, "op4", "x", time.Hour, "", "", []store.Message{adHoc("new")})
			return err
		}},
		{"add", func() error { return s.Add(ctx, "op5", dueJob("k", now)) }},
		{"start", func() error { _, err := s.Start(ctx, later); return err }},
	}
	for _, c := range refused {
		if err := c.call(); err == nil || !strings.Contains(err.Error(), "OOM") {
			t.Errorf("%s: error is %v, want one that says OOM", c.name, err)
		}
	}
	if after := dump(t, raw); after != before {
		t.Errorf("something was written:\n%s\nwas\n%s", after, before)
	}
	keepsWorking(t, s, server.URL(), st, held, lost)

	must(t, raw.ConfigSet(ctx, "maxmemory", "0").Err())
	for _, c := range refused {
		if err := c.call(); err != nil {
			t.Errorf("%s, with memory again: %v", c.name, err)
		}
	}
}

// keepsWorking renews and finishes, also through a store that is opened only now and by scripts
// that the server does not know any more.
func keepsWorking(t *testing.T, s *store.Store, url string, st store.Start, held, lost store.Message) {
	t.Helper()
	ctx := patience(t)
	h := store.Held{RunID: "held", Owner: st.Owner}
	answers, err := s.Renew(ctx, 0, time.Minute, []store.Held{h})
	if err != nil || answers[0] != store.Renewed {
		t.Errorf("renew: %v, %v", answers, err)
	}
	late := openStore(t, store.Config{URL: url})
	for _, f := range []store.Finish{
		{Held: h, Message: &held, Outcome: job.Executed},
		{Held: store.Held{RunID: "lost", Owner: st.Owner}, Message: &lost, Outcome: job.Failed, Retry: &lost, RetryIn: time.Hour},
	} {
		replies, err := late.Finish(ctx, 0, time.Minute, []store.Finish{f})
		if err != nil || replies[0].Refused {
			t.Errorf("finish %s: %+v, %v", f.RunID, replies, err)
		}
	}
}

// dump is the whole database as text, without the registry of scripts.
func dump(t *testing.T, raw *redis.Client) string {
	t.Helper()
	ctx := patience(t)
	keys, err := raw.Keys(ctx, "*").Result()
	must(t, err)
	var b strings.Builder
	for _, key := range keys {
		value, err := raw.Dump(ctx, key).Result()
		must(t, err)
		fmt.Fprintf(&b, "%s %q\n", key, value)
	}
	return b.String()
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	must(t, err)
	c := redis.NewClient(opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func openStore(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(patience(t), cfg)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func dueJob(id string, now int64) store.Entry {
	j := job.Job{ID: id, Task: "t", Trigger: []byte(`{"type":"interval","seconds":60}`)}.WithDefaults(job.Options{})
	return store.Entry{
		Header: store.Header{UID: "uid-" + id, Version: 1, Next: now, State: store.Active},
		Record: store.Record{Job: j, Given: j.Trigger, Created: now}, RunTime: now,
	}
}

func adHoc(run string) store.Message {
	return store.Message{
		Attempt: 1, Grace: job.GraceNone, JobID: "@t", Executor: "default", Task: "t",
		Runs: []store.MessageRun{{ID: run, Scheduled: 1, Due: 1}},
	}
}

func fetchAll(t *testing.T, s *store.Store, consumer string) store.Start {
	t.Helper()
	got, err := s.Fetch(patience(t), 0, "default", consumer, 100, 0)
	must(t, err)
	st := store.Start{Consumer: store.Consumer{Executor: "default", Name: consumer}, Owner: consumer + "/" + got[0].ID, Lease: time.Minute}
	for i, f := range got {
		m, err := store.DecodeMessage(f.Bodies[0])
		must(t, err)
		st.Entries, st.Run = append(st.Entries, f.ID), append(st.Run, store.Taken{Entry: i, Message: &m})
	}
	return st
}
