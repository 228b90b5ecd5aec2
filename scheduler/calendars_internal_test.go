package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// minutely is a job that fires each minute of 1970-01-01 from 00:01 on, without what the calendar
// "closed" leaves out.
func minutely(t *testing.T, closed string, h store.Header, asked int64) *compiled {
	t.Helper()
	doc := `{"type":"interval","every":"1m","start_date":"1970-01-01T00:01:00Z","exclude":[{"calendar":"closed"}]}`
	e := store.Entry{Header: h, Record: store.Record{Job: job.Job{ID: "j", Task: "work", Trigger: []byte(doc)}, Asked: asked}}
	known := store.Calendars{Version: 7, Documents: map[string]json.RawMessage{"closed": []byte(closed)}}
	c, err := compileTerms(e, known, newCache[trigger.Trigger](10, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return c.of(e)
}

// minute is a minute of 1970-01-01, Unix ms.
func minute(n int64) int64 { return n * time.Minute.Milliseconds() }

// shut is a calendar that leaves minutes out.
func shut(minutes ...int64) string {
	items := []string{}
	for _, m := range minutes {
		at := time.UnixMilli(minute(m)).UTC().Format(time.RFC3339)
		items = append(items, fmt.Sprintf(`{"from":%q,"to":%q}`, at, at))
	}
	doc, err := json.Marshal(map[string]any{"exclude": raw(items)})
	if err != nil {
		panic(err)
	}
	return string(doc)
}

func raw(items []string) []json.RawMessage {
	all := []json.RawMessage{}
	for _, i := range items {
		all = append(all, json.RawMessage(i))
	}
	return all
}

const always = `{"exclude":[{"type":"interval","every":"1m","start_date":"1970-01-01T00:00:00Z"}]}`

func TestFollow(t *testing.T) {
	for _, c := range []struct {
		name   string
		closed string
		last   int64 // in minutes, as all below
		next   int64
		now    int64
		late   int64 // of the run time, ms
		asked  int64
		want   int64 // 0 = none
	}{
		{name: "nothing changed", closed: shut(), last: 4, next: 5, now: 4, want: 5},
		{name: "jitter stays", closed: shut(), last: 4, next: 5, now: 4, late: 300, want: 5},
		{name: "left out", closed: shut(5, 6), last: 4, next: 5, now: 4, want: 7},
		{name: "left in again", closed: shut(), last: 4, next: 9, now: 4, want: 5},
		{name: "left in again, not before now", closed: shut(), last: 4, next: 9, now: 6, want: 7},
		{name: "left in again, not before the last", closed: shut(), last: 6, next: 9, now: 3, want: 7},
		{name: "due stays", closed: shut(), last: 4, next: 5, now: 8, want: 5},
		{name: "due, and what comes before it does not", closed: shut(), last: 2, next: 5, now: 8, want: 5},
		{name: "due, left out, goes on with its backlog", closed: shut(5), last: 4, next: 5, now: 8, want: 6},
		{name: "due, and was last already", closed: shut(), last: 5, next: 5, now: 8, want: 6},
		{name: "asked for, left out", closed: shut(5), last: 4, next: 5, now: 4, asked: 5, want: 5},
		{name: "asked for, others left in before", closed: shut(), last: 4, next: 9, now: 4, asked: 9, want: 9},
		{name: "asked for once, long ago", closed: shut(5), last: 4, next: 5, now: 4, asked: 2, want: 6},
		{name: "no time left", closed: always, last: 4, next: 5, now: 4},
		{name: "no time left, due", closed: always, last: 4, next: 5, now: 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := store.Header{UID: "u", Last: minute(c.last), Next: minute(c.next)}
			got, err := minutely(t, c.closed, h, minute(c.asked)).follow(h, h.Next+c.late, minute(c.now))
			if c.want == 0 {
				if !errors.Is(err, errNoTimeLeft) {
					t.Errorf("follow is %v, error %v; want errNoTimeLeft", got, err)
				}
				return
			}
			want := instant{minute(c.want), minute(c.want) + c.late}
			if err != nil || got != want {
				t.Errorf("follow is %v, error %v; want %v", got, err, want)
			}
		})
	}
}

func TestEndedByCalendars(t *testing.T) {
	for _, c := range []struct {
		name string
		max  int64
		d    decision
		want instant
	}{
		{"goes on", 0, decision{last: minute(5), next: instant{minute(6), minute(6)}}, instant{minute(6), minute(6)}},
		{"the trigger goes on without them", 0, decision{last: minute(5)}, instant{minute(9), minute(8)}},
		{"max_runs is reached", 3, decision{last: minute(5), runs: []instant{{minute(5), minute(5)}}}, instant{}},
		{"max_runs is not reached", 4, decision{last: minute(5), runs: []instant{{minute(5), minute(5)}}}, instant{minute(9), minute(8)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := store.Header{UID: "u", Last: minute(4), Next: minute(5), Runs: 2}
			job := minutely(t, always, h, 0)
			job.maxRuns = c.max
			got, err := job.endedByCalendars(h, c.d, minute(8))
			if err != nil || got != c.want {
				t.Errorf("next is %v, error %v; want %v", got, err, c.want)
			}
		})
	}
}

// Going through many jobs is work, and no stall.
func TestFollowingIsNoStall(t *testing.T) {
	p := &partition{triggers: newCache[trigger.Trigger](10, 1<<20)}
	entries := make([]store.Entry, 50)
	for i := range entries {
		entries[i] = store.Entry{
			Header:  store.Header{State: store.Active, Next: minute(5)},
			Record:  store.Record{Job: job.Job{ID: "j", Task: "work", Trigger: []byte(`{"type":"cron","expr":"* * * * *"}`)}},
			RunTime: minute(5),
		}
	}
	moves, parked, err := p.followAll(t.Context(), entries, minute(4))
	if err != nil || parked > 0 || len(moves) > 0 {
		t.Fatalf("jobs without calendars: %d moved, %d parked, error %v", len(moves), parked, err)
	}
	if steps := p.pulse.steps.Load(); steps < int64(len(entries)) {
		t.Errorf("%d steps for %d jobs; the watchdog would take that for a stall", steps, len(entries))
	}
}
