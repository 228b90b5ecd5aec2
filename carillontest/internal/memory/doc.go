// Package memory is as much of a Redis server as the store uses, inside the process: it keeps the
// data types that the store's scripts work on, runs those scripts, and speaks the protocol of Redis
// over connections that need no network. Package carillontest runs the real store against it in a
// bubble of testing/synctest, where a network connection would stop the clock.
//
// # What it guarantees
//
//   - Commands and scripts are carried out one at a time, each whole.
//   - What it answers, it answers as Redis does: the store's conformance suite passes against it.
//   - Its clock is time.Now, and every wait in it is one that a bubble sees.
//   - After Close no goroutine of it is left and every connection has ended.
//
// # What it does not
//
//   - A command or an option that the store does not use is refused with an error that names it.
//   - Nothing is bounded or written to disk; there is one database, no user, no cluster.
package memory
