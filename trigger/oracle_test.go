package trigger_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/trigger"
)

// plan is a cron whose meaning is written down as plain sets, so that a brute-force reading of it
// shares nothing with the package. A nil set means every value.
type plan struct {
	hours, minutes, days, weekdays, months []int // weekdays count from Monday
	gap, fold                              string
}

func (p plan) document(zone string) string {
	fields := map[string]string{"second": "0"}
	for name, set := range map[string][]int{
		"hour": p.hours, "minute": p.minutes, "day": p.days, "day_of_week": p.weekdays, "month": p.months,
	} {
		fields[name] = "*"
		if set != nil {
			fields[name] = strings.Trim(strings.ReplaceAll(fmt.Sprint(set), " ", ","), "[]")
		}
	}
	raw, _ := json.Marshal(map[string]any{
		"type": "cron", "fields": fields, "timezone": zone,
		"dst": map[string]string{"gap": p.gap, "fold": p.fold},
	})
	return string(raw)
}

func (p plan) matches(wall time.Time) bool {
	in := func(set []int, n int) bool { return set == nil || slices.Contains(set, n) }
	return in(p.hours, wall.Hour()) && in(p.minutes, wall.Minute()) && in(p.days, wall.Day()) &&
		in(p.weekdays, (int(wall.Weekday())+6)%7) && in(p.months, int(wall.Month())) && wall.Second() == 0
}

// policy is what auto comes to.
func (p plan) policy() (gap, fold string) {
	gap, fold = p.gap, p.fold
	if gap == "auto" {
		gap = map[bool]string{true: "skip", false: "shift"}[p.hours == nil]
	}
	if fold == "auto" {
		fold = map[bool]string{true: "both", false: "first"}[p.hours == nil]
	}
	return gap, fold
}

// bruteForce looks at every minute from low to high and at every minute that the wall clock leaves out.
func (p plan) bruteForce(zone *time.Location, low, high time.Time) []time.Time {
	const margin = 30 * time.Hour
	gap, fold := p.policy()
	shows := map[time.Time][]time.Time{} // wall clock -> when
	fires := map[time.Time]bool{}
	var last time.Time
	for at := low.Add(-margin); !at.After(high.Add(margin)); at = at.Add(time.Minute) {
		_, offset := at.In(zone).Zone()
		wall := at.Add(time.Duration(offset) * time.Second)
		for left := last.Add(time.Minute); gap == "shift" && !last.IsZero() && left.Before(wall); left = left.Add(time.Minute) {
			if p.matches(left) {
				fires[at.Add(left.Sub(last)-time.Minute)] = true
			}
		}
		last = wall
		shows[wall] = append(shows[wall], at)
	}
	for wall, when := range shows {
		if !p.matches(wall) {
			continue
		}
		switch fold {
		case "first":
			when = when[:1]
		case "last":
			when = when[len(when)-1:]
		}
		for _, at := range when {
			fires[at] = true
		}
	}
	times := []time.Time{}
	for at := range fires {
		if !at.Before(low) && !at.After(high) {
			times = append(times, at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// changes are days around which clocks change, in odd ways among them.
var changes = []struct{ zone, day string }{
	{"Europe/Berlin", "2024-03-31"}, {"Europe/Berlin", "2024-10-27"}, {"Europe/Berlin", "2051-03-26"},
	{"America/New_York", "2024-03-10"}, {"America/New_York", "2024-11-03"}, {"America/New_York", "2100-03-14"},
	{"Australia/Lord_Howe", "2024-10-06"}, {"Australia/Lord_Howe", "2048-04-05"},
	{"Africa/Casablanca", "2024-03-10"}, {"Africa/Casablanca", "2024-04-14"},
	{"Pacific/Apia", "2011-12-30"}, {"Pacific/Kwajalein", "1993-08-21"}, {"America/Sao_Paulo", "2018-11-04"},
	{"America/Sao_Paulo", "2019-02-17"}, {"Antarctica/Troll", "2024-03-31"}, {"America/Caracas", "2007-12-09"},
	{"Europe/Dublin", "2024-10-27"}, {"Europe/Berlin", "2076-12-31"}, {"Asia/Kathmandu", "1985-12-31"}, {"UTC", "2024-02-29"},
}

func numbers(low, high int) *rapid.Generator[[]int] {
	some := rapid.SliceOfNDistinct(rapid.IntRange(low, high), 1, 6, rapid.ID[int])
	return rapid.OneOf(rapid.Just[[]int](nil), some)
}

// near draws mostly small hours, in which clocks change.
func drawPlan(t *rapid.T) plan {
	hours := rapid.SliceOfNDistinct(rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 23)), 1, 6, rapid.ID[int])
	p := plan{
		hours:   rapid.OneOf(rapid.Just[[]int](nil), hours).Draw(t, "hours"),
		minutes: numbers(0, 59).Draw(t, "minutes"),
		gap:     rapid.SampledFrom([]string{"auto", "skip", "shift"}).Draw(t, "gap"),
		fold:    rapid.SampledFrom([]string{"auto", "first", "last", "both"}).Draw(t, "fold"),
	}
	if rapid.Bool().Draw(t, "narrow") {
		p.days = numbers(1, 31).Draw(t, "days")
		p.weekdays = numbers(0, 6).Draw(t, "weekdays")
		p.months = numbers(1, 12).Draw(t, "months")
	}
	return p
}

func mustParse(t testing.TB, doc string) trigger.Trigger {
	t.Helper()
	parsed, err := trigger.Parse([]byte(doc))
	if err != nil {
		t.Fatalf("Parse(%s): %v", doc, err)
	}
	return parsed
}

// between lists the times from low to high, both included.
func between(tr trigger.Trigger, low, high time.Time) []time.Time {
	times := []time.Time{}
	for at := trigger.First(tr, low); !at.IsZero() && !at.After(high); at = tr.Next(at) {
		times = append(times, at)
	}
	return times
}

func TestCronAgreesWithBruteForceAroundClockChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		change := rapid.SampledFrom(changes).Draw(rt, "change")
		p := drawPlan(rt)
		zone, err := time.LoadLocation(change.zone)
		if err != nil {
			rt.Fatal(err)
		}
		midnight, err := time.Parse(time.DateOnly, change.day)
		if err != nil {
			rt.Fatal(err)
		}
		low := midnight.Add(time.Duration(rapid.IntRange(-36*60, 24*60).Draw(rt, "low")) * time.Minute)
		high := midnight.Add(60 * time.Hour)
		doc := p.document(change.zone)
		parsed, err := trigger.Parse([]byte(doc))
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(p.bruteForce(zone, low, high), between(parsed, low, high)); diff != "" {
			rt.Fatalf("%s from %s (-brute force +got):\n%s", doc, low, diff)
		}
	})
}
