package scheduler_test

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// A process that is proven gone loses at once what it ran, as a lost attempt, and what it had
// fetched, as it was; whatever else runs, or has the leases of a minute, stays.
func TestProvenGoneIsTakenFromAtOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t, 2)
	due := s.now()
	for _, id := range []string{"{a}runs", "{b}runs", "{a}other", "{b}other"} {
		s.add(id, due, 3_600_000, once)
	}
	s.lead(1, "n/1", "n/2", "n/3")
	owners := map[string]string{}
	for p := range 2 {
		other := s.fetch(p, "n/2", 1)[0]
		owners[other.JobID] = s.start("n/2", other, time.Minute)
		s.start("n/1", s.fetch(p, "n/1", 1)[0], time.Minute)
	}
	s.add("{a}fetched", s.now(), 3_600_000, once)
	fetched := s.fetch(s.PartitionOf("{a}"), "n/1", 1)[0]
	s.bury("n/1")
	for p := range 2 {
		count := 1
		if p == s.PartitionOf("{a}") {
			count = 2
		}
		for _, m := range s.fetch(p, "n/3", count) {
			if owners[m.JobID] != "" {
				t.Errorf("%s was taken from the living", m.JobID)
			}
			want := [2]int{2, 1}
			if m.JobID == fetched.JobID {
				want = [2]int{1, 0}
			}
			if got := [2]int{m.Attempt, m.Lost}; got != want {
				t.Errorf("%s: attempt and losses %v, want %v", m.JobID, got, want)
			}
		}
	}
	s.eventually("they were counted", func() bool { return s.observed().Rescued == 2 && s.observed().Reclaimed == 1 })
	for p := range 2 {
		runs, err := s.Running(t.Context(), p)
		if err != nil || len(runs) != 1 || runs[0].Node != "n" || owners[runs[0].JobID] != runs[0].Owner {
			t.Errorf("partition %d: running %+v (%v), want what n/2 runs", p, runs, err)
		}
		leases, err := s.raw.ZCard(t.Context(), s.key(p, "leases")).Result()
		if err != nil || leases != 1 {
			t.Errorf("partition %d: %d leases (%v), want one", p, leases, err)
		}
	}
}

// What Redis carries out late for a process that is gone is found by a later look.
func TestProvenGoneIsLookedThroughAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.add("a", s.now(), 3_600_000, once)
	s.add("b", s.now(), 3_600_000, once)
	s.lead(1)
	entries := s.fetch(0, "n/1", 2)
	s.start("n/1", entries[0], time.Minute)
	s.bury("n/1")
	s.fetch(0, "n/2", 2)
	s.add("c", s.now(), 3_600_000, once)
	s.start("n/1", s.fetch(0, "n/1", 1)[0], time.Minute)
	if m := s.fetch(0, "n/2", 1)[0]; m.JobID != "c" || m.Attempt != 2 {
		t.Errorf("%s, attempt %d, came again; want attempt 2 of c", m.JobID, m.Attempt)
	}
}

// A leader that comes into office later takes from those that were gone before.
func TestProofIsKeptForTheNextLeader(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.add("a", s.now(), 3_600_000, once)
	stop := s.lead(1)
	s.start("n/1", s.fetch(0, "n/1", 1)[0], time.Minute)
	_ = stop()
	s.bury("n/1")
	s.lead(2)
	if m := s.fetch(0, "n/2", 1)[0]; m.Attempt != 2 {
		t.Errorf("attempt %d, want 2", m.Attempt)
	}
}

// A clock of Redis that was ahead leaves leases that would keep lost runs for as long.
func TestNewLeaderShortensLeasesThatLieFarAhead(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	s.add("a", s.now(), 3_600_000, once, func(e *store.Entry) { e.Job.OnLost = job.OnLostDrop })
	stop := s.lead(1)
	s.start("n/1", s.fetch(0, "n/1", 1)[0], time.Hour)
	_ = stop()
	s.lead(2)
	s.eventually("the run is closed as lost", func() bool {
		rows := s.history("a")
		return len(rows) == 1 && rows[0].Outcome == job.Lost
	})
}
