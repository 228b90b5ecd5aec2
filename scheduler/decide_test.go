package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// grid fires at every multiple of every, up to end. It can be counted when wrapped in counted.
type grid struct{ every, end int64 }

func (g grid) Next(t time.Time) time.Time {
	next := (t.UnixMilli()/g.every + 1) * g.every
	if g.end != 0 && next > g.end {
		return time.Time{}
	}
	return time.UnixMilli(next)
}

type counted struct{ grid }

func (c counted) Count(after, until time.Time) (int64, time.Time) {
	stop := until.UnixMilli()
	if c.end != 0 {
		stop = min(stop, c.end)
	}
	n := stop/c.every - after.UnixMilli()/c.every
	if n <= 0 {
		return 0, time.Time{}
	}
	return n, time.UnixMilli(stop / c.every * c.every)
}

// faulty says the same time again.
type faulty struct{}

func (faulty) Next(t time.Time) time.Time { return t }

type panicking struct{}

func (panicking) Next(time.Time) time.Time { panic("no such day") }

func plenty() *budget { return &budget{left: 1 << 40} }

func at(times ...int64) []instant {
	var all []instant
	for _, t := range times {
		all = append(all, instant{t, t})
	}
	return all
}

func TestDecide(t *testing.T) {
	const never = -1 * time.Millisecond
	tests := []struct {
		name    string
		end     int64 // of the trigger, which fires every 10 ms
		how     job.Coalesce
		grace   time.Duration
		maxRuns int64
		header  store.Header
		runTime int64
		now     int64
		want    decision
	}{
		{name: "one time, on time", how: job.CoalesceLatest, grace: never, header: store.Header{Last: 90, Next: 100}, now: 100,
			want: decision{runs: at(100), last: 100, latest: 100, next: instant{110, 110}}},
		{name: "lateness equal to the grace still runs", how: job.CoalesceLatest, grace: 5 * time.Millisecond, header: store.Header{Next: 100}, now: 105,
			want: decision{runs: at(100), last: 100, latest: 100, next: instant{110, 110}}},
		{name: "a millisecond beyond the grace is missed", how: job.CoalesceLatest, grace: 5 * time.Millisecond, header: store.Header{Next: 100}, now: 106,
			want: decision{missed: stretch{1, 100, 100}, late: 6 * time.Millisecond, last: 100, latest: 100, next: instant{110, 110}}},
		{name: "the only time of an ended trigger is missed", end: 100, how: job.CoalesceLatest, grace: 5 * time.Millisecond, header: store.Header{Next: 100}, now: 500,
			want: decision{missed: stretch{1, 100, 100}, late: 400 * time.Millisecond, last: 100, latest: 100}},
		{name: "latest folds the earlier ones", how: job.CoalesceLatest, grace: never, header: store.Header{Next: 100}, now: 135,
			want: decision{runs: at(130), coalesced: stretch{3, 100, 120}, last: 130, latest: 130, next: instant{140, 140}}},
		{name: "latest of two", how: job.CoalesceLatest, grace: never, header: store.Header{Next: 100}, now: 110,
			want: decision{runs: at(110), coalesced: stretch{1, 100, 100}, last: 110, latest: 110, next: instant{120, 120}}},
		{name: "earliest folds the later ones", how: job.CoalesceEarliest, grace: never, header: store.Header{Next: 100}, now: 135,
			want: decision{runs: at(100), coalesced: stretch{3, 110, 130}, last: 130, latest: 130, next: instant{140, 140}}},
		{name: "all run in one message", how: job.CoalesceAll, grace: never, header: store.Header{Next: 100}, now: 125,
			want: decision{runs: at(100, 110, 120), last: 120, latest: 120, next: instant{130, 130}}},
		{name: "missed are dropped before latest picks", how: job.CoalesceLatest, grace: 15 * time.Millisecond, header: store.Header{Next: 100}, now: 135,
			want: decision{runs: at(130), missed: stretch{2, 100, 110}, coalesced: stretch{1, 120, 120}, late: 35 * time.Millisecond, last: 130, latest: 130, next: instant{140, 140}}},
		{name: "missed are dropped before earliest picks", how: job.CoalesceEarliest, grace: 15 * time.Millisecond, header: store.Header{Next: 100}, now: 135,
			want: decision{runs: at(120), missed: stretch{2, 100, 110}, coalesced: stretch{1, 130, 130}, late: 35 * time.Millisecond, last: 130, latest: 130, next: instant{140, 140}}},
		{name: "missed are dropped before all run", how: job.CoalesceAll, grace: 15 * time.Millisecond, header: store.Header{Next: 100}, now: 135,
			want: decision{runs: at(120, 130), missed: stretch{2, 100, 110}, late: 35 * time.Millisecond, last: 130, latest: 130, next: instant{140, 140}}},
		{name: "max_runs ends the job", how: job.CoalesceLatest, grace: never, maxRuns: 3, header: store.Header{Next: 100, Runs: 2}, now: 115,
			want: decision{runs: at(110), coalesced: stretch{1, 100, 100}, last: 110, latest: 110}},
		{name: "max_runs ends all of several", how: job.CoalesceAll, grace: never, maxRuns: 3, header: store.Header{Next: 100, Runs: 1}, now: 155,
			want: decision{runs: at(100, 110), last: 110, latest: 110}},
		{name: "missed times do not count as runs", how: job.CoalesceLatest, grace: time.Millisecond, maxRuns: 1, header: store.Header{Next: 100}, now: 105,
			want: decision{missed: stretch{1, 100, 100}, late: 5 * time.Millisecond, last: 100, latest: 100, next: instant{110, 110}}},
		{name: "an explicit first time lies off the grid", how: job.CoalesceLatest, grace: never, header: store.Header{Next: 103}, now: 104,
			want: decision{runs: at(103), last: 103, latest: 103, next: instant{110, 110}}},
		{name: "the last time ends the job", end: 110, how: job.CoalesceLatest, grace: never, header: store.Header{Next: 110}, now: 111,
			want: decision{runs: at(110), last: 110, latest: 110}},
		{name: "a time that was had before is not had again", how: job.CoalesceLatest, grace: never, header: store.Header{Last: 120, Next: 100}, now: 200,
			want: decision{last: 120, next: instant{130, 130}}},
		{name: "a run time before its nominal time is corrected", how: job.CoalesceLatest, grace: never, header: store.Header{Last: 90, Next: 100}, runTime: 95, now: 96,
			want: decision{last: 90, next: instant{100, 100}}},
		{name: "the stored run time is what the first is judged by", how: job.CoalesceLatest, grace: 5 * time.Millisecond, header: store.Header{Next: 100}, runTime: 104, now: 109,
			want: decision{runs: []instant{{100, 104}}, last: 100, latest: 104, next: instant{110, 110}}},
	}
	for _, tt := range tests {
		for _, tr := range []trigger.Trigger{grid{10, tt.end}, counted{grid{10, tt.end}}} {
			t.Run(fmt.Sprintf("%s/%T", tt.name, tr), func(t *testing.T) {
				r := rules{trigger: tr, uid: "u", coalesce: tt.how, grace: tt.grace, maxRuns: tt.maxRuns}
				got, _, done, err := decide(r, tt.header, max(tt.runTime, 0), tt.now, tally{}, plenty())
				if err != nil || !done {
					t.Fatalf("decide: done %v, error %v", done, err)
				}
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(decision{}, instant{}, stretch{})); diff != "" {
					t.Errorf("decision (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestDecideRefusesTriggersThatFail(t *testing.T) {
	tests := []struct {
		name    string
		trigger trigger.Trigger
		want    string
	}{
		{"does not advance", faulty{}, "next time after 100 is 100"},
		{"panics", panicking{}, "no such day"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := rules{trigger: tt.trigger, coalesce: job.CoalesceLatest, grace: -1}
			_, _, _, err := decideSafely(&compiled{rules: r, terms: &terms{}}, store.Header{Next: 100}, 100, 100, tally{}, plenty())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestAllBeyondOneMessageGoesOn(t *testing.T) {
	r := rules{trigger: grid{10, 0}, coalesce: job.CoalesceAll, grace: -1}
	d, _, done, err := decide(r, store.Header{Next: 10}, 10, 25_000, tally{}, plenty())
	if err != nil || !done {
		t.Fatalf("decide: done %v, error %v", done, err)
	}
	if len(d.runs) != MaxRuns || !d.more || d.next.nominal != d.runs[MaxRuns-1].nominal+10 {
		t.Errorf("%d runs, more %v, next %+v; want %d, and the time after them", len(d.runs), d.more, d.next, MaxRuns)
	}
}

// A year without a leader, for a job of every second.
func TestYearLongBacklog(t *testing.T) {
	const year = 365 * 24 * 3600
	now := int64(year * 1000)
	for _, tt := range []struct {
		name  string
		how   job.Coalesce
		grace time.Duration
		want  decision
	}{
		{"latest", job.CoalesceLatest, -1, decision{runs: at(now), coalesced: stretch{year - 1, 1000, now - 1000},
			last: now, latest: now, next: instant{now + 1000, now + 1000}}},
		{"earliest", job.CoalesceEarliest, -1, decision{runs: at(1000), coalesced: stretch{year - 1, 2000, now},
			last: now, latest: now, next: instant{now + 1000, now + 1000}}},
		{"missed", job.CoalesceAll, time.Millisecond, decision{runs: at(now), missed: stretch{year - 1, 1000, now - 1000},
			late: time.Duration(now-1000) * time.Millisecond, last: now, latest: now, next: instant{now + 1000, now + 1000}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rules{trigger: counted{grid{1000, 0}}, coalesce: tt.how, grace: tt.grace}
			b := &budget{left: 100}
			got, _, done, err := decide(r, store.Header{Next: 1000}, 1000, now, tally{}, b)
			if err != nil || !done || b.left != 100 {
				t.Fatalf("decide: done %v, error %v, %d steps spent", done, err, 100-b.left)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(decision{}, instant{}, stretch{})); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}
