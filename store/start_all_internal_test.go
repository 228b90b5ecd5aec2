package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
)

// takenOf are messages of one run each, with what a case sets.
func takenOf(messages ...Message) []Taken {
	all := make([]Taken, len(messages))
	for i, m := range messages {
		if len(m.Runs) == 0 {
			m.Runs = []MessageRun{{ID: string(rune('a' + i)), Due: 1000}}
		}
		all[i].Message = &m
	}
	return all
}

func TestSlotsOf(t *testing.T) {
	one := func(slot string, limit int) Message { return Message{Slot: slot, Max: limit} }
	twin := Message{Runs: []MessageRun{{ID: "a"}}}
	cases := []struct {
		name string
		run  []Taken
		want []slotUse
		ok   bool
	}{
		{"none", nil, nil, false},
		{"no slots", takenOf(one("x", 0), one("x", 0)), []slotUse{}, true},
		{"one each", takenOf(one("x", 1), one("y", 1)), []slotUse{{"x", 1, 1}, {"y", 1, 1}}, true},
		{"those for one come first", takenOf(one("x", 5), one("y", 1), one("z", 2), one("w", 1)),
			[]slotUse{{"y", 1, 1}, {"w", 1, 1}, {"z", 2, 1}, {"x", 5, 1}}, true},
		{"two of one slot", takenOf(one("x", 2), one("x", 2)), []slotUse{{"x", 2, 2}}, true},
		{"the lowest limit counts", takenOf(one("x", 5), one("x", 3)), []slotUse{{"x", 3, 2}}, true},
		{"more than its room", takenOf(one("x", 1), one("x", 5)), nil, false},
		{"one run twice", takenOf(twin, twin), nil, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, ok := slotsOf(c.run)
			if ok != c.ok || ok && !cmp.Equal(got, c.want, cmp.AllowUnexported(slotUse{})) {
				t.Errorf("%v %v, want %v %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestWithinGrace(t *testing.T) {
	late := func(grace time.Duration, due int64) Message {
		return Message{Attempt: 1, Grace: job.Grace(grace), Runs: []MessageRun{{ID: "r", Due: due}, {ID: "s", Due: 1}}}
	}
	second := late(time.Second, 10)
	second.Attempt = 2
	cases := []struct {
		name string
		run  []Taken
		want any
	}{
		{"never too late", takenOf(late(0, 10), Message{Attempt: 1, Grace: job.GraceNone}), ""},
		{"due and grace", takenOf(late(time.Second, 10)), int64(1010)},
		{"the earliest", takenOf(late(time.Second, 10), late(time.Millisecond, 20), late(0, 1)), int64(21)},
		{"a later attempt", takenOf(second), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := withinGrace(c.run); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
