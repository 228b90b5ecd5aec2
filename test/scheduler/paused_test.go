package scheduler_test

import (
	"testing"
	"time"
)

// A living consumer keeps over a pause what it has fetched, however long that lasts; one that is gone does not.
func TestPausedExecutorIsSparedByReclaim(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	s.add("a", s.now(), 3_600_000, once)
	s.add("b", s.now(), 3_600_000, once)
	if err := s.Register(t.Context(), []string{"default"}, nil); err != nil {
		t.Fatal(err)
	}
	stop := s.lead(1, "alive/1", "gone/1")
	if kept := s.fetch(0, "alive/1", 1); len(kept) != 1 {
		t.Fatalf("%d entries were fetched", len(kept))
	}
	if kept := s.fetch(0, "gone/1", 1); len(kept) != 1 {
		t.Fatalf("%d entries were fetched", len(kept))
	}
	if err := s.PauseExecutor(t.Context(), "op-pause", "default", "a test"); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(2 * lease); time.Now().Before(until); time.Sleep(lease / 6) {
		if n := s.observed().Reclaimed; n != 0 {
			t.Fatalf("%d entries were taken from living consumers of a paused executor", n)
		}
	}
	_ = stop()
	s.lead(2, "alive/1")
	s.eventually("the entry of the consumer that is gone comes back", func() bool { return s.observed().Reclaimed == 1 })
	if err := s.ResumeExecutor(t.Context(), "op-resume", "default"); err != nil {
		t.Fatal(err)
	}
	s.eventually("after the pause an idle entry comes back", func() bool { return s.observed().Reclaimed == 2 })
}
