package trigger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rfc "github.com/teambition/rrule-go"
	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/trigger"
)

func rule(text, start, zone string) string {
	return fmt.Sprintf(`{"type":"rrule","rule":%q,"start_date":%q,"timezone":%q}`, text, start, zone)
}

// wall lists the first times of a document as the wall clock of a zone shows them.
func wall(t *testing.T, doc, zone string, count int) string {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, at := range trigger.Times(mustParse(t, doc), time.Time{}, count) {
		shown = append(shown, at.In(location).Format("2006-01-02 15:04:05"))
	}
	return strings.ReplaceAll(strings.Join(shown, ", "), ":00,", ",")
}

// TestRulesOfTheRFC holds examples of RFC 5545, section 3.8.5.3, with the dates that it gives.
func TestRulesOfTheRFC(t *testing.T) {
	const begin = "1997-09-02 09:00:00"
	for _, test := range []struct {
		name, rule, start string
		want              []string // dates, at 09:00 in New York unless a time is given
		ends              bool
	}{
		{"daily for 3", "FREQ=DAILY;COUNT=3", begin, []string{"1997-09-02", "1997-09-03", "1997-09-04"}, true},
		{"daily until", "FREQ=DAILY;UNTIL=19970904T130000Z", begin, []string{"1997-09-02", "1997-09-03", "1997-09-04"}, true},
		{"every other day", "FREQ=DAILY;INTERVAL=2", begin, []string{"1997-09-02", "1997-09-04", "1997-09-06"}, false},
		{"every 10 days, 5", "FREQ=DAILY;INTERVAL=10;COUNT=5", begin, []string{"1997-09-02", "1997-09-12", "1997-09-22", "1997-10-02", "1997-10-12"}, true},
		{"weekly for 3", "RRULE:FREQ=WEEKLY;COUNT=3", begin, []string{"1997-09-02", "1997-09-09", "1997-09-16"}, true},
		{"every other week, Sunday first", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", begin, []string{"1997-09-02", "1997-09-16", "1997-09-30"}, false},
		{"Tuesday and Thursday, 5 weeks", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", begin, []string{"1997-09-02", "1997-09-04", "1997-09-09", "1997-09-11", "1997-09-16", "1997-09-18", "1997-09-23", "1997-09-25", "1997-09-30", "1997-10-02"}, true},
		{"every other week on three days", "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,WE,FR", "1997-09-01 09:00:00", []string{"1997-09-01", "1997-09-03", "1997-09-05", "1997-09-15"}, false},
		{"weeks from Monday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05 09:00:00", []string{"1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"}, true},
		{"weeks from Sunday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05 09:00:00", []string{"1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"}, true},
		{"first Friday", "FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "1997-09-05 09:00:00", []string{"1997-09-05", "1997-10-03", "1997-11-07"}, true},
		{"first and last Sunday, every other month", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "1997-09-07 09:00:00", []string{"1997-09-07", "1997-09-28", "1997-11-02", "1997-11-30", "1998-01-04", "1998-01-25", "1998-03-01", "1998-03-29", "1998-05-03", "1998-05-31"}, true},
		{"second-to-last Monday", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09-22 09:00:00", []string{"1997-09-22", "1997-10-20", "1997-11-17", "1997-12-22", "1998-01-19", "1998-02-16"}, true},
		{"third-to-last day", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28 09:00:00", []string{"1997-09-28", "1997-10-29", "1997-11-28", "1997-12-29", "1998-01-29", "1998-02-26"}, false},
		{"2nd and 15th", "FREQ=MONTHLY;COUNT=4;BYMONTHDAY=2,15", begin, []string{"1997-09-02", "1997-09-15", "1997-10-02", "1997-10-15"}, true},
		{"first and last day", "FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1", "1997-09-30 09:00:00", []string{"1997-09-30", "1997-10-01", "1997-10-31", "1997-11-01"}, true},
		{"10th to 15th every 18 months", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "1997-09-10 09:00:00", []string{"1997-09-10", "1997-09-11", "1997-09-12", "1997-09-13", "1997-09-14", "1997-09-15", "1999-03-10", "1999-03-11", "1999-03-12", "1999-03-13"}, true},
		{"yearly in June and July", "FREQ=YEARLY;COUNT=4;BYMONTH=6,7", "1997-06-10 09:00:00", []string{"1997-06-10", "1997-07-10", "1998-06-10", "1998-07-10"}, true},
		{"every third year on days of the year", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "1997-01-01 09:00:00", []string{"1997-01-01", "1997-04-10", "1997-07-19", "2000-01-01", "2000-04-09", "2000-07-18", "2003-01-01", "2003-04-10", "2003-07-19", "2006-01-01"}, true},
		{"20th Monday of the year", "FREQ=YEARLY;BYDAY=20MO", "1997-05-19 09:00:00", []string{"1997-05-19", "1998-05-18", "1999-05-17"}, false},
		{"Monday of week 20", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12 09:00:00", []string{"1997-05-12", "1998-05-11", "1999-05-17"}, false},
		{"Friday the 13th", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", begin, []string{"1998-02-13", "1998-03-13", "1998-11-13", "1999-08-13", "2000-10-13"}, false},
		{"Saturday after the first Sunday", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997-09-13 09:00:00", []string{"1997-09-13", "1997-10-11", "1997-11-08", "1997-12-13"}, false},
		{"election day", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11-05 09:00:00", []string{"1996-11-05", "2000-11-07", "2004-11-02"}, false},
		{"third of three weekdays", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04 09:00:00", []string{"1997-09-04", "1997-10-07", "1997-11-06"}, true},
		{"second-to-last workday", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29 09:00:00", []string{"1997-09-29", "1997-10-30", "1997-11-27", "1997-12-30", "1998-01-29"}, false},
		{"every 3 hours", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000", begin, []string{"1997-09-02", "1997-09-02 12:00:00", "1997-09-02 15:00:00"}, true},
		{"every 90 minutes", "FREQ=MINUTELY;INTERVAL=90;COUNT=4", begin, []string{"1997-09-02", "1997-09-02 10:30:00", "1997-09-02 12:00:00", "1997-09-02 13:30:00"}, true},
		{"every 20 minutes by day", "FREQ=DAILY;BYHOUR=9,16;BYMINUTE=0,40", begin, []string{"1997-09-02", "1997-09-02 09:40:00", "1997-09-02 16:00:00", "1997-09-02 16:40:00", "1997-09-03"}, false},
		{"the same, minutely", "FREQ=MINUTELY;INTERVAL=40;BYHOUR=9,16", begin, []string{"1997-09-02", "1997-09-02 09:40:00", "1997-09-02 16:20:00", "1997-09-03"}, false},
		{"second of the week, in a week that began before", "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2;COUNT=2", "1997-09-04 09:00:00", []string{"1997-09-10", "1997-09-17"}, true},
		{"last second of the minute", "FREQ=MINUTELY;BYSECOND=0,20,40;BYSETPOS=-1;COUNT=2", begin, []string{"1997-09-02 09:00:40", "1997-09-02 09:01:40"}, true},
		{"second and last of the hour", "FREQ=HOURLY;BYMINUTE=0,20,40;BYSETPOS=2,-1;COUNT=3", begin, []string{"1997-09-02 09:20:00", "1997-09-02 09:40:00", "1997-09-02 10:20:00"}, true},
		{"plain and numbered weekdays", "FREQ=MONTHLY;BYDAY=1MO,2TU;COUNT=3", begin, []string{"1997-09-09", "1997-10-06", "1997-10-14"}, true},
		{"last week of the year", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU;COUNT=3", begin, []string{"1997-12-28", "1999-01-03", "2000-01-02"}, true},
		{"week 1 begins in the year before", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO;COUNT=3", begin, []string{"1997-12-29", "1999-01-04", "2000-01-03"}, true},
		{"until a day", "FREQ=DAILY;UNTIL=19970903", begin, []string{"1997-09-02", "1997-09-03"}, true},
		{"many of a rule of fixed steps", "FREQ=DAILY;COUNT=1000000", begin, []string{"1997-09-02"}, false},
		{"invalid dates are left out", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15 09:00:00", []string{"2007-01-15", "2007-01-30", "2007-02-15", "2007-03-15", "2007-03-30"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i, date := range test.want {
				if len(date) == len(time.DateOnly) {
					test.want[i] += " 09:00:00"
				}
			}
			count := len(test.want)
			if test.ends {
				count += 5
			}
			want := strings.ReplaceAll(strings.Join(test.want, ", "), ":00,", ",")
			got := wall(t, rule(test.rule, test.start, "America/New_York"), "America/New_York", count)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRuleRefuses(t *testing.T) {
	for _, test := range []struct{ name, rule, says string }{
		{"nothing", "", "not a part"},
		{"no FREQ", "COUNT=3", "FREQ: missing"},
		{"unknown FREQ", "FREQ=FORTNIGHTLY", "FREQ=FORTNIGHTLY"},
		{"sub-second", "FREQ=MILLISECONDLY", "FREQ=MILLISECONDLY"},
		{"two FREQ", "FREQ=DAILY,WEEKLY", "one value"},
		{"twice", "FREQ=DAILY;COUNT=1;COUNT=2", "COUNT: given twice"},
		{"unknown part", "FREQ=DAILY;BYEASTER=1", "BYEASTER=1"},
		{"empty part", "FREQ=DAILY;", "not a part"},
		{"empty value", "FREQ=DAILY;BYHOUR=", "BYHOUR="},
		{"empty item", "FREQ=DAILY;BYHOUR=1,,2", "BYHOUR=1,,2"},
		{"blank", "FREQ=DAILY; COUNT=1", "COUNT=1"},
		{"COUNT and UNTIL", "FREQ=DAILY;COUNT=1;UNTIL=20300101T000000Z", "COUNT and UNTIL"},
		{"COUNT 0", "FREQ=DAILY;COUNT=0", "COUNT=0"},
		{"COUNT huge", "FREQ=DAILY;COUNT=99999999999999999999", "COUNT=9"},
		{"COUNT that must be walked", "FREQ=DAILY;BYHOUR=9;COUNT=10001", "COUNT=10001"},
		{"COUNT of rare times", "FREQ=SECONDLY;INTERVAL=49;BYHOUR=9;BYMINUTE=0;BYSECOND=0;COUNT=10000", "too far between"},
		{"INTERVAL 0", "FREQ=DAILY;INTERVAL=0", "INTERVAL=0"},
		{"INTERVAL negative", "FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1"},
		{"UNTIL of words", "FREQ=DAILY;UNTIL=tomorrow", "UNTIL=TOMORROW"},
		{"UNTIL no date", "FREQ=DAILY;UNTIL=20240230", "UNTIL=20240230"},
		{"leap second", "FREQ=DAILY;BYSECOND=60", "BYSECOND=60"},
		{"BYMINUTE 60", "FREQ=DAILY;BYMINUTE=60", "BYMINUTE=60"},
		{"BYHOUR 24", "FREQ=DAILY;BYHOUR=24", "BYHOUR=24"},
		{"BYMONTHDAY 0", "FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0"},
		{"BYMONTHDAY -32", "FREQ=MONTHLY;BYMONTHDAY=-32", "BYMONTHDAY=-32"},
		{"BYMONTHDAY of weeks", "FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"},
		{"BYYEARDAY 367", "FREQ=YEARLY;BYYEARDAY=367", "BYYEARDAY=367"},
		{"BYYEARDAY of days", "FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY"},
		{"BYWEEKNO of months", "FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO"},
		{"BYMONTH 13", "FREQ=YEARLY;BYMONTH=13", "BYMONTH=13"},
		{"BYMONTH negative", "FREQ=YEARLY;BYMONTH=-1", "BYMONTH=-1"},
		{"BYDAY word", "FREQ=WEEKLY;BYDAY=MON", "BYDAY=MON"},
		{"BYDAY 0", "FREQ=MONTHLY;BYDAY=0MO", "BYDAY=0MO"},
		{"BYDAY 54", "FREQ=YEARLY;BYDAY=54MO", "BYDAY=54MO"},
		{"BYDAY 6 of a month, on which the library panics", "FREQ=MONTHLY;BYDAY=-6FR", "BYDAY=-6FR"},
		{"BYDAY 6 of a month of the year", "FREQ=YEARLY;BYMONTH=1;BYDAY=-53MO", "BYDAY=-53MO"},
		{"BYDAY number in a week", "FREQ=WEEKLY;BYDAY=1MO", "BYDAY=1MO"},
		{"BYDAY number with weeks", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "BYDAY=1MO"},
		{"BYSETPOS alone", "FREQ=DAILY;BYSETPOS=1", "BYSETPOS"},
		{"BYSETPOS 0", "FREQ=DAILY;BYHOUR=1;BYSETPOS=0", "BYSETPOS=0"},
		{"WKST number", "FREQ=WEEKLY;WKST=1MO", "WKST=1MO"},
		{"WKST word", "FREQ=WEEKLY;WKST=XX", "WKST=XX"},
		{"DTSTART line", "DTSTART:20240101T090000Z\nRRULE:FREQ=DAILY", "DTSTART: belongs in start_date"},
		{"DTSTART part", "FREQ=DAILY;DTSTART=20240101T090000Z", "DTSTART: belongs in start_date"},
		{"TZID", "RRULE;TZID=Europe/Berlin:FREQ=DAILY", "TZID: belongs in timezone"},
		{"EXDATE line", "RRULE:FREQ=DAILY\nEXDATE:20240101T090000Z", "EXDATE: belongs in exclude"},
		{"RDATE line", "RRULE:FREQ=DAILY\nRDATE:20240101T090000Z", "RDATE: belongs in a date"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := trigger.Parse([]byte(rule(test.rule, "2024-01-01", "UTC")))
			if !errors.Is(err, trigger.ErrInvalid) {
				t.Fatalf("Parse: %v, want ErrInvalid", err)
			}
			if !strings.Contains(err.Error(), "trigger: invalid: rule: ") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q does not say %q", err, test.says)
			}
		})
	}
}

// drawRule draws a rule whose meaning the library gets right, and soon: it takes plain and numbered
// weekdays together for none, errs in weeks at the turn of the year, counts BYSETPOS in the first week
// from the start only, and walks to the year 9999 for what is never.
func drawRule(t *rapid.T) string {
	freq := rapid.SampledFrom([]string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"}).Draw(t, "freq")
	parts := []string{"FREQ=" + freq, fmt.Sprintf("INTERVAL=%d", rapid.IntRange(1, 4).Draw(t, "interval"))}
	some := func(name string, from []string, odds int) bool {
		if rapid.IntRange(0, odds).Draw(t, name+" given") != 0 {
			return false
		}
		items := rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, 4, rapid.ID[string]).Draw(t, name)
		parts = append(parts, name+"="+strings.Join(items, ","))
		return true
	}
	subDay := slices.Contains([]string{"HOURLY", "MINUTELY", "SECONDLY"}, freq)
	restricted := !subDay && some("BYMONTH", []string{"1", "2", "3", "6", "11", "12"}, 3)
	if freq != "WEEKLY" {
		restricted = some("BYMONTHDAY", []string{"1", "2", "13", "29", "31", "-1", "-2", "-30"}, 3) || restricted
	}
	if freq == "YEARLY" {
		restricted = some("BYYEARDAY", []string{"1", "59", "60", "61", "365", "366", "-1", "-306", "-366"}, 5) || restricted
	}
	if freq == "YEARLY" && !restricted {
		restricted = some("BYWEEKNO", []string{"2", "20", "51"}, 3)
	}
	if (freq == "MONTHLY" || freq == "YEARLY" && !restricted) && rapid.Bool().Draw(t, "numbered") {
		restricted = some("BYDAY", []string{"1MO", "2TU", "-1FR", "5SU", "-3WE"}, 1) || restricted
	} else {
		restricted = some("BYDAY", []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}, 2) || restricted
	}
	restricted = some("BYHOUR", []string{"0", "2", "3", "9", "23"}, 3) || restricted
	restricted = some("BYMINUTE", []string{"0", "7", "30", "59"}, 3) || restricted
	restricted = some("BYSECOND", []string{"0", "1", "30", "59"}, 5) || restricted
	switch {
	case !restricted:
	case freq == "DAILY":
		some("BYSETPOS", []string{"1", "-1"}, 3)
	case freq == "MONTHLY" || freq == "YEARLY":
		some("BYSETPOS", []string{"1", "2", "3", "-1", "-2", "40"}, 3)
	}
	if rapid.Bool().Draw(t, "weeks") {
		parts = append(parts, "WKST="+rapid.SampledFrom([]string{"SU", "MO", "WE"}).Draw(t, "wkst"))
	}
	if rapid.IntRange(0, 3).Draw(t, "ends") == 0 {
		parts = append(parts, fmt.Sprintf("COUNT=%d", rapid.IntRange(1, 8).Draw(t, "count")))
	}
	return strings.Join(parts, ";")
}

// libraryTimes asks rrule-go, for as long as it does not search in vain; it may then hang or panic.
func libraryTimes(text string, start time.Time, count int) (times []time.Time, ok bool) {
	option, err := rfc.StrToROption(text)
	if err != nil {
		return nil, false
	}
	option.Dtstart = start
	option.Until = start.AddDate(8, 0, 0)
	r, err := rfc.NewRRule(*option)
	if err != nil {
		return nil, false
	}
	next := r.Iterator()
	for len(times) < count {
		at, more := next()
		if !more {
			break
		}
		times = append(times, at)
	}
	return times, true
}

func TestRulesAgreeWithTheLibrary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawRule(rt)
		if hangs(text) {
			rt.Skip("the library never returns")
		}
		start := time.Date(2024, time.Month(rapid.IntRange(1, 12).Draw(rt, "month")), rapid.IntRange(1, 28).Draw(rt, "day"),
			rapid.IntRange(0, 23).Draw(rt, "hour"), rapid.SampledFrom([]int{0, 7, 30}).Draw(rt, "minute"), 0, 0, time.UTC)
		want, ok := libraryTimes(text, start, 12)
		if !ok {
			rt.Fatalf("the library refuses %s", text)
		}
		doc := rule(text, start.Format(time.DateTime), "UTC")
		got := trigger.Times(mustParseRapid(rt, doc), time.Time{}, 12)
		for len(got) > 0 && got[len(got)-1].After(start.AddDate(8, 0, 0)) {
			got = got[:len(got)-1]
		}
		if len(got) == 0 && len(want) == 0 {
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("%s (-library +got):\n%s", doc, diff)
		}
	})
}

// TestRulesAcrossClockChanges holds section 3.3.10: what does not exist is later by the gap, what
// happens twice is the first.
func TestRulesAcrossClockChanges(t *testing.T) {
	for _, test := range []struct{ name, rule, start, want string }{
		{"the wall clock is kept", "FREQ=DAILY;COUNT=3", "2024-03-30 09:00:00", "2024-03-30 09:00, 2024-03-31 09:00, 2024-04-01 09:00:00"},
		{"in a gap, and back the day after", "FREQ=DAILY;COUNT=3", "2024-03-30 02:30:00", "2024-03-30 02:30, 2024-03-31 03:30, 2024-04-01 02:30:00"},
		{"midnight is not lost after a gap", "FREQ=DAILY;COUNT=3", "2024-03-30", "2024-03-30 00:00, 2024-03-31 00:00, 2024-04-01 00:00:00"},
		{"two that land on one instant", "FREQ=HOURLY;COUNT=4", "2024-03-31 01:00:00", "2024-03-31 01:00, 2024-03-31 03:00, 2024-03-31 04:00:00"},
		{"in a fold", "FREQ=DAILY;COUNT=2", "2024-10-26 02:30:00", "2024-10-26 02:30, 2024-10-27 02:30:00"},
		{"hours in a fold are once", "FREQ=HOURLY;COUNT=3", "2024-10-27 01:00:00", "2024-10-27 01:00, 2024-10-27 02:00, 2024-10-27 03:00:00"},
		{"a start in a fold", "FREQ=DAILY;COUNT=2", "2024-10-27 02:30:00", "2024-10-27 02:30, 2024-10-28 02:30:00"},
		{"a start with an offset", "FREQ=DAILY;COUNT=2", "2024-03-30T08:00:00Z", "2024-03-30 09:00, 2024-03-31 09:00:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc := rule(test.rule, test.start, "Europe/Berlin")
			if diff := cmp.Diff(test.want, wall(t, doc, "Europe/Berlin", 9)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	folded := mustParse(t, rule("FREQ=DAILY", "2024-10-27 02:30:00", "Europe/Berlin")).Next(time.Time{})
	if want := time.Date(2024, 10, 27, 0, 30, 0, 0, time.UTC); !folded.Equal(want) {
		t.Errorf("in a fold: %s, want the first, %s", folded, want)
	}
}

// hangs tells of rules whose interval may never meet their hours or minutes, for which the library
// steps for ever.
func hangs(text string) bool {
	if !strings.Contains(text, "LY;INTERVAL=1;") || strings.Contains(text, "FREQ=SECONDLY") {
		for _, freq := range []string{"HOURLY", "MINUTELY", "SECONDLY"} {
			if strings.HasPrefix(text, "FREQ="+freq) && strings.Contains(text, ";BY") {
				return true
			}
		}
	}
	return false
}
