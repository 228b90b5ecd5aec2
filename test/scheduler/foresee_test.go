package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// A crowd that is due soon is read before, however long its queue is, and what is due later is not.
func TestJobsAreReadBeforeTheyAreDue(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	const crowd = 600
	due := s.now() + 1500
	for i := range crowd {
		s.add(fmt.Sprint("job", i), due, 3_600_000, once)
	}
	s.add("later", s.now()+3_600_000, 3_600_000)
	s.lead(1)
	s.eventually("the crowd is read", func() bool { return s.observed().Foreseen == crowd })
	if now := s.now(); now >= due {
		t.Errorf("it was read %d ms after it was due", now-due)
	}
	if n := len(s.fetch(0, "n/1", crowd)); n != crowd {
		t.Errorf("%d runs, want %d", n, crowd)
	}
	if n := s.observed().Foreseen; n != crowd {
		t.Errorf("%d jobs were read before they were due, want %d", n, crowd)
	}
}

// What happens to a job between then and its time counts: nothing was decided.
func TestJobsChangeAfterTheyWereRead(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	due := s.now() + 1500
	for _, id := range []string{"same", "edited", "removed", "anew", "broken"} {
		s.add(id, due, 3_600_000, once)
	}
	s.lead(1)
	s.eventually("all are read", func() bool { return s.observed().Foreseen == 5 })
	old, err := s.Get(t.Context(), "edited")
	if err != nil {
		t.Fatal(err)
	}
	edited := old
	edited.Job.Args = []byte(`"edited"`)
	if err := s.Update(t.Context(), uuid.NewString(), old, edited, job.JobModified, ""); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"removed", "anew"} {
		if _, err := s.Remove(t.Context(), uuid.NewString(), id); err != nil {
			t.Fatal(err)
		}
	}
	anew := s.add("anew", due, 3_600_000, once)
	if err := s.raw.HSet(t.Context(), s.key(0, "jobs"), "broken", "nonsense").Err(); err != nil {
		t.Fatal(err)
	}
	got := map[string]store.Message{}
	for _, m := range s.fetch(0, "n/1", 3) {
		got[m.JobID] = m.Message
	}
	if len(got) != 3 || string(got["edited"].Args) != `"edited"` || got["anew"].UID != anew.UID || got["same"].JobID == "" {
		t.Errorf("dispatched %+v, want the job as it was, the one that came anew, and the edited one with its args", got)
	}
	s.eventually("what broke is parked", func() bool { return s.observed().Parked == 1 })
}

// What nobody can use is not judged before it is due.
func TestUnusableJobsAreLeftUntilTheyAreDue(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	due := s.now() + 1500
	s.add("good", due, 3_600_000, once)
	h := store.Header{UID: "u", Version: 1, Next: due, State: store.Active}
	if err := s.raw.HSet(t.Context(), s.key(0, "jobs"), "bad", h.Encode()+`{"job":{"id":"bad","task":"work","trigger":{"type":"moon"}}}`).Err(); err != nil {
		t.Fatal(err)
	}
	s.schedule("bad", due)
	h.Next = 0
	if err := s.raw.HSet(t.Context(), s.key(0, "jobs"), "nameless", h.Encode()+`{"job":{"id":"nameless","task":"work","trigger":{"type":"interval","every":"1s","start_date":"1970-01-01T00:00:00Z"}}}`).Err(); err != nil {
		t.Fatal(err)
	}
	s.schedule("nameless", due)
	s.lead(1)
	s.eventually("the good one is read", func() bool { return s.observed().Foreseen == 1 })
	s.eventually("the bad ones are parked", func() bool { return s.observed().Parked == 2 })
	if now := s.now(); now < due {
		t.Errorf("they were parked %d ms before they were due", due-now)
	}
	if n := s.observed().Dispatched; n > 1 {
		t.Errorf("%d runs, want that of the good one", n)
	}
}
