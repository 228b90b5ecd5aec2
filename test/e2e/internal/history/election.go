package history

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Election folds the changes of the election keys, in the order etcd tells them, into terms: the
// candidate whose key was created first is in office. The zero value is ready for use.
type Election struct {
	candidates map[string]Term
	terms      []Term
}

// Created tells of a candidate's new key, its create revision and the node it names.
func (e *Election) Created(key string, revision int64, node string) {
	if e.candidates == nil {
		e.candidates = map[string]Term{}
	}
	e.candidates[key] = Term{Term: revision, Node: node}
}

// Deleted tells that a candidate's key is gone.
func (e *Election) Deleted(key string) { delete(e.candidates, key) }

// Settle is called when all changes of one revision have been told, with the time they were seen. It
// reports whether somebody new is in office.
func (e *Election) Settle(seen time.Time) bool {
	first, ok := e.Leader()
	if !ok || len(e.terms) > 0 && e.terms[len(e.terms)-1].Term == first.Term {
		return false
	}
	first.Seen = seen
	e.terms = append(e.terms, first)
	return true
}

// Leader is who is in office now, and whether anybody is.
func (e *Election) Leader() (Term, bool) {
	line := e.Line()
	if len(line) == 0 {
		return Term{}, false
	}
	return line[0], true
}

// Line is all candidates in the order in which they would lead; the first is in office.
func (e *Election) Line() []Term {
	return slices.SortedFunc(maps.Values(e.candidates), func(a, b Term) int { return cmp.Compare(a.Term, b.Term) })
}

// Terms returns all terms so far, oldest first.
func (e *Election) Terms() []Term { return slices.Clone(e.terms) }
