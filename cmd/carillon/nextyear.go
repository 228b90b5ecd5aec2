package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/carillon-project/carillon/trigger"
)

// clockChange is a day on which a zone's clocks change.
type clockChange struct {
	Date  string `json:"date"`
	Shift string `json:"shift"` // "1h0m0s" forward, "-1h0m0s" back
}

// calendarYear is the answer of next --calendar: the days of twelve months on which a trigger fires.
type calendarYear struct {
	From     string        `json:"from"` // the first month
	Timezone string        `json:"timezone"`
	Days     []string      `json:"days"`
	Changes  []clockChange `json:"clock_changes"`

	first  time.Time
	fires  map[string]bool
	shifts map[string]bool
}

// calendar prints the days of a trigger in the twelve months from that of begin on.
func (a *app) calendar(t trigger.Trigger, zone *time.Location, begin time.Time) error {
	y := yearOf(t, zone, begin)
	return a.answer(y, func(w io.Writer) { y.write(w) })
}

// zoneOf is the zone that a trigger document names, or UTC.
func zoneOf(doc []byte) *time.Location {
	var d struct {
		Timezone string `json:"timezone"`
	}
	if json.Unmarshal(doc, &d) != nil {
		return time.UTC
	}
	if zone, known := trigger.ZonesInUse().Location(d.Timezone); known {
		return zone
	}
	return time.UTC
}

// yearOf asks a trigger once a day, whatever it fires; times before begin do not count.
func yearOf(t trigger.Trigger, zone *time.Location, begin time.Time) calendarYear {
	local := begin.In(zone)
	first := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, zone)
	y := calendarYear{
		From: first.Format("2006-01"), Timezone: zone.String(), Days: []string{}, Changes: []clockChange{},
		first: first, fires: map[string]bool{}, shifts: map[string]bool{},
	}
	for n := range 366 {
		civil := time.Date(first.Year(), first.Month(), 1+n, 0, 0, 0, 0, time.UTC)
		if civil.Year() > first.Year() && civil.Month() == first.Month() {
			break
		}
		date, day, next := civil.Format(time.DateOnly), beginningOf(civil, zone), beginningOf(civil.AddDate(0, 0, 1), zone)
		from := day
		if from.Before(begin) {
			from = begin
		}
		if at := trigger.First(t, from); !at.IsZero() && at.Before(next) {
			y.Days, y.fires[date] = append(y.Days, date), true
		}
		if shift := 24*time.Hour - next.Sub(day); shift != 0 {
			y.Changes, y.shifts[date] = append(y.Changes, clockChange{date, shift.String()}), true
		}
	}
	return y
}

// beginningOf is the first instant of a civil day, also where midnight is skipped or comes twice.
func beginningOf(civil time.Time, zone *time.Location) time.Time {
	start := time.Date(civil.Year(), civil.Month(), civil.Day(), 0, 0, 0, 0, zone)
	if earlier := start.Add(-time.Hour); start.Day() == civil.Day() && earlier.Day() == civil.Day() {
		start = earlier
	}
	begun, ends := start.ZoneBounds()
	switch {
	case start.Day() != civil.Day():
		return ends
	case start.Hour() > 0:
		return begun
	}
	return start
}

// write draws three months side by side, 71 columns wide.
func (y calendarYear) write(w io.Writer) {
	for row := range 4 {
		var months [3][]string
		for i := range months {
			months[i] = y.month(time.Date(y.first.Year(), y.first.Month()+time.Month(3*row+i), 1, 0, 0, 0, 0, time.UTC))
		}
		for line := range months[0] {
			text := months[0][line] + "    " + months[1][line] + "    " + months[2][line]
			fmt.Fprintln(w, strings.TrimRight(text, " "))
		}
	}
	fmt.Fprintf(w, "* it fires   ! clocks change   # both   days with times: %d   %s\n", len(y.Days), cut(y.Timezone, 20))
	for _, c := range y.Changes {
		fmt.Fprintf(w, "%s: clocks change by %s\n", c.Date, c.Shift)
	}
}

// month is a title, the weekdays and six weeks from Monday on, each 21 columns wide.
func (y calendarYear) month(first time.Time) []string {
	lines := []string{fmt.Sprintf("%-21s", first.Format("January 2006")), "Mo Tu We Th Fr Sa Su "}
	monday := first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
	for week := range 6 {
		var b strings.Builder
		for weekday := range 7 {
			day := monday.AddDate(0, 0, 7*week+weekday)
			if day.Month() != first.Month() {
				b.WriteString("   ")
				continue
			}
			fmt.Fprintf(&b, "%2d%s", day.Day(), y.mark(day.Format(time.DateOnly)))
		}
		lines = append(lines, b.String())
	}
	return lines
}

func (y calendarYear) mark(date string) string {
	switch {
	case y.fires[date] && y.shifts[date]:
		return "#"
	case y.fires[date]:
		return "*"
	case y.shifts[date]:
		return "!"
	}
	return " "
}
