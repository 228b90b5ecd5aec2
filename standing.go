package carillon

import (
	"context"

	"github.com/carillon-project/carillon/store"
)

// Standing is a job and whether it has times to come.
type Standing struct {
	Job    Job
	State  JobState
	Reason string // of a pause, or why the leader parked it; empty when none was given
}

// Standing returns a job with its state. ErrJobNotFound when the id is not there.
func (c *Client) Standing(ctx context.Context, id string, opts ...CallOption) (Standing, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return Standing{}, err
	}
	e, err := s.Get(ctx, id)
	if err != nil {
		return Standing{}, err
	}
	return standingOf(e), nil
}

func standingOf(e store.Entry) Standing {
	states := map[store.State]JobState{store.Active: JobIsActive, store.Paused: JobIsPaused, store.Parked: JobIsParked}
	return Standing{Job: e.Document(), State: states[e.State], Reason: e.Reason}
}
