package trigger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/trigger"
)

var zoneNames = []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata"}

// drawDocument draws a resolved document of any type.
func drawDocument(t *rapid.T, depth int) string {
	common := fmt.Sprintf(`"timezone":%q`, rapid.SampledFrom(zoneNames).Draw(t, "zone"))
	bounds := ""
	if rapid.Bool().Draw(t, "bounded") {
		bounds = fmt.Sprintf(`,"start_date":"2024-%02d-01 01:30:00.25","end_date":"2025-%02d-28 12:00:00"`,
			rapid.IntRange(1, 12).Draw(t, "start month"), rapid.IntRange(1, 12).Draw(t, "end month"))
	}
	kinds := []string{"date", "interval", "cron", "expr", "calendar_interval"}
	if depth > 0 {
		kinds = append(kinds, "and", "or")
	}
	switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
	case "date":
		return fmt.Sprintf(`{"type":"date","run_date":"2024-%02d-%02d 02:30:00.5",%s}`,
			rapid.IntRange(1, 12).Draw(t, "month"), rapid.IntRange(1, 28).Draw(t, "day"), common)
	case "interval":
		if bounds == "" {
			bounds = `,"start_date":"2023-07-01"`
		}
		return fmt.Sprintf(`{"type":"interval","minutes":%d,"seconds":%d%s,%s}`,
			rapid.IntRange(0, 3000).Draw(t, "minutes"), rapid.IntRange(1, 60).Draw(t, "seconds"), bounds, common)
	case "cron":
		doc := drawPlan(t).document("UTC")
		return strings.Replace(doc, `"timezone":"UTC"`, common+bounds, 1)
	case "expr":
		expr := rapid.SampledFrom([]string{
			"*/7 * * * *", "30 2 * * *", "0 0 L * *", "0 12 15W * *", "15 3 * * fri#2,5L", "0 0 13 * 5", "*/20 * * * * *",
		}).Draw(t, "expr")
		return fmt.Sprintf(`{"type":"cron","expr":%q%s,%s}`, expr, bounds, common)
	case "calendar_interval":
		if bounds == "" {
			bounds = `,"start_date":"2023-01-31"`
		}
		return fmt.Sprintf(`{"type":"calendar_interval","months":%d,"days":%d,"hour":%d,"minute":30%s,%s}`,
			rapid.IntRange(0, 5).Draw(t, "months"), rapid.IntRange(1, 40).Draw(t, "days"),
			rapid.IntRange(0, 3).Draw(t, "hour"), bounds, common)
	default:
		members := make([]string, rapid.IntRange(1, 3).Draw(t, "members"))
		for i := range members {
			members[i] = drawDocument(t, depth-1)
		}
		return fmt.Sprintf(`{"type":%q,"triggers":[%s],%s}`, kind, strings.Join(members, ","), common)
	}
}

func drawInstant(t *rapid.T) time.Time {
	low, high := time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC)
	second := rapid.Int64Range(low.Unix(), high.Unix()).Draw(t, "second")
	return time.Unix(second, rapid.SampledFrom([]int64{0, 1, 250_000_000, 999_999_999}).Draw(t, "nanosecond")).UTC()
}

func TestNextIsStrictlyIncreasingAndSkipsNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		doc := drawDocument(rt, 2)
		tr, err := trigger.Parse([]byte(doc))
		if err != nil {
			rt.Fatalf("Parse(%s): %v", doc, err)
		}
		at := drawInstant(rt)
		for range 20 {
			next := tr.Next(at)
			if next.IsZero() {
				break
			}
			if !next.After(at) {
				rt.Fatalf("%s: Next(%s) = %s", doc, at, next)
			}
			if next.Location() != time.UTC {
				rt.Fatalf("%s: %s is not in UTC", doc, next)
			}
			if strings.Contains(doc, `"and"`) { // its search may begin elsewhere and so end elsewhere
				at = next
				continue
			}
			part := rapid.Int64Range(0, int64(next.Sub(at))-1).Draw(rt, "part")
			if again := tr.Next(at.Add(time.Duration(part))); !again.Equal(next) {
				rt.Fatalf("%s: Next(%s) = %s, but Next is %s a little later", doc, at, next, again)
			}
			if first := trigger.First(tr, next); !first.Equal(next) {
				rt.Fatalf("%s: First(%s) = %s", doc, next, first)
			}
			at = next
		}
	})
}

func TestTimesLieWithinTheWindow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		start := drawInstant(rt)
		end := start.Add(time.Duration(rapid.Int64Range(0, int64(90*24*time.Hour)).Draw(rt, "length")))
		open := p.document("Europe/Berlin")
		bounded := strings.Replace(open, `{`, fmt.Sprintf(`{"start_date":%q,"end_date":%q,`,
			start.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano)), 1)
		got := trigger.Times(mustParseRapid(rt, bounded), time.Time{}, 500)
		want := between(mustParseRapid(rt, open), start, end)
		if len(want) > 500 {
			want = want[:500]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("%s (-unbounded within window +got):\n%s", bounded, diff)
		}
	})
}

func mustParseRapid(t *rapid.T, doc string) trigger.Trigger {
	parsed, err := trigger.Parse([]byte(doc))
	if err != nil {
		t.Fatalf("Parse(%s): %v", doc, err)
	}
	return parsed
}

func TestCombinationsAgreeWithSets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		low := drawInstant(rt)
		high := low.Add(10 * 24 * time.Hour)
		one, two := drawDocument(rt, 0), drawDocument(rt, 0)
		timesOne := between(mustParseRapid(rt, one), low, high)
		timesTwo := between(mustParseRapid(rt, two), low, high)
		all, both := append(slices.Clone(timesOne), timesTwo...), []time.Time{}
		slices.SortFunc(all, time.Time.Compare)
		all = slices.CompactFunc(all, time.Time.Equal)
		for _, at := range timesOne {
			if _, found := slices.BinarySearchFunc(timesTwo, at, time.Time.Compare); found {
				both = append(both, at)
			}
		}
		or := mustParseRapid(rt, fmt.Sprintf(`{"type":"or","triggers":[%s,%s]}`, one, two))
		if diff := cmp.Diff(all, between(or, low, high)); diff != "" {
			rt.Fatalf("or of %s and %s (-want +got):\n%s", one, two, diff)
		}
		and := mustParseRapid(rt, fmt.Sprintf(`{"type":"and","triggers":[%s,%s]}`, one, two))
		got := between(and, low, high)
		if len(got) < len(both) && len(timesOne)+len(timesTwo) > 300 {
			both = both[:len(got)] // the search is bounded; what it finds must still be right
		}
		if diff := cmp.Diff(both, got); diff != "" {
			rt.Fatalf("and of %s and %s (-want +got):\n%s", one, two, diff)
		}
	})
}

func TestIntervalsMeetExactly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		var members []string
		var lengths, offsets [2]int
		for i := range lengths {
			lengths[i] = rapid.IntRange(1, 60).Draw(rt, "length")
			offsets[i] = rapid.IntRange(0, 500).Draw(rt, "offset")
			members = append(members, fmt.Sprintf(`{"type":"interval","seconds":%d,"start_date":%q}`,
				lengths[i], base.Add(time.Duration(offsets[i])*time.Second).Format(time.RFC3339)))
		}
		want := []time.Time{}
		for s := max(offsets[0], offsets[1]); s <= 8000; s++ {
			if (s-offsets[0])%lengths[0] == 0 && (s-offsets[1])%lengths[1] == 0 {
				want = append(want, base.Add(time.Duration(s)*time.Second))
			}
		}
		doc := `{"type":"and","triggers":[` + strings.Join(members, ",") + `]}`
		if diff := cmp.Diff(want, between(mustParseRapid(rt, doc), base, base.Add(8000*time.Second))); diff != "" {
			rt.Fatalf("%s (-want +got):\n%s", doc, diff)
		}
	})
}

func TestCalendarIntervalAgreesWithStepping(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		months := rapid.IntRange(0, 14).Draw(rt, "months")
		days := rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 40)).Draw(rt, "days")
		if months+days == 0 {
			days = 1
		}
		at := time.Date(2020, time.Month(rapid.IntRange(1, 12).Draw(rt, "month")), rapid.IntRange(1, 31).Draw(rt, "day"), 9, 30, 0, 0, time.UTC)
		doc := fmt.Sprintf(`{"type":"calendar_interval","months":%d,"days":%d,"start_date":%q,"hour":9,"minute":30}`,
			months, days, at.Format(time.DateOnly))
		from := drawInstant(rt)
		want := []time.Time{}
		for date := at; len(want) < 20; {
			if !date.Before(from) {
				want = append(want, date)
			}
			step, n := date, 0
			for months > 0 {
				n += months
				// time.Date normalises 31 February to March; the day of the month tells.
				if step = time.Date(date.Year(), date.Month()+time.Month(n), date.Day(), 9, 30, 0, 0, time.UTC); step.Day() == date.Day() {
					break
				}
			}
			date = step.AddDate(0, 0, days)
		}
		if diff := cmp.Diff(want, trigger.Times(mustParseRapid(rt, doc), from, 20)); diff != "" {
			rt.Fatalf("%s from %s (-stepping +got):\n%s", doc, from, diff)
		}
	})
}
