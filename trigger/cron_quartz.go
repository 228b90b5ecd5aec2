package trigger

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	fromEndForm = regexp.MustCompile(`^l(?:-([0-9]{1,2}))?$`)
	nearestForm = regexp.MustCompile(`^([0-9]{1,2})w$`)
	nthForm     = regexp.MustCompile(`^([0-7]|[a-z]{3})#([1-5])$`)
	lastForm    = regexp.MustCompile(`^([0-7]|[a-z]{3})l$`)
)

// takeDates takes L, L-3, 15W and LW out of a day field and returns the rest.
func (s *daySet) takeDates(field string) (plain, reason string) {
	if field == "?" {
		return "*", ""
	}
	var rest []string
	for item := range strings.SplitSeq(field, ",") {
		if item == "lw" {
			s.lastWork = true
		} else if m := fromEndForm.FindStringSubmatch(item); m != nil {
			back, _ := digits(m[1])
			if m[1] != "" && (back < 1 || back > 30) {
				return "", strconv.Quote(item) + " must count from 1 to 30 days back"
			}
			s.fromEnd |= 1 << uint(back)
		} else if m := nearestForm.FindStringSubmatch(item); m != nil {
			date, _ := digits(m[1])
			if date < 1 || date > 31 {
				return "", strconv.Quote(item) + " must name a day from 1 to 31"
			}
			s.nearest |= 1 << uint(date)
		} else if itemForm.MatchString(item) {
			rest = append(rest, item)
		} else {
			return "", strconv.Quote(item) + notUnderstood
		}
	}
	return strings.Join(rest, ","), ""
}

// takeWeekdays takes fri#2 and 5L out of a weekday field and returns the rest with 7 read as Sunday.
// The numbers are crontab's also in the Quartz forms: 0 and 7 are Sunday.
func (s *daySet) takeWeekdays(field string) (plain, reason string) {
	if field == "?" {
		return "*", ""
	}
	var rest []string
	for item := range strings.SplitSeq(field, ",") {
		m, ordinal := nthForm.FindStringSubmatch(item), 0
		if m != nil {
			ordinal, _ = digits(m[2])
		} else {
			m = lastForm.FindStringSubmatch(item)
		}
		if m != nil {
			weekday, ok := weekdayNumber(m[1])
			if !ok {
				return "", strconv.Quote(item) + notUnderstood
			}
			s.nth[weekday%7] |= 1 << ordinal
			continue
		}
		item, reason = foldSunday(item)
		if reason != "" {
			return "", reason
		}
		rest = append(rest, item)
	}
	return strings.Join(rest, ","), ""
}

// foldSunday rewrites an item so that no 7 is left in it, which robfig/cron refuses. A range may end
// in 7 or, as people write it, in sun.
func foldSunday(item string) (string, string) {
	m := itemForm.FindStringSubmatch(item)
	if m == nil {
		return "", strconv.Quote(item) + notUnderstood
	}
	first, ok := weekdayNumber(m[1])
	if m[1] == "" || !ok {
		return item, "" // a star, or for robfig/cron to refuse
	}
	last, step := first, 1
	if m[2] != "" {
		if last, ok = weekdayNumber(m[2]); !ok {
			return item, ""
		}
		if m[2] == "sun" && first > 0 {
			last = 7
		}
	} else if m[3] != "" && first < 7 {
		last = 6 // "2/2" runs on to the end of the week
	}
	if m[3] != "" {
		step, _ = digits(m[3])
	}
	if first > last || step < 1 {
		return item, ""
	}
	var days []string
	for n := first; n <= last; n += step {
		days = append(days, strconv.Itoa(n%7))
	}
	return strings.Join(days, ","), ""
}

// weekdayNumber returns 0 to 7 for a crontab number or name of a weekday.
func weekdayNumber(text string) (int, bool) {
	if n, ok := digits(text); ok {
		return n, n <= 7
	}
	n, ok := indexOf(weekdayNames, text)
	return (n + 1) % 7, ok
}
