// Command bench measures Carillon beside its peers on one machine: the same work through carillon,
// asynq and the least that Redis has to do for it, in turn, on a private redis-server and etcd. It is a
// module of its own, so that users of the library never download the peers.
//
// It prints a table of medians and ratios with a verdict per row. Absolute figures belong to the
// machine; a ratio of two figures of one run says something about the programs.
//
// It promises:
//   - Nothing is switched off for a measurement: history, events, leases and the fence are as shipped.
//   - All that is held against one another was measured in the same run, round by round in turn.
//   - It exits with 0 when everything was measured, also when a bar is not reached, and with 1 when
//     something could not be measured.
//   - It leaves nothing behind but what it was asked to write.
//
// It runs on Unix: it stops processes by signals. `bench -h` lists the flags; `make bench` runs it.
package main
