package carillon

import (
	"context"
	"time"

	"github.com/carillon-project/carillon/store"
)

// OnceHearing has Subscribe call f once, from the goroutine that calls for events and before the
// first: whatever happens after f was called is heard.
func OnceHearing(f func()) CallOption { return func(c *call) { c.hearing = f } }

// Subscribe calls f for every event of the client's stores whose kind is in mask, in the promised
// order within a run, until ctx ends, and returns why it did. It hears what happens from some moment
// after the call on; OnceHearing tells which. f is called from one goroutine at a time.
//
// A store that cannot be read at the beginning is an error at once. Later it is asked again, with
// pauses of up to two seconds, for as long as ctx lasts, and what happened meanwhile is told then, as far
// as its log still holds it.
func (c *Client) Subscribe(ctx context.Context, mask EventMask, f func(Event), opts ...CallOption) error {
	begin := map[*store.Store]store.Cursor{}
	for _, name := range c.Stores() {
		s := c.stores[name]
		at, err := s.EventsEnd(ctx)
		if err != nil {
			return err
		}
		begin[s] = at
	}
	if hearing := callOf(opts).hearing; hearing != nil {
		hearing()
	}
	events, done := make(chan Event), make(chan struct{})
	for s, at := range begin {
		go func() {
			defer func() { done <- struct{}{} }()
			follow(ctx, s, at, events)
		}()
	}
	for left := len(begin); left > 0; {
		select {
		case e := <-events:
			if mask.Has(e.Kind) {
				f(e)
			}
		case <-done:
			left--
		}
	}
	return context.Cause(ctx)
}

// The pauses between readings of a log that fail: doubled from the first to the last.
const (
	firstHearingPause = 50 * time.Millisecond
	lastHearingPause  = 2 * time.Second
)

// eventLog is what follow needs of a store.
type eventLog interface {
	Events(ctx context.Context, after store.Cursor, block time.Duration) ([]Event, store.Cursor, error)
}

// follow hands on what is logged after at until ctx ends.
func follow(ctx context.Context, s eventLog, at store.Cursor, out chan<- Event) {
	for pause := firstHearingPause; ctx.Err() == nil; {
		got, next, err := s.Events(ctx, at, time.Second)
		if err != nil {
			rest(ctx, pause)
			pause = min(2*pause, lastHearingPause)
			continue
		}
		pause, at = firstHearingPause, next
		for _, e := range got {
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}

func rest(ctx context.Context, period time.Duration) {
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
