package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/scheduler"
	"github.com/carillon-project/carillon/store"
)

func TestFencedLoopEnds(t *testing.T) {
	t.Parallel()
	s := newStand(t, 2)
	l, err := scheduler.New(scheduler.Config{Store: s.Store, Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(t.Context(), office(5)) }()
	s.add("before", s.now(), 3_600_000, once)
	s.eventually("the loop is in office", func() bool { return !s.exists("before") })
	for p := range 2 {
		if err := s.TakeOffice(t.Context(), p, office(6)); err != nil {
			t.Fatal(err)
		}
	}
	s.add("after", s.now(), 3_600_000, once)
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("ended with %v, want ErrFenced", err)
		}
	case <-time.After(patience):
		t.Fatal("a fenced loop goes on")
	}
	if !s.exists("after") {
		t.Error("a fenced loop dispatched")
	}
}

func TestOfficeRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	if err := s.TakeOffice(t.Context(), 0, office(9)); err != nil {
		t.Fatal(err)
	}
	l, err := scheduler.New(scheduler.Config{Store: s.Store})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context(), office(8)); !errors.Is(err, store.ErrFenced) {
		t.Errorf("lower term: %v, want ErrFenced", err)
	}
	if err := l.Run(t.Context(), store.Office{Epoch: "other", Term: 10}); !errors.Is(err, store.ErrEpoch) {
		t.Errorf("other epoch: %v, want ErrEpoch", err)
	}
}

func TestTakeoverContinues(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	const every = 20
	e := s.add("a", s.now(), every, func(e *store.Entry) { e.Job.Coalesce = job.CoalesceAll })
	stop := s.lead(1)
	got := s.fetch(0, "n/1", 3)
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped with %v", err)
	}
	s.lead(2)
	got = append(got, s.fetch(0, "n/1", 3)...)
	want := e.Next
	for _, m := range got {
		for _, r := range m.Runs {
			if r.Scheduled != want || r.ID != scheduler.RunID(s.UID(), e.UID, want) {
				t.Fatalf("run %s of %d, want the one of %d", r.ID, r.Scheduled, want)
			}
			want += every
		}
	}
}

func TestEditsWhileFiring(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.add("a", s.now(), 3)
	s.lead(1)
	edits := 0
	s.eventually("twenty edits", func() bool {
		old, err := s.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		changed := old
		changed.Job.Args = fmt.Appendf(nil, "%d", edits+1)
		err = s.Update(t.Context(), uuid.NewString(), old, changed, job.JobModified, "")
		if err == nil {
			edits++
		} else if !errors.Is(err, store.ErrChanged) {
			t.Fatal(err)
		}
		return edits == 20
	})
	seen, last := map[string]bool{}, ""
	s.eventually("the last edit is dispatched", func() bool {
		m := s.fetch(0, "n/1", 1)[0]
		for _, r := range m.Runs {
			if seen[r.ID] {
				t.Fatalf("run %s of %d twice", r.ID, r.Scheduled)
			}
			seen[r.ID] = true
		}
		last = string(m.Args)
		return last == "20"
	})
}

func TestPausedSchedulerDispatchesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lead(1)
	s.add("warm", s.now(), 3_600_000, once)
	delayed := s.fetch(0, "n/1", 1)[0]
	owner := s.start("n/1", delayed, time.Minute)
	if err := s.Pause(t.Context(), true, "test"); err != nil {
		t.Fatal(err)
	}
	s.add("a", s.now(), 3_600_000, once)
	retry := delayed.Message
	retry.Attempt = 2
	_, err := s.Finish(t.Context(), 0, time.Minute, []store.Finish{{
		Held: store.Held{RunID: delayed.Runs[0].ID, Owner: owner}, Message: &delayed.Message, Outcome: job.Failed,
		Retry: &retry, RetryIn: time.Millisecond,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if m := s.fetch(0, "n/1", 1)[0]; m.JobID != "warm" || m.Attempt != 2 {
		t.Errorf("while paused came attempt %d of %s, want the retry", m.Attempt, m.JobID)
	}
	if !s.exists("a") {
		t.Error("dispatched while paused")
	}
	if err := s.Pause(t.Context(), false, ""); err != nil {
		t.Fatal(err)
	}
	if m := s.fetch(0, "n/1", 1)[0]; m.JobID != "a" {
		t.Errorf("after the pause came %s", m.JobID)
	}
}

func TestUnusableJobsStopNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	now := s.now()
	bad := map[string]string{ // what is wrong -> stored
		"header":  "nonsense",
		"record":  store.Header{UID: "u", Version: 1, Next: now, State: store.Active}.Encode() + "{",
		"trigger": store.Header{UID: "u", Version: 1, Next: now, State: store.Active}.Encode() + `{"job":{"id":"trigger","task":"work","trigger":{"type":"moon"}}}`,
		"newer":   "2 u 1 0 0 0 a  more",
	}
	for id, value := range bad {
		if err := s.raw.HSet(t.Context(), s.key(0, "jobs"), id, value).Err(); err != nil {
			t.Fatal(err)
		}
		s.schedule(id, now-1000)
	}
	s.schedule("orphan", now-1000)
	s.add("good", now, 3_600_000, once)
	s.lead(1)
	if m := s.fetch(0, "n/1", 1)[0]; m.JobID != "good" {
		t.Errorf("dispatched %s", m.JobID)
	}
	s.eventually("four are parked", func() bool { return s.observed().Parked == 4 })
	left, err := s.raw.ZRange(t.Context(), s.key(0, "run_times"), 0, -1).Result()
	if err != nil || fmt.Sprint(left) != "[newer]" {
		t.Errorf("in the schedule are %v (%v), want the newer one alone", left, err)
	}
	stored, err := s.raw.HGetAll(t.Context(), s.key(0, "jobs")).Result()
	if err != nil || stored["header"] != bad["header"] || stored["newer"] != bad["newer"] {
		t.Errorf("unreadable jobs were changed: %q (%v)", stored, err)
	}
	h, err := store.DecodeHeader(firstLine(stored["trigger"]))
	if err != nil || h.State != store.Parked || h.Reason == "" {
		t.Errorf("header %+v (%v), want it parked for a reason", h, err)
	}
}

func firstLine(s string) string {
	for i, c := range s {
		if c == '\n' {
			return s[:i]
		}
	}
	return s
}

func (s *stand) schedule(id string, at int64) {
	s.Helper()
	if err := s.raw.Do(s.Context(), "ZADD", s.key(0, "run_times"), at, id).Err(); err != nil {
		s.Fatal(err)
	}
}

// A page full of records that only a newer node can read must not hide the others.
func TestManyNewerRecordsHideNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	now := s.now()
	var jobs []any
	for i := range 4500 {
		id := fmt.Sprint("newer", i)
		jobs = append(jobs, id, "2 of another format")
		s.schedule(id, now-1000)
	}
	if err := s.raw.HSet(t.Context(), s.key(0, "jobs"), jobs...).Err(); err != nil {
		t.Fatal(err)
	}
	s.add("good", now, 3_600_000, once)
	s.lead(1)
	if m := s.fetch(0, "n/1", 1)[0]; m.JobID != "good" {
		t.Errorf("dispatched %s", m.JobID)
	}
}

func TestOfficeEndsWhenRedisIsAway(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	st, err := store.Open(t.Context(), store.Config{URL: server.URL(), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	l, err := scheduler.New(scheduler.Config{Store: st, Lease: lease, Patience: 400 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(t.Context(), office(1)) }()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrUnreachable) {
			t.Errorf("ended with %v, want ErrUnreachable", err)
		}
	case <-time.After(patience):
		t.Fatal("the office is kept without Redis")
	}
}
