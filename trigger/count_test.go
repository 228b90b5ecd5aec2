package trigger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// counter is what interval and cron triggers implement, as the scheduler declares it.
type counter interface {
	Count(after, until time.Time) (n int64, last time.Time)
}

func checkCount(t *rapid.T, doc string, after, until time.Time) {
	tr := mustParseRapid(t, doc)
	c, ok := tr.(counter)
	if !ok {
		t.Fatalf("%s does not count", doc)
	}
	var want int64
	var last time.Time
	for at := tr.Next(after); !at.IsZero() && !at.After(until); at = tr.Next(at) {
		want, last = want+1, at
	}
	if n, at := c.Count(after, until); n != want || !at.Equal(last) {
		t.Fatalf("%s: Count(%s, %s) = %d, %s, want %d, %s", doc, after.Format(time.RFC3339Nano), until.Format(time.RFC3339Nano), n, at, want, last)
	}
}

func TestCountAgreesWithWalking(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		if rapid.Bool().Draw(rt, "interval") {
			after := drawInstant(rt)
			start, every := drawInstant(rt), time.Duration(rapid.Int64Range(int64(time.Minute), int64(48*time.Hour)).Draw(rt, "every"))
			doc := fmt.Sprintf(`{"type":"interval","every":%q,"start_date":%q,"end_date":"2025-07-01"}`, every, start.Format(time.RFC3339Nano))
			checkCount(rt, doc, after, after.Add(time.Duration(rapid.Int64Range(0, int64(20*24*time.Hour)).Draw(rt, "length"))))
			return
		}
		change := rapid.SampledFrom(changes).Draw(rt, "change")
		p := drawPlan(rt)
		p.days, p.weekdays, p.months = nil, nil, nil // lest hardly any fires around the change
		doc := p.document(change.zone)
		if rapid.Bool().Draw(rt, "ends") {
			doc = strings.TrimSuffix(doc, "}") + fmt.Sprintf(`,"end_date":"%sT05:00:00Z"}`, change.day)
		}
		day, err := time.Parse(time.DateOnly, change.day)
		if err != nil {
			rt.Fatal(err)
		}
		after := day.Add(time.Duration(rapid.Int64Range(-int64(30*time.Hour), int64(20*time.Hour)).Draw(rt, "after")))
		checkCount(rt, doc, after, after.Add(time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(rt, "length"))))
	})
}

func TestCountOfYears(t *testing.T) {
	after := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, doc string
		until     time.Time
		want      int64
		last      string
	}{
		{"a year of seconds", `{"type":"interval","every":"1s","start_date":"2024-01-01"}`, after.AddDate(1, 0, 0), 366 * 86400, "2025-01-01T00:00:00Z"},
		{"a year of seconds by cron", `{"type":"cron","expr":"* * * * * *"}`, after.AddDate(1, 0, 0), 366 * 86400, "2025-01-01T00:00:00Z"},
		{"and where clocks change", `{"type":"cron","expr":"* * * * * *","timezone":"Europe/Berlin"}`, after.AddDate(1, 0, 0), 366 * 86400, "2025-01-01T00:00:00Z"},
		{"a fixed hour where clocks change", `{"type":"cron","expr":"* * 2 * * *","timezone":"Europe/Berlin"}`, after.AddDate(1, 0, 0), 366 * 3600, "2024-12-31T01:59:59Z"},
		{"a fixed hour with a gap alone", `{"type":"cron","expr":"* * 2 * * *","timezone":"Europe/Berlin"}`, after.AddDate(0, 6, 0), 182*3600 + 1, "2024-07-01T00:00:00Z"},
		{"a fixed hour with a gap that is skipped", `{"type":"cron","expr":"* * 2 * * *","timezone":"Europe/Berlin","dst":{"gap":"skip"}}`, after.AddDate(0, 6, 0), 181*3600 + 1, "2024-07-01T00:00:00Z"},
		{"milliseconds of centuries", `{"type":"interval","every":"1ms","start_date":"2024-01-01"}`, after.AddDate(3000, 0, 0), 94670812800000, "5024-01-01T00:00:00Z"},
		{"to the end of time", `{"type":"interval","every":"24h","start_date":"9999-12-30"}`, after.AddDate(9000, 0, 0), 2, "9999-12-31T00:00:00Z"},
		{"nothing", `{"type":"interval","every":"24h","start_date":"2030-12-30"}`, after.AddDate(1, 0, 0), 0, "0001-01-01T00:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, last := mustParse(t, test.doc).(counter).Count(after, test.until)
			if n != test.want || last.Format(time.RFC3339Nano) != test.last {
				t.Errorf("Count = %d, %s, want %d, %s", n, last.Format(time.RFC3339Nano), test.want, test.last)
			}
		})
	}
}

func TestNothingCountsPastExclusions(t *testing.T) {
	doc := except(`{"type":"interval","every":"1s","start_date":"2024-01-01"}`, `"2024-01-01"`)
	if _, ok := mustParse(t, doc).(counter); ok {
		t.Error("an interval with exclusions counts them too")
	}
}
