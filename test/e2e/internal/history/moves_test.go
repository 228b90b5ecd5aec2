package history_test

import (
	"slices"
	"testing"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// steps builds the moves of a history one after another.
type steps struct{ all []history.Move }

func (s *steps) add(m history.Move) *history.Move {
	m.Step = len(s.all)
	if m.Scheduled.IsZero() {
		m.Scheduled = at(1)
	}
	m.Due = m.Scheduled
	s.all = append(s.all, m)
	return &s.all[len(s.all)-1]
}

// life is the moves of one run of job a, due at 1 s, that the node a loses: dispatched in term 10,
// started, taken back when its lease is over, started again and ended.
func life() []history.Move {
	var s steps
	s.add(history.Move{At: at(1), RunID: "a1", JobID: "a", To: "stream", Attempt: 1, Node: "a", Term: 10, Fence: 10, Max: 2})
	s.add(history.Move{At: at(1.1), RunID: "a1", JobID: "a", From: "stream", To: "running", Attempt: 1, Node: "a", Fence: 10, Max: 2, Held: 1, Counter: 1})
	s.add(history.Move{At: at(4.2), RunID: "a1", JobID: "a", From: "running", To: "stream", Attempt: 2, Node: "a", Lease: at(4.1), Fence: 14, Max: 2, Lost: true})
	s.add(history.Move{At: at(4.3), RunID: "a1", JobID: "a", From: "stream", To: "running", Attempt: 2, Node: "b", Fence: 14, Max: 2, Held: 1, Counter: 1})
	s.add(history.Move{At: at(4.4), RunID: "a1", JobID: "a", From: "running", Attempt: 2, Node: "b", Lease: at(7.3), Fence: 14, Max: 2, Outcomes: []string{"executed"}})
	return s.all
}

// stored is a good history of one job as the append-only file and the receiver tell it.
func stored() history.History {
	h := history.History{
		Jobs:  []history.Job{{ID: "a", First: at(1), MaxInstances: 2}},
		Moves: life(), Fences: []history.Fence{{Step: 0, At: at(0), Term: 10}, {Step: 2, At: at(2), Term: 14}},
		Terms:  []history.Term{{Term: 10, Node: "a", Seen: at(0)}, {Term: 14, Node: "b", Seen: at(2)}},
		Faults: []history.Fault{{Kind: history.Suspended, Node: "a", At: at(1.2), Until: at(6)}},
		Limits: history.Limits{Calm: 500 * time.Millisecond, Recover: 2 * time.Second},
	}
	cut := ran("a", "a1", 1, 1, "a", 1.12)
	cut.Answered, cut.Ended = false, at(6)
	h.Executions = []history.Execution{cut, ran("a", "a1", 1, 2, "b", 4.31)}
	return h
}

// edited is a good history of a job that is changed, paused, resumed and removed.
func edited() history.History {
	op := func(kind history.OpKind, t float64) history.Op {
		return history.Op{JobID: "e", Kind: kind, Asked: at(t), Done: at(t + 0.01)}
	}
	change := op(history.OpChange, 5.2)
	change.First, change.Every = at(6.5), time.Second
	h := history.History{
		Jobs: []history.Job{{ID: "e", First: at(1), Every: time.Second, MaySkip: true}},
		Ops:  []history.Op{change, op(history.OpPause, 9.2), op(history.OpResume, 11.7), op(history.OpRemove, 14.7)},
	}
	for _, due := range []float64{1, 2, 3, 4, 5, 6.5, 7.5, 8.5, 12.5, 13.5} {
		h.Executions = append(h.Executions, ran("e", "e"+at(due).Format("05.0"), due, 1, "a", due+0.01))
		h.Moves = append(h.Moves, history.Move{
			Step: len(h.Moves), At: at(due), RunID: "e" + at(due).Format("05.0"), JobID: "e", Scheduled: at(due), Due: at(due),
			To: "stream", Attempt: 1, Node: "a", Term: 10, Fence: 10,
		})
	}
	h.Executions = append(h.Executions, ran("z", "z1", 20, 1, "a", 20.01)) // so that all of e is demanded
	h.Jobs = append(h.Jobs, history.Job{ID: "z", First: at(20)})
	return h
}

// drop takes an executed time of job e out of all evidence.
func drop(h *history.History, due float64) {
	h.Executions = slices.DeleteFunc(h.Executions, func(e history.Execution) bool { return e.Scheduled.Equal(at(due)) })
	h.Moves = slices.DeleteFunc(h.Moves, func(m history.Move) bool { return m.Scheduled.Equal(at(due)) })
}

// dispatched adds a dispatch of job e.
func dispatched(h *history.History, due, when float64) {
	h.Moves = append(h.Moves, history.Move{
		Step: len(h.Moves), At: at(when), RunID: "late", JobID: "e", Scheduled: at(due), Due: at(due), To: "stream", Attempt: 1, Term: 10, Fence: 10,
	})
}

func TestGoodStoresAndEditsPass(t *testing.T) {
	tests := []struct {
		name   string
		base   func() history.History
		change func(*history.History)
	}{
		{"a run that was lost and run again", stored, func(*history.History) {}},
		{"a run taken early from a killed process", stored, func(h *history.History) {
			h.Faults[0] = history.Fault{Kind: history.Killed, Node: "a", At: at(1.2), Until: at(1.21)}
			h.Moves[2].At, h.Moves[2].Lease = at(1.3), at(4.1)
		}},
		{"a retry waits delayed, with its lease alive when it failed", stored, func(h *history.History) {
			h.Moves[2].To, h.Moves[2].Lost, h.Moves[2].Lease = "delayed", false, at(9)
			h.Moves[3].From = "delayed"
		}},
		{"a run that begins late while a fault heals", stored, func(h *history.History) {
			h.Executions[0].Arrived = at(3.5)
		}},
		{"the same attempt again since Redis was rolled back", stored, func(h *history.History) {
			h.Executions = append(h.Executions, ran("a", "a1", 1, 2, "b", 4.9))
			h.Faults = append(h.Faults, history.Fault{Kind: history.RedisBack, At: at(4.5)})
		}},
		{"a job that is edited", edited, func(*history.History) {}},
		{"a time that a pause dropped stands in a row", edited, func(h *history.History) {
			drop(h, 7.5)
			h.Skips = append(h.Skips, history.Skip{JobID: "e", Outcome: "coalesced", From: at(7.5), Until: at(7.5), Count: 1})
		}},
		{"a time just before a change was given up", edited, func(h *history.History) { drop(h, 5) }},
		{"a removal of unknown outcome, after which it went on", edited, func(h *history.History) {
			h.Ops[3].Failed = true
			dispatched(h, 15.5, 15.5)
		}},
		{"nothing was dispatched until a change", edited, func(h *history.History) { drop(h, 4); drop(h, 5) }},
		{"dispatched between a pause that failed and the next", edited, func(h *history.History) {
			again := h.Ops[1]
			again.Asked, again.Done = at(9.7), at(9.71)
			h.Ops[1].Failed = true
			h.Ops = slices.Insert(h.Ops, 2, again)
			h.Executions = append(h.Executions, ran("e", "late", 9.5, 1, "a", 9.51))
			dispatched(h, 9.5, 9.5)
		}},
		{"times that a fault kept until a pause", edited, func(h *history.History) {
			drop(h, 7.5)
			h.Faults = append(h.Faults, history.Fault{Kind: history.Killed, Node: "a", At: at(7.4), Until: at(9.3)})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.base()
			tt.change(&h)
			if bad := history.Check(h); len(bad) > 0 {
				t.Errorf("a good history has breaches: %v", bad)
			}
		})
	}
}

func TestBadStoresAreRejected(t *testing.T) {
	tests := []struct {
		name   string
		change func(*history.History)
		want   history.Rule
	}{
		{"in two places", func(h *history.History) { h.Moves[2].To = "running+stream"; h.Moves[3].From = "running+stream" }, history.OnePlace},
		{"twice in a stream", func(h *history.History) { h.Moves[0].To = "stream+stream"; h.Moves[1].From = "stream+stream" }, history.OnePlace},
		{"it came from nowhere", func(h *history.History) { h.Moves = h.Moves[1:] }, history.OnePlace},
		{"dispatched again after its end", func(h *history.History) {
			h.Moves = append(h.Moves, history.Move{Step: 5, At: at(5), RunID: "a1", JobID: "a", Scheduled: at(1), Due: at(1), To: "stream", Attempt: 1, Term: 14, Fence: 14})
		}, history.SentOnce},
		{"enqueued again after its end", func(h *history.History) {
			h.Moves = append(h.Moves, history.Move{Step: 5, At: at(5), RunID: "a1", JobID: "a", Scheduled: at(1), To: "delayed", Attempt: 3})
		}, history.SentOnce},
		{"it vanished without an outcome", func(h *history.History) { h.Moves[4].Outcomes = nil }, history.OneOutcome},
		{"two outcomes", func(h *history.History) { h.Moves[4].Outcomes = []string{"lost", "executed"} }, history.OneOutcome},
		{"an outcome before its end", func(h *history.History) { h.Moves[2].Outcomes = []string{"lost"} }, history.OneOutcome},
		{"a fence that fell", func(h *history.History) { h.Fences = append(h.Fences, history.Fence{Step: 5, Term: 10}) }, history.Fenced},
		{"a fence that etcd never gave", func(h *history.History) { h.Fences[1].Term = 15; h.Moves[2].Fence = 15 }, history.Fenced},
		{"a dispatch past the fence", func(h *history.History) { h.Moves[0].Fence = 14 }, history.Fenced},
		{"an attempt left out", func(h *history.History) { h.Moves[3].Attempt = 3 }, history.Contiguous},
		{"an attempt started twice", func(h *history.History) { h.Moves[3].Attempt = 1 }, history.Contiguous},
		{"taken while the lease lived", func(h *history.History) { h.Moves[2].Lease = at(5) }, history.LeaseOver},
		{"taken since another process was killed", func(h *history.History) {
			h.Moves[2].Lease = at(5)
			h.Faults = append(h.Faults, history.Fault{Kind: history.Killed, Node: "b", At: at(3)})
		}, history.LeaseOver},
		{"taken before its process was killed", func(h *history.History) {
			h.Moves[2].Lease = at(5)
			h.Faults = append(h.Faults, history.Fault{Kind: history.Killed, Node: "a", At: at(4.9)})
		}, history.LeaseOver},
		{"a slot that leaked", func(h *history.History) { h.Moves[4].Counter = 1 }, history.SlotsCount},
		{"a slot given back twice", func(h *history.History) { h.Moves[3].Counter = 0 }, history.SlotsCount},
		{"more held than may be", func(h *history.History) { h.Moves[3].Held, h.Moves[3].Counter = 3, 3 }, history.Limited},
		{"more held than one", func(h *history.History) { h.Moves[1].Max, h.Moves[1].Held, h.Moves[1].Counter = 1, 2, 2 }, history.Limited},
		{"dispatched for a job nobody defined", func(h *history.History) { h.Moves[0].JobID = "z" }, history.NoPhantom},
		{"dispatched early by Redis's clock", func(h *history.History) { h.Moves[0].At = at(0.999) }, history.NotEarly},
		{"dispatched before its jitter", func(h *history.History) { h.Moves[0].Due = at(1.5) }, history.NotEarly},
		{"dispatched after the pause", func(h *history.History) { h.Pause = history.Pause{Asked: at(0.1), Done: at(0.2)} }, history.Stopped},
		{"late without a fault", func(h *history.History) { h.Faults = nil; h.Executions[0].Arrived = at(1.6) }, history.OnTime},
		{"late long after the fault", func(h *history.History) {
			h.Faults[0].At, h.Faults[0].Until = at(-9), at(-8)
			h.Executions[0].Arrived = at(1.6)
		}, history.OnTime},
		{"a key that stayed", func(h *history.History) { h.Left = []string{"slots:a exists"} }, history.NothingLeft},
		{"a consumer that stayed", func(h *history.History) { h.Left = []string{"consumer n9 of default"} }, history.NothingLeft},
		{"the same attempt again before Redis was rolled back", func(h *history.History) {
			h.Executions = append(h.Executions, ran("a", "a1", 1, 2, "b", 4.9))
			h.Faults = append(h.Faults, history.Fault{Kind: history.RedisBack, At: at(5.5)})
		}, history.NoneDoubled},
		{"a rerun that an outage of etcd does not excuse", func(h *history.History) { h.Faults[0].Kind = history.EtcdDown }, history.Explained},
		{"a rerun that a lost reply does not excuse", func(h *history.History) { h.Faults[0].Kind = history.ReplyLost }, history.Explained},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { reject(t, stored, tt.change, tt.want) })
	}
}

func TestBadEditsAreRejected(t *testing.T) {
	tests := []struct {
		name   string
		change func(*history.History)
		want   history.Rule
	}{
		{"a time of the first definition never ran", func(h *history.History) { drop(h, 3) }, history.NoneLost},
		{"a time after the change never ran", func(h *history.History) { drop(h, 7.5) }, history.NoneLost},
		{"a time after the resume never ran", func(h *history.History) { drop(h, 12.5) }, history.NoneLost},
		{"a row stands for another time", func(h *history.History) {
			drop(h, 7.5)
			h.Skips = append(h.Skips, history.Skip{JobID: "e", Outcome: "missed", From: at(6.5), Until: at(7.4), Count: 1})
		}, history.NoneLost},
		{"dispatched while its job is paused", func(h *history.History) { dispatched(h, 9.5, 10) }, history.Stopped},
		{"one time was passed over before a change", func(h *history.History) { drop(h, 4) }, history.NoneLost},
		{"dispatched after a pause that failed and one that did not", func(h *history.History) {
			failed := h.Ops[1]
			failed.Asked, failed.Done, failed.Failed = at(9.1), at(9.11), true
			h.Ops = slices.Insert(h.Ops, 1, failed)
			dispatched(h, 9.5, 10)
		}, history.Stopped},
		{"dispatched after its job was removed", func(h *history.History) { dispatched(h, 14.5, 15) }, history.Stopped},
		{"a time that no definition has", func(h *history.History) {
			h.Executions = append(h.Executions, ran("e", "x", 7.25, 1, "a", 7.3))
		}, history.NoPhantom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { reject(t, edited, tt.change, tt.want) })
	}
}

// reject demands that a changed history breaks the rule.
func reject(t *testing.T, base func() history.History, change func(*history.History), want history.Rule) {
	t.Helper()
	h := base()
	change(&h)
	bad := history.Check(h)
	if !slices.ContainsFunc(bad, func(b history.Breach) bool { return b.Rule == want }) {
		t.Errorf("not rejected for %q: %v", want, bad)
	}
}
