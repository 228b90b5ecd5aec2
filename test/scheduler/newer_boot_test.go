package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// Another process is a member under a node's name: what its predecessor runs is taken long before the lease
// ends, though nobody held a connection to it. A run of a process that has the name too, and lives, stays.
func TestNewerBootTakesOverFromTheOlder(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	due := s.now()
	for _, id := range []string{"dead", "living", "stranger"} {
		s.add(id, due, 3_600_000, once)
	}
	stop := s.lead(1)
	owners := map[string]string{}
	boots := []string{"n/1", "n/2", "other/1"} // of the members n/3 and m/1 neither is
	runs := map[string]string{}
	for i, m := range s.fetch(0, "n/0", 3) {
		// Each is handed back and fetched by its own process.
		if err := s.HandBack(t.Context(), store.Consumer{Executor: "default", Name: "n/0"}, []string{m.entry}); err != nil {
			t.Fatal(err)
		}
		again := s.fetch(0, boots[i], 1)[0]
		owners[boots[i]] = s.start(boots[i], again, time.Minute)
		runs[boots[i]] = again.Runs[0].ID
	}
	_ = stop()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan struct{})
	go func() { // the process n/2 lives
		_ = s.Wakes(ctx, func(_ int, what string) {
			switch what {
			case "subscribed":
				close(heard)
			case "cancel":
				_, _ = s.Renew(ctx, 0, 2*time.Minute, []store.Held{{RunID: runs["n/2"], Owner: owners["n/2"]}})
			}
		})
	}()
	<-heard
	began := time.Now()
	s.lead(2, "n/3", "m/1")
	if m := s.fetch(0, "m/1", 1)[0]; m.Runs[0].ID != runs["n/1"] || m.Attempt != 2 {
		t.Errorf("%s came again at attempt %d, want %s at attempt 2", m.Runs[0].ID, m.Attempt, runs["n/1"])
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	s.eventually("the last look", func() bool { return time.Since(began) > 4*time.Second })
	left, err := s.Running(t.Context(), 0)
	if err != nil || len(left) != 2 {
		t.Errorf("%d runs are left where they were (%v), want those of the living and of the stranger", len(left), err)
	}
	if n := s.observed().Rescued; n != 1 {
		t.Errorf("%d were taken, want 1", n)
	}
	for _, id := range []string{"dead", "living", "stranger"} {
		for _, row := range s.history(id) {
			if row.Outcome == job.Lost {
				t.Errorf("%s was closed as lost", id)
			}
		}
	}
}
