package history

import (
	"fmt"
	"slices"
)

// checkTerms: terms rise, and each has one holder.
func checkTerms(h History) (bad []Breach) {
	holders := map[int64]string{}
	var last int64
	for _, t := range h.Terms {
		subject := fmt.Sprintf("term %d of %s", t.Term, t.Node)
		if first, ok := holders[t.Term]; ok && first != t.Node {
			bad = append(bad, breach(OneLeader, subject, "%s held it too", first))
		} else if t.Term <= last {
			bad = append(bad, breach(TermsRise, subject, "came after term %d", last))
		}
		holders[t.Term], last = t.Node, max(last, t.Term)
	}
	return bad
}

// checkSuccessors: whoever led when it was killed or told to end was followed in a higher term.
func checkSuccessors(h History) (bad []Breach) {
	for _, f := range h.Faults {
		if f.Term == 0 || f.Kind != Killed && f.Kind != Told {
			continue
		}
		followed := slices.ContainsFunc(h.Terms, func(t Term) bool { return t.Term > f.Term && t.Seen.After(f.At) })
		if !followed {
			bad = append(bad, breach(Succeeded, fmt.Sprintf("term %d of %s", f.Term, f.Node), "nobody followed"))
		}
	}
	return bad
}

// checkSubmissions: in the order of the log terms never fall, each is one that etcd gave to that
// node, no run is dispatched twice, and every execution was dispatched.
func checkSubmissions(h History) (bad []Breach) {
	if len(h.Submissions) == 0 {
		return nil
	}
	elected := map[int64]string{}
	for _, t := range h.Terms {
		elected[t.Term] = t.Node
	}
	sent := map[string]bool{}
	var last int64
	for _, s := range h.Submissions {
		subject := fmt.Sprintf("run %s by %s in term %d", s.RunID, s.Node, s.Term)
		switch node, ok := elected[s.Term]; {
		case len(elected) > 0 && !ok:
			bad = append(bad, breach(Fenced, subject, "etcd never gave that term"))
		case len(elected) > 0 && s.Node != "" && node != s.Node:
			bad = append(bad, breach(Fenced, subject, "etcd gave the term to %s", node))
		case s.Term < last:
			bad = append(bad, breach(Fenced, subject, "dispatched after term %d had", last))
		}
		last = max(last, s.Term)
		if sent[s.RunID] {
			bad = append(bad, breach(SentOnce, subject, "the run was dispatched before"))
		}
		sent[s.RunID] = true
	}
	for _, e := range h.Executions {
		if !sent[e.RunID] {
			bad = append(bad, breach(NoPhantom, e.subject(), "the log knows of no dispatch"))
		}
	}
	return bad
}

// checkOutcomes: each run that was seen has one outcome, executed by its last attempt, and no
// outcome stands for a run that nobody saw.
func checkOutcomes(h History) (bad []Breach) {
	if len(h.Outcomes) == 0 {
		return nil
	}
	rows := map[string]Outcome{}
	lenient, unseen := map[string]bool{}, map[string]bool{}
	for _, j := range h.Jobs {
		lenient[j.ID], unseen[j.ID] = j.MaySkip, j.Unseen
	}
	for _, o := range h.Outcomes {
		if unseen[o.JobID] {
			continue
		}
		subject := fmt.Sprintf("%s run %s", instantOf(o.JobID, o.Scheduled), o.RunID)
		switch first, ok := rows[o.RunID]; {
		case o.RunID == "" || o.Outcome != "executed" && !lenient[o.JobID]:
			bad = append(bad, breach(OneOutcome, subject, "ended as %s", o.Outcome))
		case ok:
			bad = append(bad, breach(OneOutcome, subject, "ended twice, as %s and %s", first.Outcome, o.Outcome))
		}
		rows[o.RunID] = o
	}
	last := map[string]Execution{}
	for _, e := range h.Executions {
		if e.Attempt >= last[e.RunID].Attempt {
			last[e.RunID] = e
		}
	}
	for run, e := range last {
		switch o, ok := rows[run]; {
		case !ok:
			bad = append(bad, breach(OneOutcome, e.subject(), "the store knows no outcome"))
		case o.Attempt != e.Attempt && !lenient[o.JobID]:
			bad = append(bad, breach(OneOutcome, e.subject(), "the outcome is that of attempt %d", o.Attempt))
		}
	}
	for run, o := range rows {
		if _, ok := last[run]; run != "" && o.Outcome == "executed" && !ok {
			bad = append(bad, breach(OneOutcome, fmt.Sprintf("%s run %s", instantOf(o.JobID, o.Scheduled), run), "executed, yet nobody saw it"))
		}
	}
	return bad
}
