package scheduler

import (
	"runtime"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// yearPolicies are what a backlog of a year, of a time each second, may come to. Jitter may move one
// time from one side of a bound to the other.
var yearPolicies = []struct {
	coalesce     job.Coalesce
	grace        time.Duration
	runs         int64
	missed, kept int64 // times beyond the grace, and within it that have a fate
}{
	{job.CoalesceLatest, -1, 1, 0, yearOfSeconds + 1},
	{job.CoalesceEarliest, -1, 1, 0, yearOfSeconds + 1},
	{job.CoalesceLatest, 24 * time.Hour, 1, yearOfSeconds - 86400, 86400 + 1},
	{job.CoalesceAll, -1, MaxRuns, 0, MaxRuns},
	{job.CoalesceAll, 10 * time.Second, 11, yearOfSeconds - 10, 11},
}

const yearOfSeconds = 366 * 86400

// TestAYearOfSecondsIsDecidedAtOnce asks what becomes of the backlog of a second's job after a year
// without a leader. Nothing may walk over its 31,622,400 times, or keep them.
func TestAYearOfSecondsIsDecidedAtOnce(t *testing.T) {
	for _, test := range []struct {
		name, doc string
		slack     int64
	}{
		{"interval", `{"type":"interval","every":"1s","start_date":"2024-01-01"}`, 0},
		{"interval with jitter", `{"type":"interval","every":"1s","start_date":"2024-01-01","jitter":"30s"}`, 1},
		{"cron", `{"type":"cron","expr":"* * * * * *"}`, 0},
		{"cron where clocks change", `{"type":"cron","expr":"* * * * * *","timezone":"Europe/Berlin"}`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			begun, before := time.Now(), allocated()
			for _, p := range yearPolicies {
				d := decideYear(t, test.doc, p.coalesce, p.grace)
				for _, count := range []struct {
					what      string
					got, want int64
				}{
					{"missed", d.missed.count, p.missed},
					{"kept", int64(len(d.runs)) + d.coalesced.count, p.kept},
					{"runs", int64(len(d.runs)), p.runs},
				} {
					if count.got < count.want-test.slack || count.got > count.want+test.slack {
						t.Errorf("%s, grace %s: %d %s, want %d", p.coalesce, p.grace, count.got, count.what, count.want)
					}
				}
				if d.next.nominal <= d.last {
					t.Errorf("%s: next %d is not after %d", p.coalesce, d.next.nominal, d.last)
				}
			}
			if took := time.Since(begun); took > 400*time.Millisecond {
				t.Errorf("took %s", took)
			}
			if grown := allocated() - before; grown > 8<<20 {
				t.Errorf("allocated %d bytes", grown)
			}
		})
	}
}

// decideYear decides at the end of 2024 a job whose first time was its beginning.
func decideYear(t *testing.T, doc string, coalesce job.Coalesce, grace time.Duration) decision {
	t.Helper()
	tr, err := trigger.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	r := rules{trigger: tr, uid: "uid", coalesce: coalesce, grace: grace}
	first := start.UnixMilli()
	due := (&walk{rules: r}).dueOf(first)
	d, _, done, err := decide(r, store.Header{Next: first}, due, start.AddDate(1, 0, 0).UnixMilli(), tally{}, &budget{left: passSteps})
	if err != nil || !done {
		t.Fatalf("decide: done %v, %v", done, err)
	}
	return d
}

// allocated is how many bytes have been allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
