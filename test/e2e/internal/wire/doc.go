// Package wire stands between a process and a server on loopback and spoils what passes.
//
// A [Relay] relays TCP to one target. It can sever all connections and refuse new ones, freeze them
// as a silent network does, and delay what passes. A relay made by [ListenRedis] also reads the
// protocol of Redis, versions 2 and 3, so that it can hold back exactly one call of a script, or let
// the call pass and lose exactly its reply, hold all calls of a script until they are late, and can count the replies that refuse an old leader.
//
// # What it guarantees
//
//   - Bytes pass in order and unchanged, or their connection ends.
//   - What is caught is caught once: the next call of the same script passes.
//   - Close ends every connection and returns when no goroutine is left.
//
// # What it does not
//
//   - It knows a script by the head of its source, which it must have seen in an EVAL or SCRIPT LOAD
//     through any relay that shares its [Scripts]; before that its calls pass uncaught.
//   - It reads replies by their order, so CLIENT REPLY and MONITOR confuse it.
package wire
