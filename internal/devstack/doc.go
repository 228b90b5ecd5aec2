// Package devstack runs a private etcd and a private Redis for `carillon dev`, for tests and for
// the end-to-end suite.
//
// It promises:
//   - Everything listens on 127.0.0.1, on ports that were free a moment before. Whoever takes one
//     in between costs a retry, not a failure.
//   - Nothing outlives its Close: no goroutine, no child process, no temporary directory. On Linux
//     a child process dies with this one even when this one is killed.
//   - A Ctrl-C typed at the terminal does not reach the child processes, so that they can be ended
//     after the nodes that use them.
//   - A data directory can be used again: the next start finds what the last one stored.
//
// It does not promise:
//   - that the connections among three etcd members are gone when Close returns: etcd lets those that
//     carry a request time out, within five seconds;
//   - durability beyond that of the process, when UnsafeNoFsync is set;
//   - any protection. There is no authentication and no TLS; it is a stack for one machine and one
//     user, never for production;
//   - that [Memory] behaves like Redis where miniredis does not: no persistence, no memory limit,
//     no clients of its own beyond the commands miniredis knows.
//
// No public package may import this one, not even in its tests: a user of the library must never
// download the etcd server.
package devstack
