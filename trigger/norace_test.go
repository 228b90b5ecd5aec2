//go:build !race

package trigger_test

// raceEnabled tells that the race detector slows everything down.
const raceEnabled = false
