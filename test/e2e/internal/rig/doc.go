// Package rig runs a Carillon cluster as processes that may be killed, and watches it from outside.
//
// A [Stack] is an etcd (one member in this process or three child processes), a redis-server, any
// number of `carillon node` processes, a [Witness] that receives the requests of the built-in task
// http, and a [Watch] on the election keys. What they saw becomes a history.History.
//
// # What it guarantees
//
//   - Everything listens on 127.0.0.1, on free ports.
//   - Nothing outlives Close. On Linux a child dies with this process even when this one is killed.
//   - The logs of all processes are in Dir.
//   - The witness notes the arrival of a request before it answers, so that a run which was seen
//     nowhere cannot have been answered.
//
// # What it does not
//
//   - Which node sent a request is found through /proc, on Linux only, and not for a process that
//     ended meanwhile; it is left empty then.
//   - It does not work on Windows, which has no SIGSTOP.
//
// A program that starts three members must begin with [Child]: members are that program again.
package rig
