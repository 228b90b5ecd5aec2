package trigger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon/trigger"
)

// costly are documents whose Next has to search long, or for ever.
var costly = []struct {
	name string
	doc  string
}{
	{"daily_utc", `{"type":"cron","expr":"0 9 * * *"}`},
	{"daily_berlin", `{"type":"cron","expr":"0 9 * * *","timezone":"Europe/Berlin"}`},
	{"minutely_berlin", `{"type":"cron","expr":"* * * * *","timezone":"Europe/Berlin"}`},
	{"leap_day", `{"type":"cron","expr":"0 0 29 2 *"}`},
	{"leap_day_on_monday", `{"type":"cron","fields":{"month":2,"day":29,"day_of_week":"mon"}}`},
	{"impossible_feb_30", `{"type":"cron","fields":{"month":2,"day":30}}`},
	{"impossible_feb_30_expr", `{"type":"cron","expr":"0 0 30 2 *","timezone":"America/New_York"}`},
	{"impossible_april_week_2", `{"type":"cron","fields":{"month":"apr","week":2}}`},
	{"impossible_june_week_53", `{"type":"cron","fields":{"month":6,"week":53}}`},
	{"impossible_or", `{"type":"or","triggers":[{"type":"cron","expr":"0 0 31 2 *"},{"type":"cron","expr":"0 0 31 4 *"}]}`},
	{"impossible_interval_window", `{"type":"interval","minutes":1,"start_date":"2026-05-01","end_date":"2026-04-01"}`},
	{"impossible_calendar_interval_window", `{"type":"calendar_interval","days":1,"start_date":"2026-05-01","end_date":"2026-04-01"}`},
	{"impossible_second_monday_on_tuesday", `{"type":"cron","fields":{"day":"2nd mon","day_of_week":"tue"}}`},
	{"impossible_always_in_a_gap", `{"type":"cron","fields":{"month":3,"day":"last sun","hour":2,"minute":30},"timezone":"Europe/Berlin","dst":{"gap":"skip"}}`},
	{"impossible_always_in_lord_howe_gap", `{"type":"cron","fields":{"month":10,"day":"1st sun","hour":2,"minute":"0-29"},"timezone":"Australia/Lord_Howe","dst":{"gap":"skip"}}`},
	{"impossible_and_of_months", `{"type":"and","triggers":[{"type":"cron","fields":{"month":1}},{"type":"cron","fields":{"month":2}}],"timezone":"Europe/Berlin"}`},
	{"impossible_and_of_intervals", `{"type":"and","triggers":[{"type":"interval","seconds":6,"start_date":"2024-01-01"},{"type":"interval","seconds":4,"start_date":"2024-01-01 00:00:01"}]}`},
	{"impossible_and_of_zones", `{"type":"and","triggers":[{"type":"cron","expr":"0 9 * * *","timezone":"Europe/Berlin"},{"type":"cron","expr":"0 9 * * *","timezone":"America/New_York"}]}`},
	{"impossible_and_of_interval_and_cron", `{"type":"and","triggers":[{"type":"interval","minutes":90,"start_date":"2024-01-01 00:00:17"},{"type":"cron","expr":"* * * * *","timezone":"Europe/Berlin"}]}`},
	{"interval_after_a_long_outage", `{"type":"interval","every":"1ms","start_date":"1970-01-01"}`},
	{"calendar_interval", `{"type":"calendar_interval","months":1,"start_date":"1970-01-31","hour":9,"timezone":"Europe/Berlin"}`},
	{"rrule_last_friday", `{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=-1FR","start_date":"1970-01-01 09:00:00","timezone":"Europe/Berlin"}`},
	{"rrule_secondly_after_decades", `{"type":"rrule","rule":"FREQ=SECONDLY;INTERVAL=7","start_date":"1970-01-01"}`},
	{"rrule_leap_day_on_monday", `{"type":"rrule","rule":"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO","start_date":"1970-01-01"}`},
	{"rrule_last_workday", `{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1","start_date":"1970-01-01"}`},
	{"impossible_rrule_feb_30", `{"type":"rrule","rule":"FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30","start_date":"2024-01-01"}`},
	{"impossible_rrule_hours_that_never_meet", `{"type":"rrule","rule":"FREQ=HOURLY;INTERVAL=2;BYHOUR=1","start_date":"2024-01-01"}`},
	{"impossible_rrule_position", `{"type":"rrule","rule":"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6","start_date":"2024-01-01"}`},
	{"exclude_days", `{"type":"cron","expr":"* * * * *","timezone":"Europe/Berlin","exclude":["2026-08-01",{"from":"2026-08-02","to":"2036-08-01"}]}`},
	{"exclude_all_but_an_hour", `{"type":"cron","expr":"* * * * * *","exclude":[{"type":"cron","expr":"* * 1-23 * * *"}]}`},
	{"calendar_interval_mixed", `{"type":"calendar_interval","months":1,"days":1,"start_date":"1970-01-31","timezone":"Europe/Berlin"}`},
}

// covered are documents that their exclusions leave nothing of.
var covered = []struct {
	name string
	doc  string
}{
	{"impossible_exclude_itself", `{"type":"cron","expr":"0 0 * * *","exclude":[{"type":"cron","expr":"0 0 * * *"}]}`},
	{"impossible_exclude_interval", `{"type":"interval","minutes":1,"start_date":"2026-05-01","exclude":[{"type":"interval","seconds":1,"start_date":"2020-01-01"}]}`},
	{"impossible_exclude_until_the_end", `{"type":"cron","expr":"* * * * *","end_date":"2030-01-01","exclude":[{"from":"2000-01-01","to":"2031-01-01"}]}`},
	{"impossible_exclude_calendar_interval", `{"type":"calendar_interval","days":1,"hour":2,"start_date":"2026-05-01","timezone":"Europe/Berlin","exclude":[{"type":"cron","expr":"0 * * * *","timezone":"Europe/Berlin"}]}`},
	{"impossible_exclude_rrule", `{"type":"rrule","rule":"FREQ=DAILY;BYHOUR=9","start_date":"2026-05-01","exclude":[{"type":"rrule","rule":"FREQ=HOURLY","start_date":"2026-05-01"}]}`},
}

// What can never fire is known to be so within ten milliseconds, from its document to the answer.
func TestImpossibleIsKnownSoon(t *testing.T) {
	from, seen := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC), 0
	for _, c := range append(covered, costly...) {
		if !strings.HasPrefix(c.name, "impossible") {
			continue
		}
		seen++
		t.Run(c.name, func(t *testing.T) {
			best := time.Hour
			for range 10 {
				begun := time.Now()
				first := trigger.First(mustParse(t, c.doc), from)
				best = min(best, time.Since(begun))
				if !first.IsZero() {
					t.Fatalf("it fires at %s", first)
				}
			}
			if best > 10*time.Millisecond && !raceEnabled {
				t.Errorf("it took %s at best, want less than 10ms", best)
			}
		})
	}
	if seen < 20 {
		t.Errorf("%d are impossible, want at least 20", seen)
	}
}

func BenchmarkNext(b *testing.B) {
	from := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range costly {
		b.Run(c.name, func(b *testing.B) {
			t, err := trigger.Parse([]byte(c.doc))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				t.Next(from)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range costly {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := trigger.Parse([]byte(c.doc)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
