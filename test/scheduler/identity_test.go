package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
)

// A client adds and removes one id again and again, each time with the same time that has passed, and adds
// it a last time: that one fires, whatever the leader has seen of the others.
func TestIDThatComesAndGoesFiresInTheEnd(t *testing.T) {
	t.Parallel()
	s := newStand(t, 1)
	s.lead(1)
	first := s.now() - 1000
	for round := range 4 {
		id := fmt.Sprint("again", round)
		for range 40 {
			s.add(id, first, 3_600_000, once)
			if _, err := s.Remove(s.Context(), uuid.NewString(), id); err != nil && s.exists(id) {
				t.Fatal(err)
			}
		}
		e := s.add(id, first, 3_600_000, once)
		s.eventually("the last one has fired", func() bool {
			for _, m := range s.fetch(0, "n/1", 1) {
				if m.UID == e.UID {
					return true
				}
			}
			return false
		})
	}
	if n := s.observed().Parked; n != 0 {
		t.Errorf("%d jobs were parked", n)
	}
}
