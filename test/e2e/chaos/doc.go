// Command chaos strikes a cluster of real processes with random faults of the matrix while jobs run
// and are edited, then heals, drains and judges every run.
//
//	go run ./test/e2e/chaos --minutes 60 --seed 1
//
// It prints its seed first and the sums last, and exits with 1 when a rule was broken or it could
// not go on. The same seed draws the same faults; when each strikes depends on the machine. The
// history and the logs of all processes are in --dir. With --table FILE a row with the sums is added to
// the table of chaos in that page, in place of one of the same seed.
package main
