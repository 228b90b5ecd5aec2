// Package store is Carillon's protocol in Redis: the keys, the Lua scripts and one Go method per
// script. Everything that must be atomic happens in exactly one script, in one hash slot.
//
// A run is in exactly one place: an executor's stream, running, delayed, waiting, or ended. Every
// move between two of them is one script; docs/decisions and ARCHITECTURE.md name which.
//
// # What it guarantees
//
//   - A mutation whose reply was lost may be sent again: client calls carry an op id whose answer
//     is kept, leader calls compare what they change, start and finish compare the owner token.
//     The methods resend by themselves while their context lasts, a bounded number of times.
//   - Every leader call carries an Office and is refused with ErrFenced once a higher term took
//     office, or with ErrEpoch when it belongs to another incarnation of etcd.
//   - A slot counter changes only together with the entry of the run in running.
//   - Job records are stored as given; no script decodes or encodes user JSON.
//   - Time in scripts is the clock of Redis, in milliseconds.
//
// # What it does not
//
//   - It elects nobody and decides no schedule: it is told the term and the next times.
//   - It cannot protect what Redis itself loses; see docs/decisions on persistence.
//   - Reads that span partitions are not one snapshot.
package store
