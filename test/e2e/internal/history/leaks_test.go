package history_test

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

func TestLeaks(t *testing.T) {
	tests := []struct {
		name  string
		usage []history.Usage
		want  int
	}{
		{"nothing was read", nil, 0},
		{"as before", []history.Usage{{Node: "a", Before: 80, After: 81}}, 0},
		{"one took office", []history.Usage{{Node: "a", Before: 80, After: 120}, {Node: "b", Before: 110, After: 70}}, 0},
		{"one came later", []history.Usage{{Node: "a", Before: 80, After: 80}, {Node: "x", After: 120}}, 0},
		{"one leaks", []history.Usage{{Node: "a", Before: 80, After: 400}, {Node: "b", Before: 80, After: 80}}, 1},
		{"one that came later leaks", []history.Usage{{Node: "a", Before: 80}, {Node: "x", After: 400}}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := history.Check(history.History{Usage: tt.usage})
			if len(bad) != tt.want {
				t.Errorf("breaches: %v, want %d", bad, tt.want)
			}
			for _, b := range bad {
				if b.Rule != history.NothingLeft {
					t.Errorf("the breach is one of %s", b.Rule)
				}
			}
		})
	}
}

func TestOnTime(t *testing.T) {
	tests := []struct {
		name   string
		change func(*history.History)
		want   int
	}{
		{"as it was", func(*history.History) {}, 0},
		{"one began late", func(h *history.History) { find(h, "a5", 1).Arrived = at(5.8) }, 1},
		{"one did not run", func(h *history.History) { without(h, "b3") }, 1},
		{"one that may skip", func(h *history.History) { without(h, "b3"); h.Jobs[1].MaySkip = true }, 0},
		{"one before it was late", func(h *history.History) { find(h, "a3", 1).Arrived = at(9) }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := good()
			tt.change(&h)
			if bad := h.OnTime(at(4.5), at(5.9), 500*time.Millisecond); len(bad) != tt.want {
				t.Errorf("breaches: %v, want %d", bad, tt.want)
			}
		})
	}
}
