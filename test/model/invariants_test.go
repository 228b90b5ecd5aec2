package model_test

import (
	"testing"

	"github.com/carillon-project/carillon/test/model"
)

func TestBroken(t *testing.T) {
	const owner, other = model.Token(4), model.Token(8)
	once := model.Fate{Dispatches: 1}
	runs := func(run uint8, as model.Token) model.Executor {
		return model.Executor{Phase: model.Executing, Consumer: uint8(as >> 2), Run: run, Owner: as}
	}
	for _, c := range []struct {
		name string
		want string
		make func(*model.State)
	}{
		{"a run in the stream", "", func(s *model.State) {
			s.Fates[0], s.Stream[0] = once, model.Entry{ID: 1}
		}},
		{"a run that runs", "", func(s *model.State) {
			s.Fates[0], s.Running[0], s.Slots[0], s.Executors[0] = once, model.Hold{Owner: owner}, 1, runs(0, owner)
		}},
		{"a run dispatched twice", model.OneDispatch, func(s *model.State) {
			s.Fates[0], s.Stream[0], s.Stream[1] = model.Fate{Dispatches: 2}, model.Entry{ID: 1}, model.Entry{ID: 2}
		}},
		{"a run that was recorded as skipped", model.OneDispatch, func(s *model.State) {
			s.Fates[0], s.Stream[0] = model.Fate{Dispatches: 1, Skipped: true}, model.Entry{ID: 1}
		}},
		{"a run with two outcomes", model.OneOutcome, func(s *model.State) { s.Fates[0] = model.Fate{Dispatches: 1, Ends: 2} }},
		{"a run that is nowhere", model.OnePlace, func(s *model.State) { s.Fates[0] = once }},
		{"a run in the stream and delayed", model.OnePlace, func(s *model.State) {
			s.Fates[0], s.Stream[0], s.Delayed[0] = once, model.Entry{ID: 1}, model.Message{Attempt: 2}
		}},
		{"a run in line that has ended", model.OnePlace, func(s *model.State) {
			s.Fates[0], s.Waiting[0] = model.Fate{Dispatches: 1, Ends: 1}, model.Message{Attempt: 2}
		}},
		{"a due time that was passed over", model.TimesAccounted, func(s *model.State) { s.Jobs[0].Next = 1 }},
		{"a counter above running", model.CounterIsTruth, func(s *model.State) { s.Slots[0] = 1 }},
		{"a counter below running", model.CounterIsTruth, func(s *model.State) {
			s.Fates[0], s.Running[0] = once, model.Hold{Owner: owner}
		}},
		{"an attempt whose run another one has", model.LeaseIsKept, func(s *model.State) {
			s.Fates[0], s.Running[0], s.Slots[0], s.Executors[0] = once, model.Hold{Owner: other}, 1, runs(0, owner)
		}},
		{"the same after its lease has ended", "", func(s *model.State) {
			s.Fates[0], s.Running[0], s.Slots[0], s.Executors[0] = once, model.Hold{Owner: other}, 1, runs(0, owner)
			s.Executors[0].Void, s.Executors[1] = true, runs(0, other)
		}},
		{"a run that no process knows of", model.StartsAreHeard, func(s *model.State) {
			s.Fates[0], s.Running[0], s.Slots[0] = once, model.Hold{Owner: owner}, 1
		}},
		{"the same after its lease has ended, or its process", "", func(s *model.State) {
			s.Fates[0], s.Running[0], s.Fates[1], s.Running[1] = once, model.Hold{Owner: owner, Ended: true}, once, model.Hold{Owner: 12}
			s.Slots[0] = 2
		}},
		{"a message of two runs, of which one has ended too", model.OnePlace, func(s *model.State) {
			s.Fates[0], s.Fates[1] = once, model.Fate{Dispatches: 1, Ends: 1}
			s.Stream[0] = model.Entry{ID: 1, Message: model.Message{Attempt: 1, More: 1}}
		}},
		{"two runs in one slot", model.WithinInstances, func(s *model.State) {
			s.Fates[0], s.Running[0], s.Executors[0] = once, model.Hold{Owner: owner}, runs(0, owner)
			s.Fates[1], s.Running[1], s.Executors[1] = once, model.Hold{Owner: other}, runs(1, other)
			s.Slots[0] = 2
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := model.Protocol{Bounds: twoTimes}
			s := p.Initial()
			c.make(&s)
			if got := p.Broken(s); got != c.want {
				t.Errorf("broken: %q, want %q", got, c.want)
			}
		})
	}
}
