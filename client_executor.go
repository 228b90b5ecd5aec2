package carillon

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// ExecutorInfo is how an executor stands in one store.
type ExecutorInfo struct {
	Store   string
	Name    string
	Paused  bool      // nodes start no run of it, at least in a part of the store
	Partial bool      // only in a part: a pause or its end is on its way, or has failed there; say it again
	Since   time.Time // of the pause
	Reason  string    // of the pause, as it was given
	Backlog int64     // entries of its streams, waiting or fetched; an entry may hold several runs
	Running int       // runs that nodes have now
}

// MarshalJSON prints the shape outside programs read; since and reason are left out while it is not
// paused, partial unless it is.
func (e ExecutorInfo) MarshalJSON() ([]byte, error) {
	since := ""
	if e.Paused {
		since = job.FormatTime(e.Since)
	}
	return json.Marshal(struct {
		Store   string `json:"store"`
		Name    string `json:"name"`
		Paused  bool   `json:"paused"`
		Partial bool   `json:"partial,omitempty"`
		Since   string `json:"since,omitempty"`
		Reason  string `json:"reason,omitempty"`
		Backlog int64  `json:"backlog"`
		Running int    `json:"running"`
	}{e.Store, e.Name, e.Paused, e.Partial, since, e.Reason, e.Backlog, e.Running})
}

// PauseExecutor has every node start no run of an executor until ResumeExecutor: when it returns,
// every partition of every store that knows the executor, or of the one of InStore, has the pause, and
// none starts any more.
// Runs under way go on; the leader goes on to dispatch, and what comes due waits in the executor's
// streams. Because gives the reason; one that is paused already keeps its first. With an error a
// part may be paused: call it again. ErrUnknownExecutor when no node has ever served the name.
func (c *Client) PauseExecutor(ctx context.Context, name string, opts ...CallOption) error {
	o := callOf(opts)
	return c.eachKnowing(ctx, o.store, name, func(s *store.Store) error {
		return s.PauseExecutor(ctx, uuid.NewString(), name, o.reason)
	})
}

// ResumeExecutor lets nodes start runs of an executor again, in the stores that know it or in the one of InStore.
// A run that is too late for its misfire_grace_time by then is recorded as missed when a node takes
// it up. Errors are those of PauseExecutor.
func (c *Client) ResumeExecutor(ctx context.Context, name string, opts ...CallOption) error {
	return c.eachKnowing(ctx, callOf(opts).store, name, func(s *store.Store) error {
		return s.ResumeExecutor(ctx, uuid.NewString(), name)
	})
}

// eachKnowing calls f for the stores, or the one named, in which nodes have served the executor; it
// is an error when there are none.
func (c *Client) eachKnowing(ctx context.Context, in, executor string, f func(*store.Store) error) error {
	names := c.Stores()
	if in != "" {
		names = []string{in}
	}
	var unknown error
	known := false
	for _, name := range names {
		s, err := c.store(name)
		if err != nil {
			return err
		}
		err = f(s)
		switch {
		case err == nil:
			known = true
		case errors.Is(err, ErrUnknownExecutor):
			unknown = err
		default:
			return err
		}
	}
	if known {
		return nil
	}
	return unknown
}

// Executors returns the executors that nodes have ever served, of every store or of the one of
// InStore, by store and name. It reads all runs that nodes have.
func (c *Client) Executors(ctx context.Context, opts ...CallOption) ([]ExecutorInfo, error) {
	names := c.Stores()
	if in := callOf(opts).store; in != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return name != in })
		if _, err := c.store(in); err != nil {
			return nil, err
		}
	}
	all := []ExecutorInfo{}
	for _, name := range names {
		s := c.stores[name]
		states, err := s.Executors(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range states {
			all = append(all, ExecutorInfo{
				Store: name, Name: e.Name, Paused: e.PausedIn > 0, Partial: e.PausedIn > 0 && e.PausedIn < s.Partitions(),
				Since: e.Pause.Since, Reason: e.Pause.Reason, Backlog: e.Backlog, Running: e.Running,
			})
		}
	}
	return all, nil
}
