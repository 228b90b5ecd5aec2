package carillon

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// entryAt is a job that was added with a trigger and has fired last at a time.
func entryAt(t *testing.T, doc string, last time.Time, next job.NextRun) store.Entry {
	t.Helper()
	e, err := newEntry(Job{ID: "j", Task: "t", Trigger: json.RawMessage(doc), NextRunTime: next}, noon.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	if !last.IsZero() {
		e.Last = last.UnixMilli()
	}
	return e
}

func TestSchedule(t *testing.T) {
	const hourly = `{"type":"interval","every":"1h","start_date":"2026-03-01 00:00:00"}`
	const over = `{"type":"interval","every":"1h","start_date":"2026-02-01","end_date":"2026-02-02"}`
	at := noon.Add(90 * time.Minute)
	for _, c := range []struct {
		name  string
		doc   string
		last  time.Time
		asked job.NextRun
		want  time.Duration // next, from noon; ignored when paused or refused
		state store.State   // "" = refused
	}{
		{"strictly after now", hourly, time.Time{}, job.NextRun{}, time.Hour, store.Active},
		{"strictly after the last", hourly, noon.Add(3 * time.Hour), job.NextRun{}, 4 * time.Hour, store.Active},
		{"the last is long ago", hourly, noon.Add(-3 * time.Hour), job.NextRun{}, time.Hour, store.Active},
		{"anchored at the add", `{"type":"interval","every":"90m"}`, time.Time{}, job.NextRun{}, 90 * time.Minute, store.Active},
		{"explicit", hourly, time.Time{}, job.At(at), 90 * time.Minute, store.Active},
		{"explicit, rounded up", hourly, time.Time{}, job.At(at.Add(time.Nanosecond)), 90*time.Minute + time.Millisecond, store.Active},
		{"explicit though it has ended", over, time.Time{}, job.At(at), 90 * time.Minute, store.Active},
		{"paused", hourly, time.Time{}, job.Paused(), 0, store.Paused},
		{"ended", over, time.Time{}, job.NextRun{}, 0, ""},
		{"ended and paused", over, time.Time{}, job.Paused(), 0, ""},
		{"date to come", `{"type":"date","run_date":"2026-03-01 13:00:00"}`, time.Time{}, job.NextRun{}, time.Hour, store.Active},
		{"date in the past", `{"type":"date","run_date":"2026-03-01 11:00:00"}`, time.Time{}, job.NextRun{}, -time.Hour, store.Active},
		{"date, spelt otherwise", `{"type":"DATE","run_date":"2026-03-01 11:00:00"}`, time.Time{}, job.NextRun{}, -time.Hour, store.Active},
		{"date of now", `{"type":"date","run_date":"2026-03-01 12:00:00"}`, time.Time{}, job.NextRun{}, 0, store.Active},
		{"date that has run", `{"type":"date","run_date":"2026-03-01 11:00:00"}`, noon.Add(-time.Hour), job.NextRun{}, 0, ""},
		{"date below a millisecond", `{"type":"date","run_date":"2026-03-01 13:00:00.000001"}`, time.Time{}, job.NextRun{}, time.Hour + time.Millisecond, store.Active},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "date, spelt otherwise" {
				if _, err := trigger.Parse([]byte(c.doc)); err != nil {
					t.Skip("the type is one word in lower case")
				}
			}
			e := entryAt(t, c.doc, c.last, c.asked)
			err := schedule(&e, noon, &almanac{})
			if c.state == "" {
				if !errors.Is(err, ErrInvalidTrigger) {
					t.Fatalf("schedule gave %v, want a refusal", err)
				}
				return
			}
			if err != nil || e.State != c.state || !e.Job.NextRunTime.IsZero() {
				t.Fatalf("schedule gave %v, state %q, asked %v", err, e.State, e.Job.NextRunTime)
			}
			if c.state == store.Paused {
				if e.Next != 0 || e.RunTime != 0 {
					t.Errorf("paused, with next %d and run time %d", e.Next, e.RunTime)
				}
				return
			}
			if want := noon.Add(c.want).UnixMilli(); e.Next != want || e.RunTime != want {
				t.Errorf("next is %v and run time %v from noon, want %v", time.UnixMilli(e.Next).Sub(noon), time.UnixMilli(e.RunTime).Sub(noon), c.want)
			}
		})
	}
}

func TestJitterMovesTheRunTimeOnly(t *testing.T) {
	const doc = `{"type":"interval","every":"1h","start_date":"2026-03-01 00:00:00","jitter":"30m"}`
	moved := 0
	for range 20 {
		e := entryAt(t, doc, time.Time{}, job.NextRun{})
		if err := schedule(&e, noon, &almanac{}); err != nil {
			t.Fatal(err)
		}
		if e.Next != noon.Add(time.Hour).UnixMilli() {
			t.Errorf("next is %v", time.UnixMilli(e.Next))
		}
		if off := time.Duration(e.RunTime-e.Next) * time.Millisecond; off < 0 || off > 30*time.Minute {
			t.Errorf("run time is %v off", off)
		} else if off > 0 {
			moved++
		}
	}
	if moved == 0 {
		t.Error("no run time of twenty was moved")
	}
}

func TestReschedule(t *testing.T) {
	const doc = `{"type":"interval","every":"1h","start_date":"2026-03-01 00:00:00"}`
	for _, c := range []struct {
		name  string
		state store.State
		asked job.NextRun
		want  store.State
	}{
		{"active stays active", store.Active, job.NextRun{}, store.Active},
		{"paused stays paused", store.Paused, job.NextRun{}, store.Paused},
		{"parked is mended", store.Parked, job.NextRun{}, store.Active},
		{"an explicit time resumes", store.Paused, job.At(noon.Add(time.Hour)), store.Active},
		{"null pauses", store.Active, job.Paused(), store.Paused},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := entryAt(t, doc, time.Time{}, c.asked)
			e.State, e.Reason = c.state, "why"
			old := e
			old.Given = json.RawMessage(`{"type":"interval","every":"2h"}`)
			if _, err := reschedule(old, &e, noon, &almanac{}); err != nil {
				t.Fatal(err)
			}
			if e.State != c.want || (e.RunTime != 0) != (c.want == store.Active) {
				t.Errorf("state is %q with run time %d, want %q", e.State, e.RunTime, c.want)
			}
			if kept := e.Reason == "why"; kept != (c.state == store.Paused && c.want == store.Paused) {
				t.Errorf("reason is %q", e.Reason)
			}
		})
	}
}

func TestCeilMillis(t *testing.T) {
	for _, c := range []struct {
		name  string
		nanos int64
		want  int64
	}{
		{"zero", 0, 0},
		{"exact", 5e6, 5},
		{"a nanosecond above", 5e6 + 1, 6},
		{"a nanosecond below", 5e6 - 1, 5},
		{"before 1970", -5e6, -5},
		{"before 1970, between", -5e6 + 1, -4},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ceilMillis(time.Unix(0, c.nanos)); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(0, rapid.Int64Range(-1e18, 4e18).Draw(t, "at"))
		up := time.UnixMilli(ceilMillis(at))
		if up.Before(at) || up.Sub(at) >= time.Millisecond {
			t.Errorf("%v became %v", at, up)
		}
	})
}

func TestCompact(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"space", `{"type":"date"}`, " {\n\"type\" : \"date\" } ", true},
		{"order of keys", `{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		{"order in a list", `{"a":[1,2]}`, `{"a":[2,1]}`, false},
		{"another value", `{"a":1}`, `{"a":2}`, false},
		{"large numbers keep their digits", `{"a":9007199254740993}`, `{"a":9007199254740992}`, false},
		{"a number is no text", `{"a":1}`, `{"a":"1"}`, false},
		{"nested", `{"t":[{"x":1,"y":2}]}`, `{"t":[{"y":2,"x":1}]}`, true},
		{"no JSON stays as it is", `{`, `{`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := string(compact([]byte(c.a))), string(compact([]byte(c.b)))
			if (a == b) != c.same {
				t.Errorf("%s and %s", a, b)
			}
			if again := string(compact([]byte(a))); again != a {
				t.Errorf("compact of %s is %s", a, again)
			}
		})
	}
}

func TestFailuresEndAnOfficeWhenEveryStoreFails(t *testing.T) {
	f := failures{of: 2}
	for range 2 {
		if f.add("a") {
			t.Error("one store of two ended the office")
		}
	}
	if !f.add("b") {
		t.Error("both stores failed and the office went on")
	}
}

func TestAdvertised(t *testing.T) {
	for _, c := range []struct{ name, told, listening, want string }{
		{"as told", "node-1:8080", "10.0.0.1:7000", "node-1:8080"},
		{"as listened on", "", "10.0.0.1:7000", "10.0.0.1:7000"},
		{"not understood", "", "pipe", "pipe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := advertised(c.told, c.listening); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	for _, every := range []string{"0.0.0.0:7000", "[::]:7000"} {
		if got := advertised("", every); got == every {
			t.Errorf("%s was advertised, which nobody can dial", got)
		}
	}
}
