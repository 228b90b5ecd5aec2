package scheduler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// A run that nobody can start is missed when its grace ends; one without a grace waits.
func TestRunsOfAnExecutorWithoutANodeAreMissedWhenTheirGraceEnds(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lease = lease
	if err := s.Register(t.Context(), []string{"alone"}, nil); err != nil {
		t.Fatal(err)
	}
	alone := func(e *store.Entry) { e.Job.Executor = "alone" }
	due := s.now()
	s.add("hasty", due, 3_600_000, once, alone, func(e *store.Entry) { e.Job.MisfireGraceTime = job.Grace(200 * time.Millisecond) })
	s.add("patient", due, 3_600_000, once, alone)
	s.lead(1, "n/1")
	s.eventually("the hasty one is missed", func() bool {
		rows := s.history("hasty")
		return len(rows) == 1 && rows[0].Outcome == job.Missed && strings.HasPrefix(rows[0].Cause, "no executor: ")
	})
	if late := s.now() - due; late <= 200 {
		t.Errorf("missed %d ms after its time", late)
	}
	if n := s.raw.XLen(t.Context(), s.key(0, "stream:alone")).Val(); n != 1 {
		t.Errorf("%d entries are left, want the patient one", n)
	}
}
