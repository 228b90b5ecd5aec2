package main

import "time"

// sizes are how much is measured.
type sizes struct {
	rounds int

	burst    int // jobs due at one instant
	enqueued int // runs enqueued one by one
	bulk     int // runs enqueued in bulk

	steadyJobs int           // each due once a second
	steadyWarm time.Duration // that is not measured
	steadyFor  time.Duration

	growth      []int // stored jobs: the first is the base, the last what is judged
	growthBurst int   // jobs due at one instant beside them

	scaleBurst int // jobs due at one instant, for leaders of several groups

	stops    int           // leaders stopped by SIGSTOP, at most: each takes a lease TTL
	calm     time.Duration // between two faults
	idleWarm time.Duration
	idle     time.Duration
}

// usualSizes take about ten minutes on two cores, with five rounds.
func usualSizes() sizes {
	return sizes{
		burst: 100_000, enqueued: 50_000, bulk: 200_000,
		steadyJobs: 10_000, steadyWarm: 3 * time.Second, steadyFor: 10 * time.Second,
		growth: []int{1_000, 10_000, 100_000, 1_000_000}, growthBurst: 20_000, scaleBurst: 48_000,
		stops: 5, calm: time.Second, idleWarm: 10 * time.Second, idle: 30 * time.Second,
	}
}

// quickSizes only show that everything works.
func quickSizes() sizes {
	return sizes{
		burst: 2_000, enqueued: 1_000, bulk: 2_000,
		steadyJobs: 200, steadyWarm: time.Second, steadyFor: 2 * time.Second,
		growth: []int{100, 1_000}, growthBurst: 1_000, scaleBurst: 1_200,
		stops: 1, calm: 500 * time.Millisecond, idleWarm: time.Second, idle: 2 * time.Second,
	}
}

// fullSizes take about half an hour.
func fullSizes() sizes {
	s := usualSizes()
	s.enqueued, s.bulk = 200_000, 1_000_000
	s.steadyFor, s.growthBurst = time.Minute, 100_000
	s.idle = 2 * time.Minute
	return s
}
