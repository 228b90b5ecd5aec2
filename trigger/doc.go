// Package trigger says when jobs are due. A trigger is a JSON document; Parse compiles it into a
// pure function of time, with no clock and no I/O beyond reading a time zone when it is parsed.
//
// # Documents
//
// Every document is an object with a "type": date, interval, cron, calendar_interval, and, or.
// Each type takes "timezone" (an IANA name, default UTC) and "jitter" (seconds, or "30s"); interval,
// cron and calendar_interval take "start_date" and "end_date", both inclusive. Dates are YYYY-MM-DD
// or YYYY-MM-DD HH:MM:SS[.fraction] with an optional offset, which wins over the zone; a wall-clock
// date that happens twice is its second occurrence, one that a clock change skips is shifted by
// the length of the gap.
//
// The text of a document is never repaired: unknown and repeated fields, wrong types, null, invalid
// UTF-8 and whatever is not understood are refused with an error that wraps ErrInvalid and names the
// field and the text.
//
// # What is guaranteed
//
//   - Next is strictly increasing: Next(t) is after t or the zero time. It is a function of t and the
//     document (and of the time zone data) alone, the same on every node, and safe for concurrent use.
//   - Times are in UTC, none after the end of 9999; those of cron begin in 1970.
//   - Next is bounded, also for schedules that never fire: a cron search ends after at most 400 years
//     of candidate days (the Gregorian calendar repeats after that), an interval is computed by
//     arithmetic however long the outage, and an "and" asks its members a fixed number of times.
//   - Cron works on civil days, never on steps of 24 hours, so that no clock change can make a job
//     lose the day after it. See DST below.
//   - Resolve is deterministic and idempotent, and what it returns parses.
//
// # What is not
//
//   - Next is never jittered. Whoever dispatches adds Spread to the nominal time and computes the next
//     time from the nominal one.
//   - An interval or a calendar_interval without start_date has no phase. Parse accepts it, so that it
//     can be checked, but its Next counts from the time asked: Resolve it before it is stored or used.
//   - An "and" whose members meet more rarely than once in 600 answers of its members is taken
//     to be exhausted. Members that are cron triggers in one zone without clock changes (UTC) are
//     intersected exactly, and so are intervals, however rarely they meet.
//   - Two versions of the time zone data may disagree about a time.
//
// # DST
//
// A cron trigger takes "dst": {"gap": "auto|skip|shift", "fold": "auto|first|last|both"}. Wall-clock
// times in a gap are skipped, or run shifted by the length of the gap; two that land on one instant
// run once. Times in a fold run the first time, the last, or both. Auto does what a good crontab daemon
// does: when the hour field begins with "*" the schedule follows real time (skip, both), otherwise a
// fixed time runs once (shift, first). A calendar_interval runs the first of a fold and drops the days
// on which its time does not exist.
package trigger
