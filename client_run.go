package carillon

import (
	"context"
	"fmt"

	"github.com/carillon-project/carillon/store"
)

// TriggerNow runs a job once, now, beside its schedule, and returns the run's id. The run obeys
// max_instances and overlap like any other.
func (c *Client) TriggerNow(ctx context.Context, id string, opts ...CallOption) (string, error) {
	s, err := c.store(callOf(opts).store)
	if err != nil {
		return "", err
	}
	e, err := s.Get(ctx, id)
	if err != nil {
		return "", err
	}
	run, err := c.ids.next()
	if err != nil {
		return "", fmt.Errorf("carillon: trigger job %q: %w", id, err)
	}
	now, err := s.Now(ctx, 0)
	if err != nil {
		return "", err
	}
	m := e.Message(store.MessageRun{ID: run.String(), Scheduled: now, Due: now})
	return s.Enqueue(ctx, s.PartitionOf(id), run.String(), run.String(), 0, id, e.UID, []store.Message{m})
}

// Events returns what the log of each store holds, oldest first within a store.
func (c *Client) Events(ctx context.Context) ([]Event, error) {
	var all []Event
	for _, name := range c.Stores() {
		s := c.stores[name]
		var at store.Cursor
		for {
			got, next, err := s.Events(ctx, at, 0)
			if err != nil {
				return nil, err
			}
			if len(got) == 0 {
				break
			}
			all, at = append(all, got...), next
		}
	}
	return all, nil
}
