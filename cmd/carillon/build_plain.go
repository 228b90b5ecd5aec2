//go:build !faults

package main

import (
	"time"

	"github.com/carillon-project/carillon"
)

// clock is the machine's.
func clock(func(string) string) (func() time.Time, error) {
	now := time.Now
	return now, nil
}

// faulty registers nothing: only fault tests have tasks that do harm.
func faulty(*carillon.Node) {}
