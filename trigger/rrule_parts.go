package trigger

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	rfc "github.com/teambition/rrule-go"
)

// rulePart is how a part of a rule is written. The library checks less and panics on some of the
// rest, so it is only given what fits.
type rulePart struct {
	form     *regexp.Regexp // of each item of the list
	low      int            // numbers that a part without a form of its own takes
	high     int
	negative bool // takes the numbers from -high to -low as well
	one      bool // no list
}

var (
	numberPart  = regexp.MustCompile(`^[0-9]{1,9}$`)
	signedPart  = regexp.MustCompile(`^[+-]?[0-9]{1,3}$`)
	weekdayPart = regexp.MustCompile(`^(?:([+-]?[0-9]{1,2}))?(MO|TU|WE|TH|FR|SA|SU)$`)
	wordPart    = regexp.MustCompile(`^[A-Z]+$`)
	untilPart   = regexp.MustCompile(`^[0-9]{8}(?:T[0-9]{6}Z?)?$`)
)

var ruleParts = map[string]rulePart{
	"FREQ":       {form: wordPart, one: true},
	"UNTIL":      {form: untilPart, one: true},
	"COUNT":      {form: numberPart, low: 1, high: 999_999_999, one: true},
	"INTERVAL":   {form: numberPart, low: 1, high: 999_999_999, one: true},
	"BYSECOND":   {form: numberPart, low: 0, high: 59},
	"BYMINUTE":   {form: numberPart, low: 0, high: 59},
	"BYHOUR":     {form: numberPart, low: 0, high: 23},
	"BYDAY":      {form: weekdayPart, low: 1, high: 53, negative: true},
	"BYMONTHDAY": {form: signedPart, low: 1, high: 31, negative: true},
	"BYYEARDAY":  {form: signedPart, low: 1, high: 366, negative: true},
	"BYWEEKNO":   {form: signedPart, low: 1, high: 53, negative: true},
	"BYMONTH":    {form: numberPart, low: 1, high: 12},
	"BYSETPOS":   {form: signedPart, low: 1, high: 366, negative: true},
	"WKST":       {form: wordPart, one: true},
}

// elsewhere is what calendars write beside a rule, and where it belongs here.
var elsewhere = []struct{ word, reason string }{
	{"DTSTART", "belongs in start_date"}, {"TZID", "belongs in timezone"}, {"DTEND", "runs have no end"},
	{"EXDATE", "belongs in exclude"}, {"EXRULE", "belongs in exclude, as a trigger"},
	{"RDATE", `belongs in a date trigger beside this one in an "or"`},
}

// readRule reads the text of a rule, or says why it cannot.
func readRule(text string) (recurrence, string) {
	text = upper(text)
	for _, other := range elsewhere {
		if strings.Contains(text, other.word) {
			return recurrence{}, other.word + ": " + other.reason
		}
	}
	given := map[string][]string{}
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(part, "=")
		if _, twice := given[name]; twice {
			return recurrence{}, name + ": given twice"
		}
		items, reason := readPart(name, value)
		if reason != "" {
			return recurrence{}, part + ": " + reason
		}
		given[name] = items
	}
	if reason := checkTogether(given); reason != "" {
		return recurrence{}, reason
	}
	option, err := rfc.StrToROption(text)
	if err != nil {
		return recurrence{}, err.Error()
	}
	until, _ := first(given["UNTIL"])
	return recurrence{
		ROption:  *option,
		untilUTC: strings.HasSuffix(until, "Z"), untilDay: len(until) == len(rfc.DateFormat),
		even: option.Freq >= rfc.WEEKLY && !slices.ContainsFunc(restricting, func(name string) bool { return given[name] != nil }),
	}, ""
}

func first(items []string) (string, bool) {
	if len(items) == 0 {
		return "", false
	}
	return items[0], true
}

// readPart returns the items of one part, or why it is not understood.
func readPart(name, value string) (items []string, reason string) {
	part, ok := ruleParts[name]
	if !ok {
		return nil, "not a part of a rule that is understood"
	}
	items = strings.Split(value, ",")
	if part.one && len(items) > 1 {
		return nil, "takes one value"
	}
	for _, item := range items {
		match := part.form.FindStringSubmatch(item)
		if match == nil {
			return nil, strconv.Quote(item) + notUnderstood
		}
		if reason := part.outOfRange(match); reason != "" {
			return nil, reason
		}
	}
	return items, ""
}

// outOfRange checks the number in an item, if it has one: the form's group or else the whole.
func (p rulePart) outOfRange(match []string) string {
	number := match[len(match)-1]
	if p.form == weekdayPart {
		number = match[1]
	}
	if p.high == 0 || number == "" {
		return ""
	}
	n, err := strconv.Atoi(number)
	if err == nil && (n >= p.low && n <= p.high || p.negative && -n >= p.low && -n <= p.high) {
		return ""
	}
	if p.negative {
		return fmt.Sprintf("must be within %d and %d, or -%d and -%d", p.low, p.high, p.low, p.high)
	}
	return fmt.Sprintf("must be within %d and %d", p.low, p.high)
}

var (
	frequencies = []string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"}
	restricting = []string{"BYSECOND", "BYMINUTE", "BYHOUR", "BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS"}
)

// checkTogether refuses what section 3.3.10 of RFC 5545 says must not stand together.
func checkTogether(given map[string][]string) string {
	freq, ok := first(given["FREQ"])
	has := func(name string) bool { return given[name] != nil }
	others := slices.DeleteFunc(slices.Clone(restricting), func(name string) bool { return name == "BYSETPOS" })
	switch {
	case !ok:
		return "FREQ: missing"
	case !slices.Contains(frequencies, freq):
		return "FREQ=" + freq + ": must be one of " + strings.Join(frequencies, ", ")
	case has("COUNT") && has("UNTIL"):
		return "COUNT and UNTIL: give one of them"
	case has("BYWEEKNO") && freq != "YEARLY":
		return "BYWEEKNO: goes with FREQ=YEARLY only"
	case has("BYYEARDAY") && slices.Contains([]string{"MONTHLY", "WEEKLY", "DAILY"}, freq):
		return "BYYEARDAY: does not go with FREQ=" + freq
	case has("BYMONTHDAY") && freq == "WEEKLY":
		return "BYMONTHDAY: does not go with FREQ=WEEKLY"
	case has("BYSETPOS") && !slices.ContainsFunc(others, has):
		return "BYSETPOS: must go with another BY part"
	case has("WKST") && !weekdayPart.MatchString(given["WKST"][0]):
		return "WKST=" + given["WKST"][0] + ": must be one of MO, TU, WE, TH, FR, SA, SU"
	}
	return checkWeekdays(freq, given)
}

// checkWeekdays refuses numbers in BYDAY where there is nothing that they could count.
func checkWeekdays(freq string, given map[string][]string) string {
	for _, item := range given["BYDAY"] {
		number := weekdayPart.FindStringSubmatch(item)[1]
		if number == "" {
			continue
		}
		n, _ := strconv.Atoi(number)
		switch inMonth := freq == "MONTHLY" || given["BYMONTH"] != nil; {
		case freq != "MONTHLY" && freq != "YEARLY":
			return "BYDAY=" + item + ": numbers go with FREQ=MONTHLY and YEARLY only"
		case given["BYWEEKNO"] != nil:
			return "BYDAY=" + item + ": numbers do not go with BYWEEKNO"
		case inMonth && (n > 5 || n < -5):
			return "BYDAY=" + item + ": a month has at most five of a weekday"
		}
	}
	return ""
}
