package trigger_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/carillon-project/carillon/trigger"
)

var fuzzNow = time.Date(2024, 5, 31, 22, 30, 0, 0, time.UTC)

// holds checks what must hold of every document: it is refused with ErrInvalid, or it resolves to a
// form that is its own resolution and whose times increase.
func holds(t *testing.T, doc []byte) {
	t.Helper()
	if _, err := trigger.Parse(doc); err != nil {
		if !errors.Is(err, trigger.ErrInvalid) {
			t.Fatalf("Parse(%s): %v does not wrap ErrInvalid", doc, err)
		}
		return
	}
	resolved, err := trigger.Resolve(doc, fuzzNow)
	if err != nil {
		t.Fatalf("Resolve(%s) after Parse: %v", doc, err)
	}
	again, err := trigger.Resolve(resolved, fuzzNow.AddDate(3, 0, 0))
	if err != nil || string(again) != string(resolved) {
		t.Fatalf("Resolve(%s) = %s, then %s, %v", doc, resolved, again, err)
	}
	tr, err := trigger.Parse(resolved)
	if err != nil {
		t.Fatalf("Parse(%s) after Resolve: %v", resolved, err)
	}
	last := fuzzNow
	for range 5 {
		next := tr.Next(last)
		if next.IsZero() {
			return
		}
		if !next.After(last) || next.Year() > 9999 {
			t.Fatalf("%s: Next(%s) = %s", resolved, last, next)
		}
		last = next
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add([]byte(v.Trigger))
	}
	for _, c := range costly {
		f.Add([]byte(c.doc))
	}
	for _, seed := range []string{
		`{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1","timezone":"Europe/Berlin"}`,
		`{"type":"cron","expr":"* * * * *","exclude":["2024-06-01","2024-06-02 12:00:00",{"from":"2024-06-03","to":"2024-06-04 01:00:00"}]}`,
		`{"type":"interval","every":"1s","exclude":[{"type":"cron","expr":"* * 1-23 * * *"},{"type":"or","triggers":[{"type":"rrule","rule":"FREQ=HOURLY"}]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(holds)
}

func FuzzRule(f *testing.F) {
	for _, seed := range []string{
		"FREQ=DAILY;COUNT=3", "FREQ=YEARLY;BYWEEKNO=1,-1;BYDAY=MO", "FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=-1;WKST=SU",
		"FREQ=SECONDLY;INTERVAL=7;BYHOUR=9;UNTIL=20250101T000000Z", "FREQ=YEARLY;BYYEARDAY=366,-366;INTERVAL=999999999",
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;UNTIL=20250101", "FREQ=HOURLY;BYMINUTE=0,59;BYSETPOS=-2;COUNT=9999", "FREQ=DAILY;COUNT=999999999",
	} {
		f.Add(seed, "2024-03-30 02:30:00")
	}
	f.Fuzz(func(t *testing.T, rule, start string) {
		doc := within(map[string]any{"type": "rrule", "rule": rule, "start_date": start, "timezone": "Europe/Berlin"})
		holds(t, doc)
		begun := time.Now()
		tr, err := trigger.Parse(doc)
		if err == nil {
			tr.Next(fuzzNow)
		}
		if took := time.Since(begun); took > time.Second {
			t.Fatalf("%s takes %s", doc, took)
		}
	})
}

func FuzzExclude(f *testing.F) {
	for _, seed := range []string{
		`["2024-06-01"]`, `["2024-10-27 02:30:00",{"from":"2024-06-01","to":"2024-06-02"}]`, `[{"type":"cron","expr":"* 1-23 * * *"}]`,
		`[{"calendar":"c"}]`, `[{"type":"interval","every":"1s","start_date":"2024-01-01"}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, exclude string) {
		holds(t, []byte(`{"type":"cron","expr":"*/30 * * * *","timezone":"Europe/Berlin","exclude":`+exclude+`}`))
	})
}

func FuzzCalendar(f *testing.F) {
	f.Add([]byte(`{"exclude":["2024-12-25",{"from":"2024-12-30","to":"2025-01-01"}],"timezone":"Europe/Berlin"}`))
	f.Add([]byte(`{"exclude":[{"type":"cron","expr":"* * * * sat,sun"}]}`))
	f.Fuzz(func(t *testing.T, calendar []byte) {
		doc := []byte(`{"type":"cron","expr":"@hourly","exclude":[{"calendar":"c"}]}`)
		tr, err := trigger.ParseWith(doc, func(string) ([]byte, error) { return calendar, nil })
		if checked := trigger.CheckCalendar(calendar); (checked == nil) != (err == nil) && len(calendar) > 0 {
			t.Fatalf("CheckCalendar: %v, but ParseWith: %v", checked, err)
		}
		if err == nil {
			if next := tr.Next(fuzzNow); !next.IsZero() && !next.After(fuzzNow) {
				t.Fatalf("Next = %s", next)
			}
		}
	})
}

// within puts a string where a document wants one.
func within(fields map[string]any) []byte {
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return raw
}

func FuzzExpr(f *testing.F) {
	for _, seed := range []string{"*/5 9-17 * * mon-fri", "0 0 L-3,15W * fri#2,5L", "@every 15s", "TZ=Europe/Berlin 0 0 ? * 7", "@weekly", "1-7/2 * * * * *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		holds(t, within(map[string]any{"type": "cron", "expr": expr, "timezone": "Europe/Berlin"}))
	})
}

func FuzzField(f *testing.F) {
	for _, seed := range []string{"*/5", "last fri,3rd  SUN", "jan-mar", "1-9/2,11", "last"} {
		f.Add("day", seed)
		f.Add("month", seed)
	}
	f.Fuzz(func(t *testing.T, field, text string) {
		holds(t, within(map[string]any{"type": "cron", "fields": map[string]string{field: text, "hour": "2"}}))
	})
}

func FuzzDate(f *testing.F) {
	for _, seed := range []string{"2024-02-29", "2024-10-27 02:30:00.25", "2024-1-1T1:1:1+05:30", "9999-12-31T23:59:59-23:59"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc := within(map[string]any{"type": "date", "run_date": text, "timezone": "Europe/Berlin"})
		holds(t, doc)
		if tr, err := trigger.Parse(doc); err == nil {
			// A date that is understood is one instant, and written out in full it is the same one.
			if at := tr.Next(time.Time{}); !at.IsZero() && !mustParse(t, string(trigger.At(at))).Next(time.Time{}).Equal(at) {
				t.Fatalf("%q is %s, which does not read back", text, at)
			}
		}
	})
}
