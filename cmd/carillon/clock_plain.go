//go:build !faults

package main

import "time"

// clock is the machine's.
func clock(func(string) string) (func() time.Time, error) {
	now := time.Now
	return now, nil
}
