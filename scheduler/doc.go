// Package scheduler is the leader's loop: it finds the jobs that are due, decides which of their
// times run and which do not, dispatches them under its term, and takes lost runs from nodes that
// are gone.
//
// A pass over a partition reads what is due, decides with pure functions of the job, its header and
// the time of Redis, and dispatches with one script per 500 jobs, in the order in which they are due;
// of a long queue, reading, deciding and dispatching overlap. Between passes the loop sleeps
// until the earliest of the next run time, delayed run and lease, at most [Config.Nap], and is woken by
// changes that bring an earlier time. Partitions do not wait for one another.
//
// # What it guarantees
//
//   - Every due time is accounted for once: it is dispatched, or it is part of one history row and
//     one event (missed, coalesced) with a count and a cause. Both happen in the script that
//     advances the job.
//   - Nothing is dispatched before its time by the clock of Redis, whatever the node's clocks say.
//   - Run ids are a function of the store, the job's incarnation and the nominal time: a dispatch
//     that is repeated by whomever is the same run. See [RunID].
//   - One job cannot stop the others: an unreadable record and a trigger that fails or panics are
//     parked, a record of a newer format is left alone, and a long backlog is counted in steps.
//   - Every write carries the office it was made under. When a newer leader has written, Run ends.
//
// # What it does not
//
//   - It elects nobody: it is handed an office and a context that ends with it.
//   - It does not know whether a dispatched run starts in time; misfire and max_instances are judged
//     again when a run starts.
//   - Rows and runs of one decision are one write, but two decisions of one job are not: a leader
//     that dies between them leaves the rest to the next one.
//   - It proves no process dead. Runs of a dead node are taken when their leases end, earlier only
//     from whom [Config.Gone] names.
package scheduler
