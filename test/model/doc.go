// Package model is Carillon's protocol in small, and an explorer that walks through all that can
// happen in it: every order of steps, with processes that crash, calls that are carried out late or
// twice, and leases that end, within bounds that a minute of computing exhausts.
//
// # What is modelled
//
// Two processes that want to lead (leader.go: candidacy, its verification, the scheduler's loop), two
// that take up runs (executor.go: fetch, start, handler, finish), and a client that edits a job
// (client.go). Each reads in one step, from which it makes a call with all its arguments; Redis
// carries the call out in a later one. So whatever may happen between a decision and its effect
// happens in some order. A call of a process that has crashed is carried out at any time, or never; a
// call that is sent twice is carried out twice, before or after its answer is heard.
//
// Each script of store/lua that moves a run, a job or the fence has one function in scripts_leader.go or
// scripts_run.go, which says its file and keeps the order of its checks. Whoever changes such a
// script changes its function, and leaves a check out once to see the explorer find it ([Variant]).
//
// # What holds
//
// The constants from [TermsRise] to [CancelStands] name the invariants, which are looked at in every
// state. [Stuck] is the one about progress: from every state, a way without any further fault leads to
// the end of all jobs and runs. With fair scheduling that end is then met. In terms of the design
// contract, section 7: S2 to S6, S8, S9, S11 and L1; they rest on rules 2 to 6, 8, 9 and 23 of its section 3,
// and in section 4 on the verified campaign, the fence, and the proof that early recovery wants.
//
// # What is left out
//
//   - Time: due times come one after another at any moment, and a lease ends at any moment. Steps of
//     the clock, misfires and the wait before recovery are not there. A process keeps the lease of
//     what it does until a fault ends it, which stands for renew.
//   - Ad-hoc runs, backfill, pauses, hand_back of entries that were not started, and postpone. A client
//     cancels one run. A failure is always tried again.
//   - Store.Sweep nudges a line only while no nudge for it is in the stream.
//   - One partition, and so one group: leaders of different groups share no key of Redis, and two
//     that think one partition theirs are the two processes that want to lead here, whatever made them
//     think so. Redis and etcd lose nothing. What happens when they do is tested in
//     store/storetest and test/e2e.
//   - Calendars: dispatch and the edits compare their version beside that of the job.
//   - Housekeeping: audit, forget, clamp, expire, set_aside, park.
//
// A finding here is a fault of the design. That the scripts do what their functions here say is for
// the conformance suite of the store to show.
package model
