package rig

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/ledger"
)

// History returns the evidence so far. What was dispatched, how each run moved and what the store's
// history says is read from Redis's append-only file; what the API answers of the histories is
// compared with it once the schedule is paused, and a row that the file does not know is an error. See
// JudgeFrom for what is left out.
func (s *Stack) History(ctx context.Context, c *carillon.Client, name string, seed uint64) (history.History, error) {
	h := s.Witnessed(name, seed)
	if s.servers != nil {
		return h, nil
	}
	steps, err := ledger.Read(s.sub("redis"))
	if err != nil {
		return h, fmt.Errorf("rig: read what Redis stored: %w", err)
	}
	told := ledger.Fold(steps)
	h.Moves, h.Skips, h.Fences, h.Outcomes = told.Moves, told.Skips, told.Fences, told.Rows
	for _, m := range h.Moves {
		if m.Term != 0 {
			h.Submissions = append(h.Submissions, history.Submission{RunID: m.RunID, Node: m.Node, Term: m.Term})
		}
	}
	if !h.Pause.Done.IsZero() { // else runs go on, so that the API knows more by now
		err = s.compare(ctx, c, h)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.from.IsZero() {
		h = h.From(s.from)
	}
	return h, err
}

// JudgeFrom leaves what was due until t out of the history: the store of that time is gone.
func (s *Stack) JudgeFrom(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from = t
}

// Witnessed is the evidence from outside of Redis alone: for nodes whose Redis is not the stack's.
func (s *Stack) Witnessed(name string, seed uint64) history.History {
	s.mu.Lock()
	h := s.h
	h.Jobs, h.Faults = slices.Clone(h.Jobs), slices.Clone(h.Faults)
	h.Ops = slices.Clone(h.Ops)
	s.mu.Unlock()
	h.Name, h.Seed = name, seed
	h.Terms, h.Executions = s.Watch.Terms(), s.Witness.Executions()
	return h
}

// compare asks the API for the latest rows of each job and finds them in the file.
func (s *Stack) compare(ctx context.Context, c *carillon.Client, h history.History) error {
	stored := map[string]string{}
	for _, o := range h.Outcomes {
		stored[o.RunID] = o.Outcome
	}
	for _, j := range h.Jobs {
		if j.Every == 0 && !j.Unseen {
			continue // the many of a herd
		}
		rows, err := c.History(ctx, j.ID, 100)
		if err != nil {
			return fmt.Errorf("rig: read history: %w", err)
		}
		for _, r := range rows {
			if r.RunID != "" && stored[r.RunID] != string(r.Outcome) {
				return fmt.Errorf("rig: the API says that run %s ended as %s, what Redis stored says %q", r.RunID, r.Outcome, stored[r.RunID])
			}
		}
	}
	return nil
}
