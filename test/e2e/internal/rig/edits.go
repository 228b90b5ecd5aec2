package rig

import (
	"context"
	"errors"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// Edit changes a job and notes what was asked for and when it was answered. An error notes that the
// outcome is unknown; the caller asks again until there is none. A job that is gone when its removal
// is asked for again has been removed.
func (s *Stack) Edit(ctx context.Context, c *carillon.Client, op history.Op) error {
	op.First = op.First.UTC().Truncate(time.Millisecond)
	op.Asked = s.cfg.Now()
	var err error
	switch op.Kind {
	case history.OpChange:
		_, err = c.RescheduleJob(ctx, op.JobID, interval(op.First, op.Every))
	case history.OpPause:
		_, err = c.PauseJob(ctx, op.JobID)
	case history.OpResume:
		_, err = c.ResumeJob(ctx, op.JobID)
	case history.OpRemove:
		if err = c.RemoveJob(ctx, op.JobID); errors.Is(err, carillon.ErrJobNotFound) && s.tried(op) {
			err = nil
		}
	}
	op.Done, op.Failed = s.cfg.Now(), err != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h.Ops = append(s.h.Ops, op)
	return err
}

// tried reports whether the same was asked for before, with an unknown outcome.
func (s *Stack) tried(op history.Op) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, before := range s.h.Ops {
		if before.JobID == op.JobID && before.Kind == op.Kind && before.Failed {
			return true
		}
	}
	return false
}

// interval is the trigger of a job that is due at first and every so often after it.
func interval(first time.Time, every time.Duration) []byte {
	return carillon.Args(map[string]string{
		"type": "interval", "every": every.String(), "start_date": job.FormatTime(first),
	})
}
