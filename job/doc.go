// Package job holds what Carillon schedules, as data: the job document and its options, runs,
// history rows and events. It validates and it encodes; it reads no clock and does no I/O.
//
// # What it guarantees
//
//   - Decode is strict: a document with a field nobody knows, a field given twice, a value of the
//     wrong type or trailing text is refused, and the error names the field.
//   - Validate reports every fault of a document at once, not the first one.
//   - A job that was decoded and encoded again means the same job; args are kept byte for byte.
//
// # What it does not
//
//   - It does not look into the trigger document (package trigger does) and does not know which
//     tasks, executors or stores exist (the store's registry does).
package job
