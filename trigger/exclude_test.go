package trigger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/trigger"
)

// except puts an exclude list into a document.
func except(doc, items string) string {
	return strings.TrimSuffix(doc, "}") + `,"exclude":[` + items + `]}`
}

func TestExclude(t *testing.T) {
	cron := func(expr string) string {
		return fmt.Sprintf(`{"type":"cron","expr":%q,"timezone":"Europe/Berlin"}`, expr)
	}
	daily := cron("0 9 * * *")
	const from = "2024-12-23T00:00:00Z"
	for _, test := range []struct {
		name, doc, exclude, from string
		want                     []string
	}{
		{"nothing", daily, ``, from, []string{"2024-12-23T08:00:00Z"}},
		{"a day", daily, `"2024-12-24"`, from, []string{"2024-12-23T08:00:00Z", "2024-12-25T08:00:00Z"}},
		{"days in a row", daily, `"2024-12-25","2024-12-24","2024-12-23"`, from, []string{"2024-12-26T08:00:00Z"}},
		{"the day is that of the zone", cron("30 0 * * *"), `"2024-12-24"`, from, []string{"2024-12-24T23:30:00Z"}},
		{"an instant on the wall clock", daily, `"2024-12-23 09:00:00"`, from, []string{"2024-12-24T08:00:00Z"}},
		{"an instant with an offset", daily, `"2024-12-23T08:00:00Z"`, from, []string{"2024-12-24T08:00:00Z"}},
		{"another instant", daily, `"2024-12-23 09:00:01"`, from, []string{"2024-12-23T08:00:00Z"}},
		{"an instant that happens twice", cron("30 2 27 10 *"), `"2024-10-27 02:30:00"`, "2024-10-01T00:00:00Z", []string{"2025-10-27T01:30:00Z"}},
		{"a range of days", daily, `{"from":"2024-12-24","to":"2025-01-01"}`, from, []string{"2024-12-23T08:00:00Z", "2025-01-02T08:00:00Z"}},
		{"a range includes its ends", daily, `{"from":"2024-12-23 09:00:00","to":"2024-12-24 09:00:00"}`, from, []string{"2024-12-25T08:00:00Z"}},
		{"a range of one instant", daily, `{"from":"2024-12-24 09:00:00","to":"2024-12-24 09:00:00"}`, from, []string{"2024-12-23T08:00:00Z", "2024-12-25T08:00:00Z"}},
		{"a range of years", cron("* * * * * *"), `{"from":"2024-01-01","to":"2123-12-31"}`, from, []string{"2123-12-31T23:00:00Z"}},
		{"ranges that overlap", daily, `{"from":"2024-12-25","to":"2024-12-30"},{"from":"2024-12-20","to":"2024-12-26"}`, from, []string{"2024-12-31T08:00:00Z"}},
		{"a trigger", cron("0 * * * *"), cron("0 2-22 * * *"), from, []string{"2024-12-23T00:00:00Z", "2024-12-23T22:00:00Z", "2024-12-23T23:00:00Z", "2024-12-24T00:00:00Z"}},
		{"only the instants of a trigger", cron("*/30 * * * * *"), cron("* 12-13 * * *"), "2024-12-23T11:00:00Z", []string{"2024-12-23T11:00:30Z", "2024-12-23T11:01:30Z"}},
		{"a trigger with fractions, to the second", daily, `{"type":"date","run_date":"2024-12-23 09:00:00.75"}`, from, []string{"2024-12-24T08:00:00Z"}},
		{"most of each day, second by second", cron("* * * * * *"), cron("* * 1-22 * * *"), "2024-12-23T00:00:00Z", []string{"2024-12-23T22:00:00Z", "2024-12-23T22:00:01Z"}},
		{"all but one second a year", cron("* * * * * *"), `{"type":"cron","timezone":"Europe/Berlin","fields":{"month":"1-11","day":"*","hour":"*","minute":"*","second":"*"}},{"type":"cron","timezone":"Europe/Berlin","fields":{"day":"1-30","hour":"*","minute":"*","second":"*"}},` + cron("* * 1-23 * * *") + `,` + cron("* 1-59 * * * *") + `,` + cron("1-59 * * * * *"), from, []string{"2024-12-30T23:00:00Z", "2025-12-30T23:00:00Z"}},
		{"all of it", daily, daily, from, []string{""}},
		{"all of every second", cron("* * * * * *"), cron("* * * * * *"), from, []string{""}},
		{"all of every weekday", cron("* * * * * mon-fri"), cron("* * * * * mon-fri"), from, []string{""}},
		{"all by an interval", cron("* * * * *"), `{"type":"interval","every":"1s","start_date":"2024-01-01"}`, from, []string{""}},
		{"what an interval ends", cron("0 0 * * *"), `{"type":"interval","every":"1s","start_date":"2024-01-01","end_date":"2024-12-31"}`, from, []string{"2024-12-31T23:00:00Z"}},
		{"an or", daily, `{"type":"or","triggers":[` + cron("0 9 23 * *") + `,` + cron("0 9 24 * *") + `]}`, from, []string{"2024-12-25T08:00:00Z"}},
		{"except the excluded", daily, except(cron("0 9 * * *"), `"2024-12-25"`), from, []string{"2024-12-25T08:00:00Z"}},
		{"never excluded", daily, `{"type":"cron","expr":"0 0 30 2 *"}`, from, []string{"2024-12-23T08:00:00Z"}},
		{"a cron that leaves the first of a fold", cron("*/30 * * * *"), `{"type":"cron","expr":"* * * * *","timezone":"Europe/Berlin","dst":{"fold":"last"}}`, "2024-10-26T20:00:00Z", []string{"2024-10-27T00:00:00Z", "2024-10-27T00:30:00Z", "2025-10-26T00:00:00Z"}},
		{"times shifted out of a gap are not those of the fields", `{"type":"cron","fields":{"hour":2,"minute":"0,15"},"timezone":"Australia/Lord_Howe"}`, `{"type":"cron","fields":{"hour":"*","minute":"0,15,30"},"timezone":"Australia/Lord_Howe"}`, "2024-10-05T00:00:00Z", []string{"2024-10-05T15:45:00Z"}},
		{"of a date", `{"type":"date","run_date":"2024-12-24"}`, `"2024-12-24"`, from, []string{""}},
		{"of an and", `{"type":"and","timezone":"Europe/Berlin","triggers":[` + daily + `,` + cron("0 9 * * mon") + `]}`, `"2024-12-23"`, from, []string{"2024-12-30T08:00:00Z"}},
		{"in an and", `{"type":"and","triggers":[` + except(cron("* * * * *"), cron("* 0-21 * * *")) + `,` + cron("0 */2 * * *") + `]}`, ``, from, []string{"2024-12-23T21:00:00Z", "2024-12-24T21:00:00Z"}},
		{"of a rule", `{"type":"rrule","rule":"FREQ=DAILY","start_date":"2024-12-01"}`, `{"type":"rrule","rule":"FREQ=WEEKLY;BYDAY=MO,TU","start_date":"2024-12-01"}`, from, []string{"2024-12-25T00:00:00Z"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			begun := time.Now()
			got := []string{}
			for _, at := range trigger.Times(mustParse(t, except(test.doc, test.exclude)), instant(t, test.from), len(test.want)) {
				got = append(got, at.Format(time.RFC3339Nano))
			}
			if took := time.Since(begun); took > 200*time.Millisecond && !raceEnabled {
				t.Errorf("took %s", took)
			}
			want := slices.DeleteFunc(test.want, func(s string) bool { return s == "" })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestExcludeRefuses(t *testing.T) {
	const hourly = `{"type":"cron","expr":"0 * * * *"}`
	for _, test := range []struct{ name, exclude, says string }{
		{"number", `20241224`, `exclude[0]: 20241224: must be an object`},
		{"null", `null`, "exclude[0]: null"},
		{"list", `["2024-12-24"]`, "must be an object"},
		{"no date", `"Christmas"`, `exclude[0]: "Christmas": must be YYYY`},
		{"no such day", `"2024-02-30"`, "no such day"},
		{"empty object", `{}`, "must be a date"},
		{"unknown object", `{"day":"2024-12-24"}`, "must be a date"},
		{"range without to", `"2024-12-24",{"from":"2024-12-24"}`, "exclude[1].to: "},
		{"range without from", `{"to":"2024-12-24"}`, "exclude[0].from: "},
		{"range with more", `{"from":"2024-12-24","to":"2024-12-25","timezone":"UTC"}`, "exclude[0].timezone: "},
		{"range reversed", `{"from":"2024-12-25","to":"2024-12-24"}`, "lies before from"},
		{"faulty trigger", `{"type":"cron","expr":"61 * * * *"}`, "exclude[0].expr: "},
		{"unknown trigger", `{"type":"holiday"}`, "exclude[0].type: "},
		{"calendar", `{"calendar":"holidays"}`, "kept by a store"},
		{"calendar without name", `{"calendar":""}`, "exclude[0].calendar: "},
		{"calendar with spaces", `{"calendar":"bank holidays"}`, "without spaces"},
		{"calendar of a number", `{"calendar":1}`, "must be a string"},
		{"calendar and more", `{"calendar":"holidays","timezone":"UTC"}`, "exclude[0].timezone: "},
		{"too many", strings.TrimSuffix(strings.Repeat(hourly+",", 64), ","), "64 triggers"},
		{"too deep", strings.Repeat(`{"type":"date","run_date":"2024-01-01","exclude":[`, 8) + strings.Repeat(`]}`, 8), "8 deep"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := trigger.Parse([]byte(except(hourly, test.exclude)))
			if !errors.Is(err, trigger.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Parse: %v, want ErrInvalid and %q", err, test.says)
			}
		})
	}
	if _, err := trigger.Parse([]byte(`{"type":"date","run_date":"2024-01-01","exclude":{}}`)); err == nil || !strings.Contains(err.Error(), "must be a list") {
		t.Errorf("exclude of an object: %v", err)
	}
}

// exclusionItem is an item of an exclude list, and what it means, by brute force.
type exclusionItem struct {
	text string
	has  func(time.Time) bool
}

func drawExclusion(t *rapid.T, zone *time.Location, from time.Time) exclusionItem {
	day := func() string {
		return from.AddDate(0, 0, rapid.IntRange(0, 5).Draw(t, "day")).In(zone).Format(time.DateOnly)
	}
	switch rapid.IntRange(0, 3).Draw(t, "item") {
	case 0:
		out := day()
		return exclusionItem{fmt.Sprintf("%q", out), func(at time.Time) bool { return at.In(zone).Format(time.DateOnly) == out }}
	case 1:
		ends := []string{day(), day()}
		slices.Sort(ends)
		return exclusionItem{fmt.Sprintf(`{"from":%q,"to":%q}`, ends[0], ends[1]), func(at time.Time) bool {
			date := at.In(zone).Format(time.DateOnly)
			return ends[0] <= date && date <= ends[1]
		}}
	case 2:
		low := from.Add(time.Duration(rapid.IntRange(-600, 600).Draw(t, "from")) * 10 * time.Minute)
		high := low.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "length")) * 10 * time.Minute)
		return exclusionItem{
			fmt.Sprintf(`{"from":%q,"to":%q}`, low.Format(time.RFC3339Nano), high.Format(time.RFC3339Nano)),
			func(at time.Time) bool { return !at.Before(low) && !at.After(high) },
		}
	default:
		doc := drawDocument(t, 0)
		other := mustParseRapid(t, doc)
		return exclusionItem{doc, func(at time.Time) bool {
			second := at.Truncate(time.Second)
			next := trigger.First(other, second)
			return !next.IsZero() && next.Before(second.Add(time.Second))
		}}
	}
}

func TestExcludeAgreesWithFiltering(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			rt.Fatal(err)
		}
		doc := rapid.SampledFrom([]string{
			`{"type":"cron","expr":"*/20 * * * *","timezone":"Europe/Berlin"}`,
			`{"type":"cron","expr":"30 2,3 * * *","timezone":"Europe/Berlin"}`,
			`{"type":"cron","expr":"*/30 0-4 * * *","timezone":"Europe/Berlin","dst":{"gap":"shift","fold":"last"}}`,
			`{"type":"interval","every":"31m7.5s","start_date":"2024-01-01","timezone":"Europe/Berlin"}`,
			`{"type":"rrule","rule":"FREQ=HOURLY;INTERVAL=3;BYMINUTE=0,30","start_date":"2023-01-01","timezone":"Europe/Berlin"}`,
		}).Draw(rt, "doc")
		low := rapid.SampledFrom([]string{"2024-03-30T20:00:00Z", "2024-10-26T20:00:00Z", "2025-02-01T00:00:00Z"}).Draw(rt, "from")
		from, err := time.Parse(time.RFC3339, low)
		if err != nil {
			rt.Fatal(err)
		}
		var items []exclusionItem
		var texts []string
		for range rapid.IntRange(0, 4).Draw(rt, "items") {
			item := drawExclusion(rt, zone, from)
			items, texts = append(items, item), append(texts, item.text)
		}
		to := from.Add(8 * 24 * time.Hour)
		want := slices.DeleteFunc(between(mustParseRapid(rt, doc), from, to), func(at time.Time) bool {
			return slices.ContainsFunc(items, func(item exclusionItem) bool { return item.has(at) })
		})
		full := except(doc, strings.Join(texts, ","))
		if diff := cmp.Diff(want, between(mustParseRapid(rt, full), from, to)); diff != "" {
			rt.Fatalf("%s (-filtered +got):\n%s", full, diff)
		}
	})
}

// TestBlocksAgreeWithFiltering excludes crons from crons, which jumps over minutes,
// hours and days, around clock changes.
func TestBlocksAgreeWithFiltering(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		change := rapid.SampledFrom(changes).Draw(rt, "change")
		main, out := drawPlan(rt), drawPlan(rt)
		for _, p := range []*plan{&main, &out} { // or hardly any would meet, and few blocks be whole
			p.days, p.weekdays, p.months = nil, nil, nil
		}
		if rapid.Bool().Draw(rt, "same hours") {
			main.hours = out.hours
		}
		if rapid.Bool().Draw(rt, "same minutes") {
			main.minutes = out.minutes
		}
		if rapid.Bool().Draw(rt, "all hours") {
			out.hours = nil
		}
		if rapid.Bool().Draw(rt, "all minutes") {
			out.minutes = nil
		}
		day, err := time.Parse(time.DateOnly, change.day)
		if err != nil {
			rt.Fatal(err)
		}
		from := day.Add(time.Duration(rapid.IntRange(-16, 16).Draw(rt, "hours")) * time.Hour)
		to := from.Add(10 * time.Hour)
		write := func(p plan, name string) string {
			second := rapid.SampledFrom([]string{"0", "0,30", "*/20"}).Draw(rt, name)
			return strings.Replace(p.document(change.zone), `"second":"0"`, fmt.Sprintf(`"second":%q`, second), 1)
		}
		doc, outDoc := write(main, "second"), write(out, "excluded second")
		if rapid.IntRange(0, 3).Draw(rt, "ends") == 0 {
			end := from.Add(time.Duration(rapid.IntRange(0, 600).Draw(rt, "end")) * time.Minute)
			outDoc = strings.TrimSuffix(outDoc, "}") + fmt.Sprintf(`,"end_date":%q}`, end.Format(time.RFC3339))
		}
		gone := map[time.Time]bool{}
		for _, at := range between(mustParseRapid(rt, outDoc), from, to) {
			gone[at] = true
		}
		want := slices.DeleteFunc(between(mustParseRapid(rt, doc), from, to), func(at time.Time) bool { return gone[at] })
		if diff := cmp.Diff(want, between(mustParseRapid(rt, except(doc, outDoc)), from, to)); diff != "" {
			rt.Fatalf("%s except %s (-filtered +got):\n%s", doc, outDoc, diff)
		}
	})
}
