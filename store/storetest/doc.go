// Package storetest is the conformance suite of package store: the rules of the store's protocol,
// each as a named test. Whatever stands in for Redis must pass it.
//
// # What it guarantees
//
//   - Every subtest works in a namespace of its own and runs in parallel with the others.
//   - It judges by what is stored, read over a plain connection of its own, as well as by the
//     store's answers.
//   - It waits for nothing but answers: leases are made to end by writing their scores, and
//     lateness is judged at the instant that the script itself reports.
//   - At the end every key that was written is matched against the table of keys.
//
// # What it does not
//
//   - It tests no durability, no memory limit and no start-up check: those need a real server and
//     stand beside the runners.
//   - It sends SCRIPT FLUSH, and so must not share a server with a measurement.
package storetest
