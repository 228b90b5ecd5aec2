package scheduler_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/carillon-project/carillon/internal/devstack"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestLostRunIsSentAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	s.add("a", s.now(), 3_600_000, once)
	s.lead(1)
	m := s.fetch(0, "n/1", 1)[0]
	s.start("n/1", m, lease)
	again := s.fetch(0, "n/2", 1)[0]
	if again.Attempt != 2 || again.Lost != 1 || again.Runs[0].ID != m.Runs[0].ID {
		t.Errorf("attempt %d, lost %d of run %s; want attempt 2 of %s", again.Attempt, again.Lost, again.Runs[0].ID, m.Runs[0].ID)
	}
	s.finish(s.start("n/2", again, time.Minute), again)
	if rows := s.history("a"); len(rows) != 1 || rows[0].Outcome != job.Executed || rows[0].Attempt != 2 {
		t.Errorf("history %+v, want attempt 2 executed", rows)
	}
	if n := s.observed().Recovered; n != 1 {
		t.Errorf("%d recoveries observed", n)
	}
}

func TestLostRunIsDropped(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	s.add("a", s.now(), 3_600_000, once, func(e *store.Entry) { e.Job.OnLost = job.OnLostDrop })
	s.lead(1)
	s.start("n/1", s.fetch(0, "n/1", 1)[0], lease)
	s.eventually("the run is closed as lost", func() bool {
		rows := s.history("a")
		return len(rows) == 1 && rows[0].Outcome == job.Lost
	})
	if n := s.raw.Exists(t.Context(), s.key(0, "slots:a")).Val(); n != 0 {
		t.Error("the slot is still held")
	}
}

func TestRunThatKillsItsNodes(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	s.add("a", s.now(), 3_600_000, once)
	s.lead(1)
	for attempt := 1; attempt <= store.MaxLost; attempt++ {
		m := s.fetch(0, "n/1", 1)[0]
		if m.Attempt != attempt {
			t.Fatalf("attempt %d, want %d", m.Attempt, attempt)
		}
		s.start("n/1", m, 30*time.Millisecond)
	}
	s.eventually("the run is dead", func() bool {
		rows := s.history("a")
		return len(rows) == 1 && rows[0].Outcome == job.Lost
	})
	if n := s.raw.LLen(t.Context(), s.key(0, "dead")).Val(); n != 1 {
		t.Errorf("%d dead runs", n)
	}
}

func TestRenewedRunStays(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	s.add("a", s.now(), 3_600_000, once)
	s.lead(1)
	m := s.fetch(0, "n/1", 1)[0]
	owner := s.start("n/1", m, lease)
	for until := time.Now().Add(3 * lease); time.Now().Before(until); time.Sleep(lease / 6) {
		answers, err := s.Renew(t.Context(), 0, lease, []store.Held{{RunID: m.Runs[0].ID, Owner: owner}})
		if err != nil || answers[0] != store.Renewed {
			t.Fatalf("renew: %v, %v", answers, err)
		}
	}
	s.finish(owner, m)
}

func TestGoneConsumerIsReclaimedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	due := s.now()
	for i := range 150 {
		s.add(fmt.Sprint("a", i), due, 3_600_000, once)
	}
	stop := s.lead(1, "alive/1", "gone/1")
	first := s.fetch(0, "gone/1", 150)
	_ = stop()
	s.lead(2, "alive/1")
	again := s.fetch(0, "alive/1", 150)
	if again[0].Attempt != 1 || len(again) != len(first) {
		t.Errorf("%d entries came again with attempt %d", len(again), again[0].Attempt)
	}
	s.eventually("the consumer is deleted", func() bool {
		consumers, err := s.Consumers(t.Context(), 0, []string{"default"})
		return err == nil && len(consumers) == 1 && consumers[0].Name == "alive/1"
	})
}

func TestIdleEntriesAreReclaimedFromTheLiving(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	s.add("a", s.now(), 3_600_000, once)
	s.lead(1, "alive/1", "alive/2")
	m := s.fetch(0, "alive/1", 1)[0]
	again := s.fetch(0, "alive/2", 1)[0]
	if again.Runs[0].ID != m.Runs[0].ID || again.Attempt != 1 {
		t.Errorf("run %s, attempt %d; want the same run unchanged", again.Runs[0].ID, again.Attempt)
	}
}

func TestNobodyIsGoneWhenMembersAreUnknown(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	s.add("a", s.now(), 3_600_000, once)
	s.lead(1)
	s.fetch(0, "stranger/1", 1)
	s.eventually("the entry comes back when it was idle for a lease", func() bool { return s.observed().Reclaimed == 1 })
	consumers, err := s.Consumers(t.Context(), 0, []string{"default"})
	if err != nil || len(consumers) != 1 {
		t.Errorf("consumers %+v (%v), want the stranger kept", consumers, err)
	}
}

func TestLineMovesOn(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	due := s.now()
	s.add("a", due, 3_600_000, func(e *store.Entry) {
		e.Job.Overlap, e.Job.Coalesce, e.Job.MaxRuns = job.OverlapQueue, job.CoalesceAll, 1
	})
	s.lead(1, "n/1")
	m := s.fetch(0, "n/1", 1)[0]
	owner := s.start("n/1", m, time.Minute)
	second := m
	second.Runs = []store.MessageRun{{ID: "second", Scheduled: due, Due: due}}
	if _, err := s.Enqueue(t.Context(), 0, "op", "", time.Minute, "", "", []store.Message{second.Message}); err != nil {
		t.Fatal(err)
	}
	waits := s.fetch(0, "n/1", 1)[0]
	replies, err := s.Start(t.Context(), store.Start{
		Consumer: store.Consumer{Executor: "default", Name: "n/1"}, Owner: "n/1/x", Lease: lease,
		Entries: []string{waits.entry}, Run: []store.Taken{{Message: &waits.Message}},
	})
	if err != nil || replies[0].Verdict != store.StartWaiting {
		t.Fatalf("start: %+v, %v", replies, err)
	}
	s.finish(owner, m)
	// The nudge that finish sent is lost; the sweep of the housekeeping sends another.
	if err := s.raw.XTrimMaxLen(t.Context(), s.key(0, "stream:default"), 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.eventually("a nudge comes", func() bool {
		got, err := s.Fetch(t.Context(), 0, "default", "n/1", 1, 20*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return false
		}
		slot, ok := store.SlotOfNudge(got[0].Bodies[0])
		return ok && slot == "a"
	})
}

// Leases that ended while Redis was away say nothing: their nodes could not renew them.
func TestRecoveryWaitsAfterAnOutage(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{AppendOnly: true, Args: []string{"--appendfsync", "always"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := newStandAt(t, server, 1)
	s.lease = 1500 * time.Millisecond
	s.lead(1, "n/1")
	s.add("a", s.now(), 3_600_000, once)
	m := s.fetch(0, "n/1", 1)[0]
	owner := s.start("n/1", m, s.lease)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	// The loop looks each second, and the store resends for three quarters of one: what lasts longer
	// is noticed.
	began := time.Now()
	s.eventually("the lease has ended", func() bool { return time.Since(began) > 2*time.Second })
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.eventually("the client has a connection again", func() bool { // it may wait a second before it dials anew
		_, err := s.Now(t.Context(), 0)
		return err == nil
	})
	for _, id := range []string{"b", "c"} { // the second is fired by a pass after a whole one
		s.add(id, s.now(), 3_600_000, once)
		s.eventually("the loop goes on", func() bool { return !s.exists(id) })
	}
	answers, err := s.Renew(t.Context(), 0, time.Minute, []store.Held{{RunID: m.Runs[0].ID, Owner: owner}})
	if err != nil || answers[0] != store.Renewed {
		t.Errorf("renewal after the outage: %v, %v", answers, err)
	}
}
