package trigger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// dayForm is one item of a day field: how it is written, and whether a day is meant.
type dayForm struct {
	text  string
	means func(day time.Time) bool
}

func lastOf(day time.Time) int {
	return time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func workday(day time.Time) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

// nearest tells whether day is the weekday nearest to that date of its month.
func nearest(day time.Time, date int) bool {
	if date > lastOf(day) || !workday(day) {
		return false
	}
	for distance := range 3 {
		for _, d := range []int{date - distance, date + distance} {
			at := time.Date(day.Year(), day.Month(), d, 0, 0, 0, 0, time.UTC)
			if at.Month() == day.Month() && workday(at) {
				return at.Day() == day.Day()
			}
		}
	}
	return false
}

var (
	dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	nthNames = []string{"1st", "2nd", "3rd", "4th", "5th"}
)

func drawDate(t *rapid.T) dayForm {
	n := rapid.IntRange(1, 31).Draw(t, "date")
	return rapid.SampledFrom([]dayForm{
		{fmt.Sprint(n), func(day time.Time) bool { return day.Day() == n }},
		{fmt.Sprintf("%d-31", n), func(day time.Time) bool { return day.Day() >= n }},
		{"L", func(day time.Time) bool { return day.Day() == lastOf(day) }},
		{fmt.Sprintf("L-%d", min(n, 30)), func(day time.Time) bool { return day.Day() == lastOf(day)-min(n, 30) }},
		{fmt.Sprintf("%dW", n), func(day time.Time) bool { return nearest(day, n) }},
		{"LW", func(day time.Time) bool { return nearest(day, lastOf(day)) }},
	}).Draw(t, "date form")
}

func drawWeekday(t *rapid.T) dayForm {
	n := rapid.IntRange(0, 7).Draw(t, "weekday")
	weekday := time.Weekday(n % 7)
	nth := rapid.IntRange(1, 5).Draw(t, "nth")
	onNth := func(day time.Time) bool { return day.Weekday() == weekday && (day.Day()-1)/7+1 == nth }
	onLast := func(day time.Time) bool { return day.Weekday() == weekday && day.Day()+7 > lastOf(day) }
	return rapid.SampledFrom([]dayForm{
		{fmt.Sprint(n), func(day time.Time) bool { return day.Weekday() == weekday }},
		{dayNames[weekday], func(day time.Time) bool { return day.Weekday() == weekday }},
		{fmt.Sprintf("%d-7", n), func(day time.Time) bool { return int(day.Weekday()) >= n || day.Weekday() == 0 }},
		{fmt.Sprintf("%d#%d", n, nth), onNth},
		{fmt.Sprintf("%s#%d", strings.ToUpper(dayNames[weekday]), nth), onNth},
		{fmt.Sprintf("%dL", n), onLast},
	}).Draw(t, "weekday form")
}

func drawDayField(t *rapid.T, item func(*rapid.T) dayForm) dayForm {
	if rapid.IntRange(0, 3).Draw(t, "star") == 0 {
		return dayForm{rapid.SampledFrom([]string{"*", "?"}).Draw(t, "star text"), func(time.Time) bool { return true }}
	}
	field := item(t)
	for range rapid.IntRange(0, 2).Draw(t, "more") {
		one, other := field, item(t)
		field = dayForm{one.text + "," + other.text, func(day time.Time) bool { return one.means(day) || other.means(day) }}
	}
	return field
}

func TestExprDaysAgreeWithBruteForce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		date, weekday := drawDayField(rt, drawDate), drawDayField(rt, drawWeekday)
		either := !strings.ContainsAny(date.text[:1]+weekday.text[:1], "*?")
		low := time.Date(rapid.IntRange(1970, 2300).Draw(rt, "year"), 1, 1, 0, 0, 0, 0, time.UTC)
		high := low.AddDate(3, 0, 0)
		want := []time.Time{}
		for at := low; !at.After(high); at = at.AddDate(0, 0, 1) {
			onDate, onWeekday := date.means(at), weekday.means(at)
			if (onDate && onWeekday) || (either && (onDate || onWeekday)) {
				want = append(want, at)
			}
		}
		doc := fmt.Sprintf(`{"type":"cron","expr":"0 0 %s * %s"}`, date.text, weekday.text)
		if diff := cmp.Diff(want, between(mustParseRapid(rt, doc), low, high)); diff != "" {
			rt.Fatalf("%s (-brute force +got):\n%s", doc, diff)
		}
	})
}

func TestFieldDaysAgreeWithBruteForce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		week := rapid.IntRange(1, 53).Draw(rt, "week")
		weeks := rapid.SampledFrom([]dayForm{
			{"*", func(time.Time) bool { return true }},
			{fmt.Sprintf("%d-53", week), func(day time.Time) bool { _, w := day.ISOWeek(); return w >= week }},
			{"1", func(day time.Time) bool { _, w := day.ISOWeek(); return w == 1 }},
		}).Draw(rt, "weeks")
		weekday, nth := time.Weekday(rapid.IntRange(0, 6).Draw(rt, "weekday")), rapid.IntRange(1, 5).Draw(rt, "nth")
		days := rapid.SampledFrom([]dayForm{
			{"*", func(time.Time) bool { return true }},
			{"last", func(day time.Time) bool { return day.Day() == lastOf(day) }},
			{"last " + dayNames[weekday], func(day time.Time) bool { return day.Weekday() == weekday && day.Day()+7 > lastOf(day) }},
			{nthNames[nth-1] + " " + dayNames[weekday], func(day time.Time) bool { return day.Weekday() == weekday && (day.Day()-1)/7+1 == nth }},
		}).Draw(rt, "days")
		monday := rapid.IntRange(0, 6).Draw(rt, "from weekday")
		low := time.Date(rapid.IntRange(1970, 2300).Draw(rt, "year"), 1, 1, 0, 0, 0, 0, time.UTC)
		high := low.AddDate(4, 0, 0)
		want := []time.Time{}
		for at := low; !at.After(high); at = at.AddDate(0, 0, 1) {
			if weeks.means(at) && days.means(at) && (int(at.Weekday())+6)%7 >= monday {
				want = append(want, at)
			}
		}
		doc := fmt.Sprintf(`{"type":"cron","fields":{"week":%q,"day":%q,"day_of_week":"%d-6"}}`, weeks.text, days.text, monday)
		if diff := cmp.Diff(want, between(mustParseRapid(rt, doc), low, high)); diff != "" {
			rt.Fatalf("%s (-brute force +got):\n%s", doc, diff)
		}
	})
}
