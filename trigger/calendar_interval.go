package trigger

import "time"

// calendarInterval keeps its time of day on the wall clock and steps by months and days. Days of the
// month that a month lacks are skipped, not moved.
type calendarInterval struct {
	settings
	window
	anchored bool
	anchor   int64 // the day it starts from
	months   int
	days     int
	second   int64 // of the day
}

// maxDrops bounds how many days in a row may lack their time of day because of clock changes.
const maxDrops = 400

func (c *calendarInterval) Next(t time.Time) time.Time {
	if t.Unix() > lastInstant {
		return time.Time{}
	}
	unix := max(t.Unix(), -day*366*100)
	anchor := c.anchor
	if !c.anchored {
		anchor = floorDay(unix + offsetAt(c.zone, unix))
	}
	number, ok := c.seek(anchor, floorDay(unix-maxOffset))
	for range maxDrops {
		if !ok {
			break
		}
		wall := number*day + c.second
		if !c.end.IsZero() && wall-maxOffset > c.end.Unix() {
			break
		}
		at := occur(c.zone, wall)
		if next := time.Unix(at.first, 0).UTC(); at.exists && next.After(t) && !next.Before(c.start) {
			return c.clip(next)
		}
		number, ok = c.step(number)
	}
	return time.Time{}
}

// seek returns the first day of the sequence from anchor that is from or later.
func (c *calendarInterval) seek(anchor, from int64) (int64, bool) {
	if from <= anchor {
		return anchor, true
	}
	if c.months == 0 {
		n := int64(c.days)
		return anchor + (from-anchor+n-1)/n*n, true
	}
	number, ok := anchor, true
	if c.days == 0 { // the steps that lead to one month can be counted
		year, month, date := civil(anchor)
		toYear, toMonth, _ := civil(from)
		index := year*12 + month - 1
		steps := max(0, (toYear*12+toMonth-1-index)/c.months)
		if steps > 0 {
			number, ok = c.advance(index+(steps-1)*c.months, date)
		}
	}
	for ok && number < from {
		number, ok = c.step(number)
	}
	return number, ok
}

// step returns the day after number in the sequence; false beyond the year 9999.
func (c *calendarInterval) step(number int64) (int64, bool) {
	if c.months == 0 {
		number += int64(c.days)
		return number, number <= lastInstant/day
	}
	year, month, date := civil(number)
	return c.advance(year*12+month-1, date)
}

// advance adds months, again and again until the month has that date, and then the days.
func (c *calendarInterval) advance(index, date int) (int64, bool) {
	for {
		index += c.months
		year, month := index/12, index%12+1
		if year > lastYear {
			return 0, false
		}
		if date <= monthLength(year, month) {
			return dayNumber(year, month, date) + int64(c.days), true
		}
	}
}

var calendarFields = []string{
	"years", "months", "weeks", "days", "hour", "minute", "second", "start_date", "end_date",
}

func readCalendar(_ scope, n *node, common settings) error {
	var years, months, weeks, days, hour, minute, second int
	for _, f := range []struct {
		name string
		most int
		into *int
	}{
		{"years", 8000, &years}, {"months", 96000, &months}, {"weeks", 420000, &weeks}, {"days", 3000000, &days},
		{"hour", 23, &hour}, {"minute", 59, &minute}, {"second", 59, &second},
	} {
		var err error
		if *f.into, err = n.obj.count(f.name, f.most); err != nil {
			return err
		}
	}
	c := &calendarInterval{
		settings: common, months: years*12 + months, days: weeks*7 + days,
		second: int64(hour*3600 + minute*60 + second),
	}
	if c.months+c.days == 0 {
		return refuse(n.obj.at("days"), n.obj.raw, "years, months, weeks and days must come to a day or more")
	}
	if err := c.readWindow(n.obj); err != nil {
		return err
	}
	n.trigger = c
	return nil
}

// readWindow reads the dates. The day of start_date is the anchor; an end_date without a time of day
// includes the whole day.
func (c *calendarInterval) readWindow(obj object) error {
	start, err := obj.date("start_date", c.zone)
	if err != nil {
		return err
	}
	if c.anchored = obj.has("start_date"); c.anchored {
		c.start = start.at
		c.anchor = floorDay(start.at.Unix() + offsetAt(c.zone, start.at.Unix()))
		if start.dateOnly {
			c.anchor = floorDay(start.wall)
			c.start = time.Unix(occur(c.zone, start.wall).first, 0).UTC()
		}
	}
	end, err := obj.date("end_date", c.zone)
	if err != nil {
		return err
	}
	c.end = end.at
	if end.dateOnly {
		c.end = time.Unix(occur(c.zone, end.wall+day).first-1, 0).UTC()
	}
	return nil
}

// floorDay returns the day that holds a wall-clock second, also before 1970.
func floorDay(wall int64) int64 {
	if wall < 0 {
		return (wall - day + 1) / day
	}
	return wall / day
}
