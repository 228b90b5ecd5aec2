package scheduler_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

func TestFiresInOrderAndNeverEarly(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	stop := s.lead(1)
	first := s.now() + 60
	var want []string
	for i, after := range []int64{40, 0, 20, 10, 30} {
		s.add(fmt.Sprint("job", i), first+after, 3_600_000)
	}
	for _, i := range []int{1, 3, 2, 4, 0} {
		want = append(want, fmt.Sprint("job", i))
	}
	var got []string
	for _, m := range s.fetch(0, "n/1", 5) {
		got = append(got, m.JobID)
		var dispatched int64
		if _, err := fmt.Sscanf(m.entry, "%d-", &dispatched); err != nil {
			t.Fatal(err)
		}
		if late := dispatched - m.Runs[0].Due; late < 0 || late > 500 {
			t.Errorf("%s was dispatched %d ms after it was due", m.JobID, late)
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
	if o := s.observed(); o.Dispatched != 5 || len(o.Lateness) != 5 {
		t.Errorf("observed %+v, want 5 runs", o)
	}
}

// A queue of many pages is fired in one pass while its later pages are read: each job once, in the order
// in which they are due.
func TestLongQueueFiresInOrder(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	const jobs = 2*store.MaxDispatch + 2_300
	due := s.now() - 5_000
	ids, at := make([]string, jobs), map[string]int64{}
	pipe := s.raw.Pipeline()
	for i := range jobs {
		id := fmt.Sprintf("job%05d", i)
		ids[i], at[id] = id, due+int64(i%7/3) // three times, most jobs at one
		h := store.Header{UID: id, Version: 1, Next: at[id], State: store.Active}
		doc := fmt.Sprintf(`{"job":{"id":%q,"task":"work","trigger":{"type":"date","run_date":"2001-01-01T00:00:00Z"}},"created":1}`, id)
		if i%5 == 0 { // goes on
			doc = strings.Replace(doc, `"type":"date","run_date"`, `"type":"interval","every":"1h","start_date"`, 1)
		}
		pipe.HSet(t.Context(), s.key(0, "jobs"), id, h.Encode()+doc)
		pipe.ZAdd(t.Context(), s.key(0, "run_times"), redis.Z{Score: float64(at[id]), Member: id})
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(at[a], at[b]) })
	s.lead(1)
	var got []string
	for _, m := range s.fetch(0, "n/1", jobs) {
		got = append(got, m.JobID)
	}
	if diff := gocmp.Diff(ids, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	s.eventually("all jobs are settled", func() bool { return s.observed().Dispatched == jobs })
	if n := s.raw.HLen(t.Context(), s.key(0, "jobs")).Val(); n != jobs/5+1 && n != jobs/5 {
		t.Errorf("%d jobs go on, want %d", n, jobs/5)
	}
}

func TestMessageCarriesTheJob(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	due := s.now() - 10
	e := s.add("a", due, 3_600_000, func(e *store.Entry) {
		e.Job.Args, e.Job.MaxInstances, e.Job.Key = []byte(`{"b": 1}`), 3, "shared"
		e.Job.OnLost, e.Job.Timeout, e.Job.MisfireGraceTime = job.OnLostDrop, job.Duration(time.Second), job.Grace(time.Hour)
		e.Job.Retry = job.Retry{MaxAttempts: 4}
	})
	s.lead(1)
	got := s.fetch(0, "n/1", 1)[0].Message
	want := store.Message{
		Attempt: 1, Max: 3, Grace: job.Grace(time.Hour), Overlap: job.OverlapSkip, UID: e.UID, JobID: "a", Executor: "default",
		Slot: "shared", Task: "work", OnLost: job.OnLostDrop, Retry: job.Retry{MaxAttempts: 4}, Timeout: time.Second,
		Runs: []store.MessageRun{{ID: scheduler.RunID(s.UID(), e.UID, due), Scheduled: due, Due: due}}, Args: []byte(`{"b":1}`),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	after, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	wantHeader := store.Header{UID: e.UID, Version: 1, Last: due, Next: due + 3_600_000, Runs: 1, State: store.Active}
	if diff := gocmp.Diff(wantHeader, after.Header); diff != "" || after.RunTime != due+3_600_000 {
		t.Errorf("run time %d, header (-want +got):\n%s", after.RunTime, diff)
	}
}

func TestBacklogIsAccountedFor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*store.Entry)
		runs   int // in the one message
		rows   []string
		events []string
	}{
		{"latest", func(*store.Entry) {}, 1, []string{"coalesced 4: 4 due times folded into the latest"},
			[]string{"job_coalesced a", "job_submitted a", "job_removed a"}},
		{"earliest", func(e *store.Entry) { e.Job.Coalesce = job.CoalesceEarliest }, 1, []string{"coalesced 4: 4 due times folded into the earliest"},
			[]string{"job_coalesced a", "job_submitted a", "job_removed a"}},
		{"all", func(e *store.Entry) { e.Job.Coalesce, e.Job.MaxRuns = job.CoalesceAll, 5 }, 5, nil,
			[]string{"job_submitted a", "job_submitted a", "job_submitted a", "job_submitted a", "job_submitted a", "job_removed a"}},
		{"missed first", func(e *store.Entry) { e.Job.MisfireGraceTime = job.Grace(90 * time.Minute) }, 1,
			[]string{"coalesced 1: 1 due time folded into the latest", "missed 3: 3 due times missed, the first late by"},
			[]string{"job_missed a", "job_coalesced a", "job_submitted a", "job_removed a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, 1)
			s.add("a", s.now()-4*3_600_000-1000, 3_600_000, once, tt.change)
			s.lead(1)
			if m := s.fetch(0, "n/1", 1)[0]; len(m.Runs) != tt.runs {
				t.Errorf("the message has %d runs, want %d", len(m.Runs), tt.runs)
			}
			var rows []string
			for i, r := range s.history("a") {
				text := fmt.Sprintf("%s %d: %s", r.Outcome, r.Count, r.Cause)
				if i < len(tt.rows) {
					text = text[:min(len(text), len(tt.rows[i]))]
				}
				rows = append(rows, text)
			}
			if diff := gocmp.Diff(tt.rows, rows); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
			if diff := gocmp.Diff(tt.events, s.events()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissedByTheLeader(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.add("late", s.now()-60_000, 3_600_000, once, func(e *store.Entry) {
		e.Job.MisfireGraceTime = job.Grace(time.Second)
		e.Job.Trigger = []byte(`{"type":"date","run_date":"2001-01-01T00:00:00Z"}`)
	})
	s.lead(1)
	s.eventually("the job is finished", func() bool { return !s.exists("late") })
	if diff := gocmp.Diff([]string{"job_missed late", "job_removed late"}, s.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	rows := s.history("late")
	if len(rows) != 1 || rows[0].Outcome != job.Missed || rows[0].Count != 1 || rows[0].Cause == "" {
		t.Errorf("history %+v, want one missed time", rows)
	}
}

func TestLongBacklogOfAllGoesOnWhenItsRunsHaveEnded(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	const times = scheduler.MaxRuns + 50
	s.add("a", s.now()-times*60_000+30_000, 60_000, func(e *store.Entry) {
		e.Job.Coalesce, e.Job.MaxRuns = job.CoalesceAll, times
	})
	s.lead(1)
	first := s.fetch(0, "n/1", 1)[0]
	if len(first.Runs) != scheduler.MaxRuns {
		t.Fatalf("the first message has %d runs", len(first.Runs))
	}
	last := first
	last.Runs = first.Runs[len(first.Runs)-1:]
	// The consumer is at the last run of the message by now.
	owner := s.start("n/1", last, time.Minute)
	s.eventually("another job is fired meanwhile", func() bool {
		s.add(fmt.Sprint("other", s.now()), s.now(), 3_600_000, once)
		return s.observed().Dispatched > scheduler.MaxRuns
	})
	if n := s.observed().Dispatched; n >= times {
		t.Fatalf("%d runs dispatched while the first message runs", n)
	}
	s.finish(owner, last)
	for {
		m := s.fetch(0, "n/1", 1)[0]
		if m.JobID != "a" {
			continue
		}
		if len(m.Runs) != 50 || m.Overlap != job.OverlapQueue || m.Runs[0].Scheduled != first.Runs[scheduler.MaxRuns-1].Scheduled+60_000 {
			t.Errorf("the second message has %d runs from %d, overlap %s", len(m.Runs), m.Runs[0].Scheduled, m.Overlap)
		}
		break
	}
	s.eventually("the job is finished", func() bool { return !s.exists("a") })
}

// More jobs than one call takes, with more bytes than one call carries.
func TestManyJobsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	const jobs = 700
	args, err := json.Marshal(strings.Repeat("x", 5<<10))
	if err != nil {
		t.Fatal(err)
	}
	due := s.now() - 1000
	for i := range jobs {
		s.add(fmt.Sprint("job", i), due, 3_600_000, func(e *store.Entry) { e.Job.Args = args })
	}
	s.lead(1)
	seen := map[string]bool{}
	for _, m := range s.fetch(0, "n/1", jobs) {
		if seen[m.JobID] {
			t.Fatalf("%s was dispatched twice", m.JobID)
		}
		seen[m.JobID] = true
	}
}

// Partitions have a loop each, and a wake of one partition wakes that one.
func TestPartitions(t *testing.T) {
	t.Parallel()
	s := newStand(t, 3)
	s.lead(1)
	per := map[int]int{}
	for i := range 30 {
		id := fmt.Sprint("job", i)
		per[s.PartitionOf(id)]++
		s.add(id, s.now()+20, 3_600_000)
	}
	if len(per) != 3 {
		t.Fatalf("jobs per partition: %v", per)
	}
	for p, n := range per {
		if got := s.fetch(p, "n/1", n); len(got) != n {
			t.Errorf("partition %d fired %d jobs, want %d", p, len(got), n)
		}
	}
}
