//go:build faults

package main

import (
	"context"
	"time"

	"github.com/carillon-project/carillon"
)

// clock is off by CARILLON_CLOCK_OFFSET, such as "-1h", as the clock of a badly kept machine is.
// Only fault tests build it.
func clock(getenv func(string) string) (func() time.Time, error) {
	text := getenv(envPrefix + "CLOCK_OFFSET")
	if text == "" {
		return time.Now, nil
	}
	offset, err := time.ParseDuration(text)
	if err != nil {
		return nil, usagef("%sCLOCK_OFFSET: %w", envPrefix, err)
	}
	now := time.Now
	return func() time.Time { return now().Add(offset) }, nil
}

// faulty registers the task "panic", whose handler panics. Only fault tests build it.
func faulty(n *carillon.Node) {
	n.HandleFunc("panic", func(context.Context, carillon.Run) (any, error) { panic("as it was told") })
}
