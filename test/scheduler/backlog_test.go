package scheduler_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// A backlog of more due times than a message holds goes on under the next leader, and the one after that: what
// follows waits in line for the runs of the message before it, and is no run too many.
func TestBacklogGoesOnUnderTheNextLeader(t *testing.T) {
	t.Parallel()
	const times = 2502
	s := newStand(t, 1)
	first := s.now() - (times-1)*1000
	e := s.add("long", first, 1000, func(e *store.Entry) { e.Job.Coalesce, e.Job.MaxRuns = job.CoalesceAll, times })
	stop := s.lead(1)
	owner := ""
	for round, want := range []int{1000, 1000, 502} {
		m := s.fetch(0, "n/1", 1)[0]
		if len(m.Runs) != want {
			t.Fatalf("message %d has %d runs, want %d", round, len(m.Runs), want)
		}
		if round > 0 && m.Overlap != job.OverlapQueue {
			t.Errorf("message %d has overlap %q, it would be refused while the one before runs", round, m.Overlap)
		}
		owner = s.start("n/1", m, time.Minute)
		_ = stop()
		stop = s.lead(int64(round + 2))
		// While its runs go on nothing follows.
		probe := fmt.Sprint("probe", round)
		s.add(probe, s.now(), 3_600_000, once)
		s.eventually("the leader looks", func() bool { return !s.exists(probe) })
		if got := s.fetch(0, "n/1", 1); got[0].JobID != probe {
			t.Fatalf("%s came while message %d runs", got[0].JobID, round)
		}
		if backlogs, err := s.Backlogs(t.Context(), 0); err != nil || (len(backlogs) == 1) != (round < 2) {
			t.Errorf("after message %d there are %d backlogs (%v)", round, len(backlogs), err)
		}
		s.finishAll(owner, m)
	}
	counts := map[job.Outcome]int{}
	rows, err := s.History(t.Context(), "long", 3000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		counts[r.Outcome]++
	}
	if s.exists("long") || counts[job.MaxInstances] != 0 || counts[job.Executed] == 0 {
		t.Errorf("outcomes %v of %s, want executed alone", counts, e.UID)
	}
}

// finishAll ends each run of a message, as its node does.
func (s *stand) finishAll(owner string, t taken) {
	s.Helper()
	m := t.Message
	for len(m.Runs) > 0 {
		f := store.Finish{Held: store.Held{RunID: m.Runs[0].ID, Owner: owner}, Message: &m, Outcome: job.Executed}
		next := m
		next.Runs = m.Runs[1:]
		if len(next.Runs) > 0 {
			f.Next = &next
		}
		replies, err := s.Finish(s.Context(), 0, time.Minute, []store.Finish{f})
		if err != nil || replies[0].Refused {
			s.Fatalf("finish: %+v, error %v", replies, err)
		}
		m = next
	}
}

// A job that was removed in the middle of its backlog and came again has none, and what Redis knew of it goes.
func TestBacklogOfAJobThatCameAgainIsForgotten(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	long := func(e *store.Entry) { e.Job.Coalesce = job.CoalesceAll }
	s.add("long", s.now()-2000*1000, 1000, long)
	stop := s.lead(1)
	m := s.fetch(0, "n/1", 1)[0]
	s.start("n/1", m, time.Minute)
	_ = stop()
	if backlogs, err := s.Backlogs(t.Context(), 0); err != nil || len(backlogs) != 1 || backlogs[0].UID != m.UID || backlogs[0].Run != m.Runs[999].ID {
		t.Fatalf("backlogs are %+v (%v)", backlogs, err)
	}
	if _, err := s.Remove(context.Background(), uuid.NewString(), "long"); err != nil {
		t.Fatal(err)
	}
	again := s.add("long", s.now()-5000, 3_600_000, once)
	s.lead(2)
	if m := s.fetch(0, "n/1", 1)[0]; m.UID != again.UID || m.Overlap == job.OverlapQueue {
		t.Errorf("%s came with overlap %q", m.UID, m.Overlap)
	}
	s.eventually("nothing is known of the backlog", func() bool {
		backlogs, err := s.Backlogs(t.Context(), 0)
		return err == nil && len(backlogs) == 0
	})
}
