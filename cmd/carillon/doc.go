// Command carillon runs nodes of Carillon and manages their jobs: `carillon help` lists what it
// does, and docs/cli.md shows an example of each command.
//
// # What it guarantees
//
//   - Standard output holds the answer and nothing else. With -o json it is JSON in the documented
//     shapes: one value, or one value a line for events.
//   - Standard error holds one line that says what went wrong and what to do about it.
//   - It exits with 0 when all was done, with 2 when it refused its input before it contacted
//     anything, and with 1 when something failed after that.
//   - Documents are read and checked whole before the first of them is stored.
//   - Settings come from flags, then from CARILLON_* variables, then from the file of --config. An
//     unknown key in that file is refused.
//   - A Redis or etcd that does not answer is given up after five seconds.
//   - The first SIGINT or SIGTERM ends a node in order; the second one without waiting.
//
// # What it does not
//
//   - A list of documents is not stored in one step: each has its own result, and those before a
//     failure stay.
//   - Text output is for people and may change; programs read -o json.
//   - `carillon dev` is no way to run in production: its etcd does not sync to disk.
package main
