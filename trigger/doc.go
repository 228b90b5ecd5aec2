// Package trigger says when jobs are due. A trigger is a JSON document; Parse compiles it into a
// pure function of time, with no clock and no I/O beyond reading a time zone when it is parsed.
//
// # Documents
//
// Every document is an object with a "type": date, interval, cron, calendar_interval, rrule, and, or.
// Each type takes "timezone" (an IANA name, default UTC), "jitter" (seconds, or "30s") and "exclude";
// interval, cron, calendar_interval and rrule take "start_date" and "end_date", both inclusive.
// Dates are YYYY-MM-DD or YYYY-MM-DD HH:MM:SS[.fraction] with an optional offset, which wins over the
// zone; a wall-clock date that happens twice is its second occurrence, one that a clock change skips
// is shifted by the length of the gap.
//
// "exclude" is a list of what the trigger leaves out: "YYYY-MM-DD", a whole day in the trigger's zone;
// a date with a time, that instant; {"from","to"}, both inclusive; a trigger, the seconds in which it
// fires; {"calendar": name}, what a calendar kept elsewhere leaves out, which takes ParseWith.
//
// An rrule is a recurrence rule of RFC 5545: {"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1FR"}. Its
// DTSTART is start_date, which is a time only if the rule names it; what else calendars write beside
// a rule is refused and told where it belongs.
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
//     It takes less than a millisecond, with exclusions less than some ten.
//   - What is excluded never fires: a search that comes to its bound ends the trigger.
//   - Triggers of type interval and cron without exclusions have a method Count(after, until), which
//     returns how many times lie after one time and not after another, and the last, by arithmetic.
//   - Cron works on civil days, never on steps of 24 hours, so that no clock change can make a job
//     lose the day after it. See DST below.
//   - Resolve is deterministic and idempotent, and what it returns parses.
//
// # What is not
//
//   - Next is never jittered. Whoever dispatches adds Spread to the nominal time and computes the next
//     time from the nominal one.
//   - An interval, calendar_interval or rrule without start_date has no phase. Parse accepts it, so
//     that it can be checked, but its Next counts from the time asked, or from 1970: Resolve it before it is
//     stored or used.
//   - An "and" whose members meet more rarely than once in 600 answers of its members is taken
//     to be exhausted. Members that are cron triggers in one zone without clock changes (UTC) are
//     intersected exactly, and so are intervals, however rarely they meet.
//   - A trigger of whose times 10,000 in a row are excluded by triggers is taken to be exhausted. Days
//     and ranges do not count, nor do minutes, hours and days that a cron takes out as a whole.
//   - An rrule whose parts and interval meet more rarely than once in 10,000 times that either allows
//     is taken to be exhausted.
//   - Calendars are read when ParseWith is called, and not again.
//   - Two releases of the time zone rules may disagree about a time. The rules are those that the program
//     was built with, or those of UseZones; ZONEINFO and the files of the host are never asked.
//
// # DST
//
// A cron trigger takes "dst": {"gap": "auto|skip|shift", "fold": "auto|first|last|both"}. Wall-clock
// times in a gap are skipped, or run shifted by the length of the gap; two that land on one instant
// run once. Times in a fold run the first time, the last, or both. Auto does what a good crontab daemon
// does: when the hour field begins with "*" the schedule follows real time (skip, both), otherwise a
// fixed time runs once (shift, first). A calendar_interval runs the first of a fold and drops the days
// on which its time does not exist. An rrule runs what lies in a gap later by the length of the gap,
// and the first of a fold, as section 3.3.10 of RFC 5545 says, with every FREQ: in a fold an hourly
// rule pauses for an hour. What should follow real time is an interval.
package trigger
