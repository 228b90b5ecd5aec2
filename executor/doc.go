// Package executor runs what the stores hand out: a [Pool] is one named executor on one node. It
// fetches messages, starts their runs, calls the handlers and reports how each attempt ended.
//
// The way of one attempt: a reader fetches no more than there is room for; one start call gives
// the messages slots and leases, and in a backlog the reader fetches the next meanwhile, even before
// there is room as long as handlers return soon; each that has started gets a goroutine; a renewer keeps
// the leases; a finisher reports what has ended, many in one call.
//
// # What it guarantees
//
//   - A handler is called only for a run that the store has started for this node, and not after
//     the lease as counted here has ended. That count begins before the request was sent, so it
//     ends before the store's does.
//   - The context of a handler ends, with a cause, when the lease is lost ([ErrLeaseLost]), when
//     the run is to be cancelled ([ErrCancelled]), when its timeout has passed ([ErrTimeout]) and
//     when the node will not wait any longer ([ErrShutdown]).
//   - An attempt whose lease was lost reports nothing. Every other attempt that ends is reported
//     until the store takes or refuses it. It is dropped, with a log line at error level, only when a
//     forced shutdown will not wait any longer, or when the store answers this outcome by itself with an
//     error and its lease has ended; recovery runs it again then.
//   - After the store was out of reach, what has ended is reported before anything is fetched, for up to
//     two seconds. A first attempt that finds its slot held by a run that may have ended meanwhile stays
//     pending, and is asked for again, until that is reported or its lease has ended.
//   - A handler that panics fails its attempt, not the node.
//   - No more handlers run at once than Concurrency says, over all stores together.
//   - No goroutine outlives [Pool.Run], save those of handlers that ignore their context for longer
//     than Grace after it ended. Each is named in the log; nothing it does is reported, and its
//     lease is left to end.
//   - A partition that cannot be reached stops only its own runs.
//   - While the executor is paused nothing is started and nothing fetched: what was fetched stays
//     pending, in order, and each partition is asked once in Config.Block whether the pause is over.
//
// # What it does not
//
//   - It does not run a handler at most once: an attempt may be repeated after a lost node, a lost
//     lease or a forced shutdown. Job.OnLost says for which jobs it may.
//   - It cannot stop a handler that ignores its context, nor take its slot from it.
//   - It decides no schedule and moves no retry to its stream: the leader does.
//   - A body that it cannot read (garbage, or of a newer format) is logged once and left, with its
//     whole entry, in the pending list of this consumer, from where the leader puts it back when it
//     has been idle; a node that can read it takes it then. Nothing else waits for it, except
//     bodies of the same entry.
package executor
