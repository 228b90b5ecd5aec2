// Package carillontest lets a program test its own jobs, schedules and handlers without etcd,
// Redis or waiting: add jobs, let a month pass in milliseconds, and assert what ran.
//
//	func TestNightlyReport(t *testing.T) {
//		carillontest.Run(t, carillontest.Options{Register: registerTasks}, func(t *testing.T, kit *carillontest.Kit) {
//			kit.AddJob(carillon.Job{ID: "nightly", Task: "report", Trigger: carillon.Cron("30 2 * * *")})
//			kit.Advance(30 * 24 * time.Hour)
//			if n := len(kit.Runs("nightly")); n != 30 {
//				t.Errorf("the report ran %d times", n)
//			}
//		})
//	}
//
// The test runs in a bubble of testing/synctest: time passes only while every goroutine waits, so a
// handler may sleep for an hour and no test has a race with the clock. Whatever the test shares with
// the handlers must be made inside the bubble.
//
// # What it guarantees
//
//   - What decides is the code that decides in production: the client, the leader's loop, the
//     executors and their handlers' contexts, the store and its Lua scripts. Triggers, validation,
//     defaults, coalesce, misfire, max_instances, overlap, retries, timeouts, pauses and run ids
//     are not imitated.
//   - In place of Redis stands a server in memory that passes the store's conformance suite, and
//     whose clock is the bubble's.
//   - When the test ends, the node is down and no goroutine of the kit is left.
//
// # What it does not
//
//   - There is one node. Election, leases that end, lost nodes and fencing are not tested: there is no
//     etcd, and the lease of a run is a day. What a restart of everything does is, with [Kit.Outage].
//   - Real time that code spends computing does not count: nothing is ever late, but by an outage, a
//     pause, or executors that are full.
//   - The jitter of retries is random, as in production; give a backoff jitter 0 to assert its times.
//   - Code under test that waits for a network or another process stops the bubble's clock.
package carillontest
