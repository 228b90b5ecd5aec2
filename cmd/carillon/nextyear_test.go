package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCalendarMarksDays(t *testing.T) {
	r := environment{}.call(t, "", "next", "--calendar", "--cron", "30 2 * * sun", "--timezone", "Europe/Berlin", "--from", "2026-01-20T00:00:00Z")
	if r.code != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	for _, want := range []string{
		"January 2026             February 2026            March 2026\n",
		"12 13 14 15 16 17 18      9 10 11 12 13 14 15*     9 10 11 12 13 14 15*\n", // the 18th is past
		"19 20 21 22 23 24 25*    16 17 18 19 20 21 22*    16 17 18 19 20 21 22*\n",
		"26 27 28 29 30 31        23 24 25 26 27 28        23 24 25 26 27 28 29#\n",
		"October 2026             November 2026            December 2026\n",
		"19 20 21 22 23 24 25#",
		"days with times: 49   Europe/Berlin\n2026-03-29: clocks change by 1h0m0s\n2026-10-25: clocks change by -1h0m0s\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not in\n%s", want, r.out)
		}
	}
	for line := range strings.Lines(r.out) {
		if len(line) > columns+1 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestCalendarAsJSON(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want calendarYear
	}{
		{"two days", []string{"--cron", "0 0 29 2,3 *", "--from", "2024-02-29T00:00:00Z"},
			calendarYear{From: "2024-02", Timezone: "UTC", Days: []string{"2024-02-29", "2024-03-29"}, Changes: []clockChange{}}},
		{"the day is the zone's", []string{"--at", "2026-06-01T23:30:00Z", "--timezone", "Asia/Tokyo", "--from", "2026-01-01T00:00:00Z"},
			calendarYear{From: "2026-01", Timezone: "Asia/Tokyo", Days: []string{"2026-06-02"}, Changes: []clockChange{}}},
		{"clocks alone", []string{"--at", "2020-01-01T00:00:00Z", "--timezone", "America/New_York", "--from", "2026-01-01T12:00:00Z"},
			calendarYear{From: "2026-01", Timezone: "America/New_York", Days: []string{}, Changes: []clockChange{{"2026-03-08", "1h0m0s"}, {"2026-11-01", "-1h0m0s"}}}},
		{"no midnight", []string{"--cron", "30 1 6 9 *", "--timezone", "America/Santiago", "--from", "2026-05-01T12:00:00Z"},
			calendarYear{From: "2026-05", Timezone: "America/Santiago", Days: []string{"2026-09-06"}, Changes: []clockChange{{"2026-09-06", "1h0m0s"}, {"2027-04-03", "-1h0m0s"}}}},
		{"midnight twice, in the east", []string{"--cron", "30 0 29 10 *", "--timezone", "Asia/Amman", "--from", "2021-10-01T12:00:00Z"},
			calendarYear{From: "2021-10", Timezone: "Asia/Amman", Days: []string{"2021-10-29"}, Changes: []clockChange{{"2021-10-29", "-1h0m0s"}, {"2022-02-25", "1h0m0s"}}}},
		{"midnight twice", []string{"--cron", "59 23 31 10 *", "--timezone", "America/Havana", "--from", "2026-05-01T12:00:00Z"},
			calendarYear{From: "2026-05", Timezone: "America/Havana", Days: []string{"2026-10-31"}, Changes: []clockChange{{"2026-11-01", "-1h0m0s"}, {"2027-03-14", "1h0m0s"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := environment{}.call(t, "", append([]string{"next", "--calendar", "-o", "json"}, tt.args...)...)
			var got calendarYear
			if err := json.Unmarshal([]byte(r.out), &got); err != nil {
				t.Fatalf("%v: %+v", err, r)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(calendarYear{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	nowhere.refused(t, 2, []string{"--count"}, "", "next", "--every", "1s", "--calendar", "--count", "3")
	nowhere.refused(t, 2, []string{"expr"}, "", "next", "--cron", "99 * * * *", "--calendar")
}
