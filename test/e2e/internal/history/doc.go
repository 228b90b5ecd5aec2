// Package history holds what was seen of a cluster from outside during one end-to-end test, and
// judges it.
//
// A [History] is evidence: what jobs were defined, what the receiver of their requests saw, which
// faults were injected and when, what etcd's watch said about the election, and what the store says
// in the end. [Check] is a pure function over it: no clock, no I/O, the same answer each time. A
// history can be written as JSON and judged again.
//
// # What Check guarantees
//
//   - Due times are computed here, from the first time and the interval of each job, not by
//     Carillon. A due time without a run that was answered is reported, and so is a run for a time
//     that was never due, before it was due, or due after an acknowledged pause.
//   - A due time that ran twice is reported, unless the second execution is a later attempt of the
//     same run and a fault that struck the node of the earlier attempt explains it. Those are counted
//     as reruns, never hidden.
//   - Terms must rise, each with one holder, and each killed leader must have been followed.
//
// # What it does not
//
//   - It demands nothing of due times in the moment before a pause was asked for, see [Pause].
//   - It cannot see an execution that died before its request reached the receiver: a missing
//     attempt is accepted when a fault happened at the time, reported when not.
//   - It trusts one clock, that of the machine all processes run on.
package history
