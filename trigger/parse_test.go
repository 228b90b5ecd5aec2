package trigger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/trigger"
)

func TestParseRefuses(t *testing.T) {
	cron := func(field, text string) string {
		return fmt.Sprintf(`{"type":"cron","fields":{%q:%s}}`, field, text)
	}
	expr := func(text string) string { return fmt.Sprintf(`{"type":"cron","expr":%q}`, text) }
	for _, test := range []struct{ name, doc, says string }{
		{"nothing", ``, "ends too early"},
		{"no object", `[]`, "must be an object"},
		{"cut short", `{"type":"date"`, "ends too early"},
		{"trailing data", `{"type":"interval","every":"1s"} {}`, "more data"},
		{"not UTF-8", "{\"type\":\"\xff\"}", "not UTF-8"},
		{"too long", `{"type":"` + strings.Repeat("x", 1<<16) + `"}`, "64 KiB"},
		{"no type", `{"every":"1s"}`, "type: "},
		{"unknown type", `{"type":"Interval","every":"1s"}`, `"Interval"`},
		{"unknown field", `{"type":"interval","every":"1s","evry":"1s"}`, "evry: "},
		{"field of another case", `{"type":"interval","Every":"1s"}`, "Every: "},
		{"repeated field", `{"type":"interval","every":"1s","every":"2s"}`, "every: "},
		{"repeated inner field", `{"type":"cron","fields":{"hour":1,"hour":2}}`, "fields.hour: "},
		{"null", `{"type":"interval","every":"1s","end_date":null}`, "end_date: null"},
		{"wrong type", `{"type":"interval","every":true}`, "every: true"},
		{"unknown zone", `{"type":"interval","every":"1s","timezone":"Mars/Olympus"}`, "timezone: "},
		{"local zone", `{"type":"interval","every":"1s","timezone":"Local"}`, "timezone: "},
		{"zone of a file", `{"type":"interval","every":"1s","timezone":"../../etc/passwd"}`, "timezone: "},
		{"negative jitter", `{"type":"interval","every":"1s","jitter":-1}`, "jitter: -1"},
		{"jitter of words", `{"type":"interval","every":"1s","jitter":"some"}`, `jitter: "some"`},
		{"date without date", `{"type":"date"}`, "run_date: "},
		{"date of numbers", `{"type":"date","run_date":1700000000}`, "run_date: "},
		{"no such day", `{"type":"date","run_date":"2023-02-29"}`, "no such day"},
		{"no such hour", `{"type":"date","run_date":"2023-02-28 24:00:00"}`, "no such time"},
		{"leap second", `{"type":"date","run_date":"2016-12-31 23:59:60"}`, "no such time"},
		{"no such offset", `{"type":"date","run_date":"2023-02-28 12:00:00+24:00"}`, "no such offset"},
		{"zero time", `{"type":"date","run_date":"0001-01-01T00:00:00Z"}`, "1900"},
		{"no interval", `{"type":"interval"}`, "every: "},
		{"zero interval", `{"type":"interval","seconds":0}`, "1ms"},
		{"negative interval", `{"type":"interval","hours":-1}`, "hours: -1"},
		{"negative every", `{"type":"interval","every":"-1h"}`, "1ms"},
		{"tiny interval", `{"type":"interval","every":"999us"}`, "1ms"},
		{"huge interval", `{"type":"interval","weeks":15000,"days":100000}`, "292 years"},
		{"interval exponent", `{"type":"interval","seconds":1e99999999}`, "seconds: "},
		{"every and units", `{"type":"interval","every":"1s","hours":1}`, "hours: "},
		{"empty calendar_interval", `{"type":"calendar_interval","hour":3}`, "a day or more"},
		{"fraction of a month", `{"type":"calendar_interval","months":1.5}`, "months: "},
		{"hour 24", `{"type":"calendar_interval","days":1,"hour":24}`, "hour: 24"},
		{"cron of nothing", `{"type":"cron"}`, "expr or fields"},
		{"cron of both", `{"type":"cron","expr":"* * * * *","fields":{}}`, "expr or fields"},
		{"unknown cron field", cron("hours", `"1"`), "fields.hours: "},
		{"dst word", `{"type":"cron","expr":"* * * * *","dst":{"gap":"run"}}`, "dst.gap: "},
		{"dst field", `{"type":"cron","expr":"* * * * *","dst":{"overlap":"run"}}`, "dst.overlap: "},
		{"dst of interval", `{"type":"interval","every":"1s","dst":{}}`, "dst: "},
		{"field step over range", cron("hour", `"*/24"`), "step"},
		{"field step over part", cron("minute", `"50/20"`), "step"},
		{"field step zero", cron("minute", `"*/0"`), "step"},
		{"field reversed", cron("hour", `"5-3"`), "reversed"},
		{"field weekday 7", cron("day_of_week", `7`), "within 0 and 6"},
		{"field number with sign", cron("minute", `"+5"`), "+5"},
		{"field number with point", cron("minute", `5.0`), "5.0"},
		{"field huge number", cron("minute", `"99999999999999999999"`), "out of range"},
		{"field word elsewhere", cron("month", `"last"`), "last"},
		{"field word and more", cron("day", `"lastfoo"`), "lastfoo"},
		{"field long name", cron("day_of_week", `"monday"`), "monday"},
		{"field name and #", cron("day_of_week", `"mon#2"`), "mon#2"},
		{"expr of four", expr("* * * *"), "5 fields"},
		{"expr of seven", expr("* * * * * * 2024"), "5 fields"},
		{"expr empty", expr(""), "5 fields"},
		{"expr zone only", expr("TZ=UTC"), "TZ="},
		{"expr zone empty", expr("TZ= * * * * *"), "TZ="},
		{"expr zone unknown", expr("CRON_TZ=Mars/Olympus * * * * *"), "Mars/Olympus"},
		{"expr zone conflict", `{"type":"cron","expr":"TZ=Europe/Berlin * * * * *","timezone":"UTC"}`, "another time zone"},
		{"expr descriptor", expr("@reboot"), "@reboot"},
		{"expr every negative", expr("@every -1h"), "@every"},
		{"expr every nothing", expr("@every"), "@every"},
		{"expr every joined", expr("@every1h"), "@every"},
		{"expr star range", expr("*-5 * * * *"), "minute"},
		{"expr empty item", expr("1,,2 * * * *"), "minute"},
		{"expr comma", expr(", * * * *"), "minute"},
		{"expr sign", expr("+5 * * * *"), "minute"},
		{"expr minute 60", expr("60 * * * *"), "60"},
		{"expr day 0", expr("0 0 0 * *"), "0"},
		{"expr reversed", expr("0 22-4 * * *"), "22-4"},
		{"expr weekday 8", expr("0 0 * * 8"), "8"},
		{"expr reversed weekdays", expr("0 0 * * fri-mon"), "fri-mon"},
		{"expr sixth friday", expr("0 0 * * fri#6"), "fri#6"},
		{"expr L-0", expr("0 0 L-0 * *"), "days back"},
		{"expr 32W", expr("0 0 32W * *"), "1 to 31"},
		{"expr bare L weekday", expr("0 0 * * L"), "day_of_week"},
		{"expr ? in hour", expr("0 ? * * *"), "hour"},
		{"and of nothing", `{"type":"and","triggers":[]}`, "triggers: "},
		{"or without triggers", `{"type":"or"}`, "triggers: "},
		{"or of an object", `{"type":"or","triggers":{}}`, "must be a list"},
		{"fault in a member", `{"type":"or","triggers":[{"type":"interval","every":"1s"},{"type":"cron","fields":{"hour":"25"}}]}`, "triggers[1].fields.hour: "},
		{"too many", `{"type":"or","triggers":[` + strings.Repeat(`{"type":"interval","every":"1s"},`, 64) + `{"type":"date","run_date":"2024-01-01"}]}`, "64 triggers"},
		{"too deep", strings.Repeat(`{"type":"or","triggers":[`, 9) + `{"type":"date","run_date":"2024-01-01"}` + strings.Repeat(`]}`, 9), "8 deep"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := trigger.Parse([]byte(test.doc))
			if !errors.Is(err, trigger.ErrInvalid) || got != nil {
				t.Fatalf("Parse = %v, %v; want ErrInvalid", got, err)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q does not say %q", err, test.says)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	berlin := func(expr, dst string) string {
		return fmt.Sprintf(`{"type":"cron","expr":%q,"timezone":"Europe/Berlin","dst":%s}`, expr, dst)
	}
	utc := func(expr string) string { return fmt.Sprintf(`{"type":"cron","expr":%q}`, expr) }
	const gapDay, foldDay, year = "2024-03-30T12:00:00Z", "2024-10-26T12:00:00Z", "2024-01-01T00:00:00Z"
	for _, test := range []struct {
		name, doc, from string
		want            []string
	}{
		{"fixed hour in a gap is shifted", berlin("30 2 * * *", `{}`), gapDay, []string{"2024-03-31T01:30:00Z", "2024-04-01T00:30:00Z"}},
		{"fixed hour in a fold is the first", berlin("30 2 * * *", `{}`), foldDay, []string{"2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"}},
		{"fold last", berlin("30 2 * * *", `{"fold":"last"}`), foldDay, []string{"2024-10-27T01:30:00Z", "2024-10-28T01:30:00Z"}},
		{"two that land on one instant", berlin("0 2,3 * * *", `{}`), gapDay, []string{"2024-03-31T01:00:00Z", "2024-04-01T00:00:00Z"}},
		{"wildcard hour follows real time", berlin("30 */1 27 10 *", `{}`), "2024-10-27T00:00:00Z", []string{"2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z", "2024-10-27T02:30:00Z"}},
		{"wildcard hour skips the gap", berlin("30 */2 * * *", `{}`), "2024-03-31T00:00:00Z", []string{"2024-03-31T02:30:00Z"}},
		{"day that a zone left out", `{"type":"cron","fields":{"month":12,"day":30,"hour":9},"timezone":"Pacific/Apia"}`, "2011-12-01T00:00:00Z", []string{"2011-12-30T19:00:00Z", "2012-12-29T19:00:00Z"}},
		{"either day field", utc("0 0 13 * fri"), year, []string{"2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z", "2024-01-13T00:00:00Z"}},
		{"both day fields if one begins with a star", utc("0 0 */2 * fri"), year, []string{"2024-01-05T00:00:00Z", "2024-01-19T00:00:00Z"}},
		{"Sunday is 7 too", utc("0 0 * * 7"), year, []string{"2024-01-07T00:00:00Z"}},
		{"range to 7", utc("0 0 * * 5-7"), year, []string{"2024-01-05T00:00:00Z", "2024-01-06T00:00:00Z", "2024-01-07T00:00:00Z", "2024-01-12T00:00:00Z"}},
		{"step over 7", utc("0 0 * * 1-7/3"), year, []string{"2024-01-01T00:00:00Z", "2024-01-04T00:00:00Z", "2024-01-07T00:00:00Z", "2024-01-08T00:00:00Z"}},
		{"last day but three", utc("0 0 L-3 2 *"), year, []string{"2024-02-26T00:00:00Z", "2025-02-25T00:00:00Z"}},
		{"weekday nearest to the 1st", utc("0 0 1W 6 ?"), year, []string{"2024-06-03T00:00:00Z"}},
		{"last Friday", utc("0 0 ? * 5L"), year, []string{"2024-01-26T00:00:00Z", "2024-02-23T00:00:00Z"}},
		{"six fields", utc("*/20 * * * * *"), "2024-01-01T00:00:01Z", []string{"2024-01-01T00:00:20Z", "2024-01-01T00:00:40Z", "2024-01-01T00:01:00Z"}},
		{"descriptor", utc("@Weekly"), year, []string{"2024-01-07T00:00:00Z"}},
		{"zone in expr", utc("CRON_TZ=Europe/Berlin 0 9 * * *"), year, []string{"2024-01-01T08:00:00Z"}},
		{"step of a whole day", utc("0 */24 * * *"), year, []string{"2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"}},
		{"leap day across a century", utc("0 0 29 2 *"), "2097-01-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"last year", utc("59 59 23 31 12 *"), "9999-01-01T00:00:00Z", []string{"9999-12-31T23:59:59Z", ""}},
		{"impossible", utc("0 0 30 2 *"), year, []string{""}},
		{"integers", `{"type":"cron","fields":{"hour":5,"minute":7}}`, year, []string{"2024-01-01T05:07:00Z"}},
		{"no field is every second", `{"type":"cron","fields":{}}`, year, []string{year, "2024-01-01T00:00:01Z"}},
		{"interval of strings", `{"type":"interval","hours":"1.5","start_date":"2024-01-01"}`, "2024-01-01T00:00:01Z", []string{"2024-01-01T01:30:00Z"}},
		{"interval after centuries", `{"type":"interval","every":"7ms","start_date":"1970-01-01"}`, "9000-01-01T00:00:00Z", []string{"9000-01-01T00:00:00.001Z", "9000-01-01T00:00:00.008Z"}},
		{"date in the past", `{"type":"date","run_date":"2023-01-01"}`, year, []string{""}},
		{"fraction of a date", `{"type":"date","run_date":"2024-01-01 00:00:00.25"}`, year, []string{"2024-01-01T00:00:00.25Z"}},
		{"members take the zone of the whole", `{"type":"or","timezone":"Europe/Berlin","triggers":[{"type":"cron","expr":"0 9 * * *"}]}`, year, []string{"2024-01-01T08:00:00Z"}},
		{"31st far from the start", `{"type":"calendar_interval","months":1,"start_date":"2024-01-31"}`, "2024-03-10T00:00:00Z", []string{"2024-03-31T00:00:00Z", "2024-05-31T00:00:00Z"}},
		{"and of three", `{"type":"and","triggers":[{"type":"cron","expr":"0 0 * * *"},{"type":"interval","days":2,"start_date":"2024-01-01"},{"type":"calendar_interval","days":3,"start_date":"2024-01-01"}]}`, "2024-01-02T00:00:00Z", []string{"2024-01-07T00:00:00Z", "2024-01-13T00:00:00Z"}},
		{"calendar_interval with a time in its end", `{"type":"calendar_interval","days":1,"hour":9,"start_date":"2024-01-01","end_date":"2024-01-02 08:00:00"}`, year, []string{"2024-01-01T09:00:00Z", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := []string{}
			for _, at := range trigger.Times(mustParse(t, test.doc), instant(t, test.from), len(test.want)) {
				got = append(got, at.Format(time.RFC3339Nano))
			}
			want := test.want
			if want[len(want)-1] == "" {
				want = want[:len(want)-1]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s from %s (-want +got):\n%s", test.doc, test.from, diff)
			}
		})
	}
}

func TestNextIsBounded(t *testing.T) {
	for _, c := range costly {
		t.Run(c.name, func(t *testing.T) {
			tr := mustParse(t, c.doc)
			from := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
			best := time.Hour
			for range 20 {
				begun := time.Now()
				next := tr.Next(from)
				best = min(best, time.Since(begun))
				if strings.HasPrefix(c.name, "impossible") != next.IsZero() {
					t.Fatalf("Next = %s", next)
				}
			}
			if best > time.Millisecond && !raceEnabled {
				t.Errorf("Next took %s at best, want less than 1ms", best)
			}
		})
	}
}
