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
	f.Fuzz(holds)
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
