// Package carillon is a distributed job scheduler to embed. Several identical nodes elect a leader
// through etcd; the leader computes due runs and pushes them onto Redis streams; the executors of
// all nodes run them.
//
// A Node takes part: it serves executors, may lead, and listens. A Client only talks to Redis: it
// adds and removes jobs, enqueues runs and reads histories. A node has a client of its own, see
// Node.Client.
//
// # What it guarantees
//
//   - Every due time of a job is dispatched once, across leader changes, or recorded as skipped with
//     its cause: coalesced, missed or max_instances.
//   - At most max_instances runs of a job hold a slot at once, across the cluster.
//   - A run whose node died is run again as a next attempt (or closed as lost, if the job says so);
//     a late result of the dead attempt is refused.
//   - No run starts before its scheduled time by the clock of Redis.
//
// # What it does not
//
//   - It cannot make the effects of a handler happen exactly once: a node may die after the effect
//     and before it reported. Make handlers idempotent; Run.ID stays the same over attempts.
//   - It keeps no more than Redis keeps: with appendfsync everysec a power loss takes up to two
//     seconds, after which runs of that time may run again.
//   - A handler that ignores its context cannot be stopped.
package carillon
