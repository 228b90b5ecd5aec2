package history_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

func ran(job, run string, due float64, attempt int, node string, arrived float64) history.Execution {
	return history.Execution{
		JobID: job, RunID: run, Scheduled: at(due), Attempt: attempt, Node: node,
		Arrived: at(arrived), Ended: at(arrived + 0.01), Answered: true,
	}
}

// good is a history of two jobs and three nodes: the leader a is killed at 2.5 s while it runs a2,
// b takes over at 5 s, and a2 is run again by c.
func good() history.History {
	cut := ran("a", "a2", 2, 1, "a", 2.3)
	cut.Answered, cut.Ended = false, at(2.52)
	h := history.History{
		Jobs: []history.Job{{ID: "a", First: at(1), Every: time.Second, MaxInstances: 2}, {ID: "b", First: at(1.5), Every: 2 * time.Second}},
		Executions: []history.Execution{
			ran("a", "a1", 1, 1, "a", 1.01), ran("b", "b1", 1.5, 1, "b", 1.5), cut,
			ran("a", "a3", 3, 1, "b", 5.01), ran("a", "a4", 4, 1, "c", 5.02), ran("b", "b2", 3.5, 1, "b", 5.03),
			ran("a", "a5", 5, 1, "b", 5.04), ran("a", "a2", 2, 2, "c", 5.5), ran("b", "b3", 5.5, 1, "b", 5.6),
		},
		Faults: []history.Fault{{Kind: history.Killed, Node: "a", At: at(2.5), Until: at(2.51), Term: 10}},
		Terms:  []history.Term{{Term: 10, Node: "a", Seen: at(0)}, {Term: 14, Node: "b", Seen: at(4.9)}},
		Pause:  history.Pause{Asked: at(6.1), Done: at(6.2)},
	}
	for _, run := range []string{"a1", "b1", "a2", "a3", "a4", "b2", "a5", "b3"} {
		s := history.Submission{RunID: run, Node: "b", Term: 14}
		if run == "a1" || run == "b1" || run == "a2" {
			s.Node, s.Term = "a", 10
		}
		h.Submissions = append(h.Submissions, s)
	}
	for _, e := range h.Executions {
		if e.Answered {
			h.Outcomes = append(h.Outcomes, history.Outcome{JobID: e.JobID, RunID: e.RunID, Scheduled: e.Scheduled, Outcome: "executed", Attempt: e.Attempt, Node: e.Node})
		}
	}
	return h
}

// without drops the executions of a run, and all that else tells of it.
func without(h *history.History, run string) {
	h.Executions = slices.DeleteFunc(h.Executions, func(e history.Execution) bool { return e.RunID == run })
	h.Submissions = slices.DeleteFunc(h.Submissions, func(s history.Submission) bool { return s.RunID == run })
	h.Outcomes = slices.DeleteFunc(h.Outcomes, func(o history.Outcome) bool { return o.RunID == run })
}

func find(h *history.History, run string, attempt int) *history.Execution {
	i := slices.IndexFunc(h.Executions, func(e history.Execution) bool { return e.RunID == run && e.Attempt == attempt })
	return &h.Executions[i]
}

// onlyEffects drops all evidence but that of the receiver.
func onlyEffects(h *history.History) { h.Submissions, h.Outcomes = nil, nil }

func TestGoodHistoriesPass(t *testing.T) {
	tests := []struct {
		name   string
		change func(*history.History)
	}{
		{"as it was", func(*history.History) {}},
		{"nothing happened", func(h *history.History) { *h = history.History{} }},
		{"the rerun's first attempt died unseen", func(h *history.History) {
			h.Executions = slices.DeleteFunc(h.Executions, func(e history.Execution) bool { return e.RunID == "a2" && e.Attempt == 1 })
		}},
		{"the first attempt was answered and its node died before it reported", func(h *history.History) {
			e := find(h, "a2", 1)
			e.Answered, e.Ended = true, at(2.4)
		}},
		{"which node ran it could not be told", func(h *history.History) { find(h, "a2", 1).Node = "" }},
		{"a time just before the pause did not run", func(h *history.History) { without(h, "b3") }},
		{"a time between the pause and its acknowledgement ran", func(h *history.History) {
			h.Jobs = append(h.Jobs, history.Job{ID: "c", First: at(6.15)})
			onlyEffects(h)
			h.Executions = append(h.Executions, ran("c", "c1", 6.15, 1, "b", 6.16))
		}},
		{"the attempt of a dead node lingers beside its rerun", func(h *history.History) {
			h.Jobs[0].MaxInstances = 1
			find(h, "a2", 1).Ended = at(5.55)
		}},
		{"a suspended node's run was run again", func(h *history.History) {
			h.Faults = []history.Fault{{Kind: history.Suspended, Node: "a", At: at(1.2), Until: at(6)}}
		}},
		{"a follower died, and a suspended leader stayed in office", func(h *history.History) {
			h.Faults = append(h.Faults, history.Fault{Kind: history.Killed, Node: "c", At: at(5.8)},
				history.Fault{Kind: history.Suspended, Node: "b", At: at(5.8), Until: at(5.9), Term: 14})
		}},
		{"nobody watched the election", func(h *history.History) { h.Terms, h.Faults[0].Term = nil, 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := good()
			tt.change(&h)
			if bad := history.Check(h); len(bad) > 0 {
				t.Errorf("a good history has breaches: %v", bad)
			}
		})
	}
}

func TestBadHistoriesAreRejected(t *testing.T) {
	tests := []struct {
		name   string
		change func(*history.History)
		want   history.Rule
	}{
		{"a due time never ran", func(h *history.History) { without(h, "a3") }, history.NoneLost},
		{"a due time began and was never completed", func(h *history.History) {
			onlyEffects(h)
			h.Executions = slices.DeleteFunc(h.Executions, func(e history.Execution) bool { return e.RunID == "a2" && e.Attempt == 2 })
		}, history.NoneLost},
		{"the same attempt twice", func(h *history.History) {
			h.Executions = append(h.Executions, ran("a", "a3", 3, 1, "c", 5.7))
		}, history.NoneDoubled},
		{"one due time under two run ids", func(h *history.History) {
			onlyEffects(h)
			h.Executions = append(h.Executions, ran("a", "x", 3, 1, "c", 5.7))
		}, history.NoneDoubled},
		{"a due time never ran, and there was no pause", func(h *history.History) { without(h, "a3"); h.Pause = history.Pause{} }, history.NoneLost},
		{"one run id for two due times", func(h *history.History) {
			onlyEffects(h)
			e := find(h, "a4", 1)
			e.RunID, e.Attempt = "a3", 2
		}, history.NoneDoubled},
		{"an attempt is missing and nobody died", func(h *history.History) {
			onlyEffects(h)
			h.Faults = nil
			find(h, "a4", 1).Attempt = 2
		}, history.Contiguous},
		{"attempts out of order", func(h *history.History) {
			onlyEffects(h)
			h.Executions = append(h.Executions, ran("a", "a3", 3, 3, "c", 5.7), ran("a", "a3", 3, 2, "c", 5.8))
		}, history.Contiguous},
		{"attempts out of order though a node died", func(h *history.History) {
			onlyEffects(h)
			e := find(h, "a2", 1)
			e.Arrived, e.Ended, e.Answered = at(5.6), at(5.61), true
		}, history.Contiguous},
		{"a rerun although nobody died", func(h *history.History) {
			onlyEffects(h)
			h.Executions = append(h.Executions, ran("a", "a5", 5, 2, "c", 5.8))
		}, history.Explained},
		{"a rerun although another node died", func(h *history.History) { h.Faults[0].Node = "c" }, history.Explained},
		{"a rerun although the node was told to end in peace", func(h *history.History) { h.Faults[0].Kind = history.Told }, history.Explained},
		{"a rerun before its node died", func(h *history.History) { h.Faults[0].At, h.Faults[0].Until = at(5.8), at(5.8) }, history.Explained},
		{"a run nobody defined", func(h *history.History) {
			onlyEffects(h)
			h.Executions = append(h.Executions, ran("z", "z1", 3, 1, "c", 5.7))
		}, history.NoPhantom},
		{"a time that was never due", func(h *history.History) {
			onlyEffects(h)
			h.Executions = append(h.Executions, ran("b", "x", 2.5, 1, "c", 2.6))
		}, history.NoPhantom},
		{"a time before the first", func(h *history.History) {
			onlyEffects(h)
			h.Executions = append(h.Executions, ran("a", "x", 0, 1, "c", 0.1))
		}, history.NoPhantom},
		{"a request that names no run", func(h *history.History) {
			onlyEffects(h)
			find(h, "a4", 1).RunID = ""
		}, history.NoPhantom},
		{"a run the log knows nothing of", func(h *history.History) { h.Submissions = h.Submissions[1:] }, history.NoPhantom},
		{"an early run", func(h *history.History) { find(h, "a5", 1).Arrived = at(4.999) }, history.NotEarly},
		{"a run due after the pause", func(h *history.History) {
			onlyEffects(h)
			h.Executions = append(h.Executions, ran("a", "a7", 7, 1, "c", 7.1))
		}, history.NotPaused},
		{"more at once than may be", func(h *history.History) { h.Jobs[0].MaxInstances = 1; find(h, "a3", 1).Ended = at(5.021) }, history.Limited},
		{"a connection cut although nobody died", func(h *history.History) { find(h, "a5", 1).Answered = false; onlyEffects(h) }, history.Explained},
		{"a term that went down", func(h *history.History) { h.Terms = append(h.Terms, history.Term{Term: 12, Node: "c", Seen: at(6)}) }, history.TermsRise},
		{"two leaders of one term", func(h *history.History) { h.Terms = append(h.Terms, history.Term{Term: 14, Node: "c", Seen: at(6)}) }, history.OneLeader},
		{"a dead leader and no successor", func(h *history.History) { h.Terms = h.Terms[:1]; onlyEffects(h) }, history.Succeeded},
		{"a dispatch in an old term", func(h *history.History) {
			s := h.Submissions
			s[5], s[2] = s[2], s[5]
		}, history.Fenced},
		{"a dispatch in a term etcd never gave", func(h *history.History) { h.Submissions[7].Term = 15 }, history.Fenced},
		{"a dispatch by another node than the elected", func(h *history.History) { h.Submissions[7].Node = "c" }, history.Fenced},
		{"a run dispatched twice", func(h *history.History) { h.Submissions = append(h.Submissions, h.Submissions[7]) }, history.SentOnce},
		{"two outcomes of one run", func(h *history.History) { h.Outcomes = append(h.Outcomes, h.Outcomes[0]) }, history.OneOutcome},
		{"no outcome", func(h *history.History) { h.Outcomes = h.Outcomes[1:] }, history.OneOutcome},
		{"the outcome of an earlier attempt", func(h *history.History) {
			for i := range h.Outcomes {
				h.Outcomes[i].Attempt = 1
			}
		}, history.OneOutcome},
		{"an outcome that is no success", func(h *history.History) { h.Outcomes[0].Outcome = "max_instances" }, history.OneOutcome},
		{"an outcome nobody saw run", func(h *history.History) {
			h.Outcomes = append(h.Outcomes, history.Outcome{JobID: "a", RunID: "a6", Scheduled: at(6), Outcome: "executed", Attempt: 1})
		}, history.OneOutcome},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := good()
			tt.change(&h)
			bad := history.Check(h)
			if len(bad) == 0 {
				t.Fatal("it passed")
			}
			if !slices.ContainsFunc(bad, func(b history.Breach) bool { return b.Rule == tt.want }) {
				t.Errorf("rejected, and not for %q: %v", tt.want, bad)
			}
		})
	}
}

func TestCount(t *testing.T) {
	h := good()
	want := history.Tally{
		Jobs: 2, Due: 7, Ran: 7, Executions: 9, Reruns: 1, Kills: 1, Terms: 2, Late: 2010 * time.Millisecond,
	}
	if diff := cmp.Diff(want, history.Count(h)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	without(&h, "a3")
	h.Executions = append(h.Executions, ran("a", "a4", 4, 1, "c", 5.9))
	if got := history.Count(h); got.Lost != 1 || got.Ran != 6 || got.Doubled != 1 {
		t.Errorf("one lost, one doubled: %+v", got)
	}
}

func TestTakeover(t *testing.T) {
	h := good()
	if got := h.Takeovers(); !slices.Equal(got, []time.Duration{2510 * time.Millisecond}) {
		t.Errorf("takeovers are %v, want the 2.51 s until a3 arrived", got)
	}
	h.Faults[0].Term = 14
	if got := h.Takeovers(); len(got) != 0 {
		t.Errorf("nobody followed term 14, yet takeovers are %v", got)
	}
	for n, want := range []time.Duration{0, 1, 2, 2} {
		if got := history.Median([]time.Duration{1, 2, 3}[:n]); got != want {
			t.Errorf("median of the first %d is %d, want %d", n, got, want)
		}
	}
}

func TestElection(t *testing.T) {
	var e history.Election
	if e.Settle(at(0)) {
		t.Error("somebody was elected of nobody")
	}
	e.Created("k2", 8, "b")
	e.Created("k1", 5, "a")
	if !e.Settle(at(1)) || e.Settle(at(2)) {
		t.Error("the first candidate is not in office once")
	}
	e.Created("k3", 9, "c")
	e.Deleted("k2") // a follower that leaves changes nothing
	if e.Settle(at(3)) {
		t.Error("a follower's end made a new leader")
	}
	e.Deleted("k1")
	if !e.Settle(at(4)) {
		t.Error("nobody followed")
	}
	want := []history.Term{{Term: 5, Node: "a", Seen: at(1)}, {Term: 9, Node: "c", Seen: at(4)}}
	if diff := cmp.Diff(want, e.Terms()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHistoriesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.json")
	if err := good().Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := history.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(good(), got); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
}

func TestReruns(t *testing.T) {
	h := good()
	if got := h.Reruns(); !slices.Equal(got, []time.Duration{3 * time.Second}) {
		t.Errorf("reruns took %v, want the 3 s from the kill of a to attempt 2 of a2", got)
	}
	h.Faults[0].Node = "c"
	if got := h.Reruns(); len(got) != 0 {
		t.Errorf("nothing struck a, yet reruns took %v", got)
	}
}

func TestSkippedAreCounted(t *testing.T) {
	h := edited()
	drop(&h, 7.5)
	h.Skips = append(h.Skips, history.Skip{JobID: "e", Outcome: "coalesced", From: at(7.5), Until: at(7.5), Count: 1})
	if got := history.Count(h); got.Skipped != 1 || got.Lost != 0 {
		t.Errorf("one time has a row and no run: %+v", got)
	}
}

func TestFrom(t *testing.T) {
	h := good()
	without(&h, "a1")
	h.Jobs = append(h.Jobs, history.Job{ID: "once", First: at(1)}, history.Job{ID: "unseen", Unseen: true})
	if bad := history.Check(h); len(bad) == 0 {
		t.Fatal("a history that lacks runs was taken for good")
	}
	later := h.From(at(1))
	if bad := history.Check(later); len(bad) > 0 {
		t.Errorf("what was due until then is judged: %v", bad)
	}
	if _, ok := later.Takeover(later.Faults[0]); !ok || len(later.Executions) == 0 || len(later.Jobs) != len(h.Jobs)-1 {
		t.Errorf("what came later is gone: %+v", later)
	}
	without(&later, "a3")
	if bad := history.Check(later); len(bad) == 0 {
		t.Error("what is due later is not judged")
	}
	if again := h.From(at(100)); len(again.Executions)+len(again.Moves)+len(again.Outcomes) != 0 {
		t.Errorf("after its end there is %+v", again)
	}
}
