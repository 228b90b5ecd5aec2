// Package ledger reads Redis's append-only file as a witness of what was really stored.
//
// [Read] parses the file, whole or cut off; [Fold] replays it and tells each move of each run from
// one place of the store to another: when, under which fence, with which lease, slot and outcome.
// Scripts stand in the file as their effects between MULTI and EXEC, so that what one script did is
// one step. It knows the stored form by itself and asks nothing of Carillon's code, so that it cannot
// share a mistake with it.
//
// # What it does not
//
//   - It reads files written with aof-use-rdb-preamble no and never rewritten, as the rig's Redis is
//     set up. A base in Redis's own format is an error.
//   - A step whose script wrote no event has the time of the step before it: the file has no finer
//     clock.
package ledger
