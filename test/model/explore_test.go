package model_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/test/model"
)

// stairs are steps up from 0 to top; from pit there is no way on, from top none is needed.
type stairs struct{ top, pit, worst uint8 }

func (m stairs) Initial() uint8          { return 0 }
func (m stairs) Canonical(s uint8) uint8 { return s }
func (m stairs) Good(s uint8) bool       { return s == m.top }

func (m stairs) Broken(s uint8) string {
	if m.worst != 0 && s == m.worst {
		return "too high"
	}
	return ""
}

func (m stairs) Steps(s uint8, take func(model.Step, uint8)) {
	if s == m.top || s == m.pit {
		return
	}
	up := s + 1
	if up == m.pit {
		up++ // it looks where it treads
	}
	take(model.Step{Who: "cat", Does: "climbs", Noun: "stair", Number: up}, up)
	if s+2 <= m.top {
		take(model.Step{Who: "cat", Does: "leaps", Fault: true}, s+2)
	}
}

func TestExplore(t *testing.T) {
	for _, c := range []struct {
		name    string
		machine stairs
		want    string
	}{
		{"clean", stairs{top: 4, pit: 9}, "5 states, 7 steps, depth 3, nothing broken"},
		{"a shortest trace to what is broken", stairs{top: 9, pit: 9, worst: 3},
			"broken after 4 states: too high\n  1. cat climbs, stair 1\n  2. cat leaps (fault)\n"},
		{"stuck where nothing leads on", stairs{top: 4, pit: 3},
			"broken after 5 states: every run ends once faults stop\n  1. cat climbs, stair 1\n  2. cat leaps (fault)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := model.Explore(c.machine, 100)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, r.String()); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExploreIsBounded(t *testing.T) {
	if _, err := model.Explore(stairs{top: 200, pit: 201}, 20); !errors.Is(err, model.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}
