package trigger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/trigger"
)

// The standard library ends the years of a zone's rules after 365 days; the last day of a leap year
// made a search stand still.
func TestLastDayOfALeapYear(t *testing.T) {
	for _, test := range []struct{ name, doc, from, want string }{
		{"cron", `{"type":"cron","expr":"0 12 31 12 *","timezone":"Europe/Berlin"}`, "2076-12-30T00:00:00Z", "2076-12-31T11:00:00Z"},
		{"cron from within", `{"type":"cron","expr":"0 12 * * *","timezone":"Europe/Berlin"}`, "2076-12-31T12:00:00Z", "2077-01-01T11:00:00Z"},
		{"calendar_interval", `{"type":"calendar_interval","days":1,"start_date":"2024-01-01","hour":12,"timezone":"America/New_York"}`, "2076-12-31T00:00:00Z", "2076-12-31T17:00:00Z"},
		{"date", `{"type":"date","run_date":"2076-12-31 12:00:00","timezone":"America/New_York"}`, "2024-01-01T00:00:00Z", "2076-12-31T17:00:00Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := trigger.First(mustParse(t, test.doc), instant(t, test.from))
			if diff := cmp.Diff(instant(t, test.want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
