package rig

import (
	"context"
	"fmt"

	"github.com/carillon-project/carillon/store"
)

// idle returns when nothing runs or waits in a stream in any partition of Servers, which are asked
// through Carillon's own store.
func (s *Stack) idle(ctx context.Context) error {
	asked, err := store.Open(ctx, store.Config{URL: s.RedisURL()})
	if err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	defer asked.Close()
	var failed error
	err = until(ctx, "nothing runs", func() bool {
		left := 0
		for p := range asked.Partitions() {
			for _, place := range []store.Place{store.InStream, store.InRunning} {
				failed = asked.Each(ctx, p, place, func(store.Placed) bool {
					left++
					return true
				})
				if failed != nil {
					return true
				}
			}
		}
		return left == 0
	})
	if failed != nil {
		return fmt.Errorf("rig: %w", failed)
	}
	return err
}

// findings returns what store check finds in Servers.
func (s *Stack) findings(ctx context.Context) (found []string) {
	asked, err := store.Open(ctx, store.Config{URL: s.RedisURL()})
	if err != nil {
		return []string{err.Error()}
	}
	defer asked.Close()
	if err := asked.Check(ctx, func(f store.Finding) { found = append(found, fmt.Sprintf("store check: %+v", f)) }); err != nil {
		found = append(found, err.Error())
	}
	return found
}
