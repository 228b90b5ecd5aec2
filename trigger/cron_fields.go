package trigger

import (
	"regexp"
	"strconv"
	"strings"
)

// cronField is one field of a cron, in order of significance.
type cronField struct {
	name     string
	min, max int
	names    []string // of the values from min on, if they have names
	words    bool     // takes "last", "last fri", "3rd sun"
	free     bool     // stays "*" when a more significant field is given
}

var (
	monthNames   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdayNames = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	ordinals     = []string{"last", "1st", "2nd", "3rd", "4th", "5th"}
)

// cronFields are those of the fields notation; here 0 is Monday and weeks are ISO weeks.
var cronFields = []cronField{
	{name: "year", min: firstYear, max: lastYear},
	{name: "month", min: 1, max: 12, names: monthNames},
	{name: "day", min: 1, max: 31, words: true},
	{name: "week", min: 1, max: 53, free: true},
	{name: "day_of_week", min: 0, max: 6, names: weekdayNames, free: true},
	{name: "hour", min: 0, max: 23},
	{name: "minute", min: 0, max: 59},
	{name: "second", min: 0, max: 59},
}

// span is the numbers first, first+step, … up to last.
type span struct{ first, last, step int }

// fieldValue is a field read: the numbers it names, and for day the words.
type fieldValue struct {
	spans []span
	words daySet
	star  bool // its text begins with "*"
}

func (v fieldValue) bits() bitset {
	var b bitset
	for _, s := range v.spans {
		b |= spanBits(s.first, s.last, s.step)
	}
	return b
}

// readFields reads the fields notation, in which all fields must match. Fields left of the least
// significant given one are "*", those right of it their minimum, save week and day_of_week.
// No field at all is every second.
func readFields(parent object) (cronSpec, error) {
	obj, err := readObject(parent.at("fields"), parent.values["fields"])
	if err != nil {
		return cronSpec{}, err
	}
	least := len(cronFields)
	names := make([]string, len(cronFields))
	for i, f := range cronFields {
		names[i] = f.name
		if obj.has(f.name) {
			least = i
		}
	}
	if err := obj.allow(names...); err != nil {
		return cronSpec{}, err
	}
	values := map[string]fieldValue{}
	for i, f := range cronFields {
		text := "*"
		if obj.has(f.name) {
			if text, err = obj.cronText(f.name); err != nil {
				return cronSpec{}, err
			}
		} else if i > least && !f.free {
			text = strconv.Itoa(f.min)
		}
		value, reason := f.read(text)
		if reason != "" {
			return cronSpec{}, obj.refuse(f.name, reason)
		}
		values[f.name] = value
	}
	return fieldsSpec(values), nil
}

// cronText returns the text of a field, which may be a string or a whole number.
func (o object) cronText(name string) (string, error) {
	text, number, err := o.scalar(name)
	if err != nil {
		return "", err
	}
	if _, whole := digits(text); number && !whole {
		return "", o.refuse(name, "must be a string or a whole number, 0 or more")
	}
	return text, nil
}

func fieldsSpec(values map[string]fieldValue) cronSpec {
	weekday := values["day_of_week"].bits() // Monday is 0; daySet has Sunday there
	days := values["day"]
	days.words.dates = days.bits()
	spec := cronSpec{
		rule: dayRule{
			months:  values["month"].bits(),
			date:    days.words,
			weekday: daySet{weekdays: weekday<<1&0x7f | weekday>>6&1},
		},
		daytime:  daytime{hours: values["hour"].bits(), minutes: values["minute"].bits(), seconds: values["second"].bits()},
		wildHour: values["hour"].star,
	}
	if weeks := values["week"]; weeks.bits() != spanBits(1, 53, 1) {
		spec.rule.weeks = weeks.bits()
	}
	if years := values["year"].spans; !covers(years, span{firstYear, lastYear, 1}) {
		spec.years = newYearSet()
		for _, s := range years {
			spec.years.add(s.first, s.last, s.step)
		}
	}
	return spec
}

func covers(spans []span, whole span) bool {
	for _, s := range spans {
		if s == whole {
			return true
		}
	}
	return false
}

var (
	starForm   = regexp.MustCompile(`^\*(?:/(\d+))?$`)
	numberForm = regexp.MustCompile(`^(\d+)(?:-(\d+))?(?:/(\d+))?$`)
	nameForm   = regexp.MustCompile(`^([a-z]+)(?:-([a-z]+)(?:/\d+)?)?$`)
	wordForm   = regexp.MustCompile(`^(last|1st|2nd|3rd|4th|5th) +([a-z]+)$`)
)

// read reads the list text, or says why it cannot.
func (f cronField) read(text string) (fieldValue, string) {
	text = strings.ToLower(strings.TrimSpace(text))
	value := fieldValue{star: strings.HasPrefix(text, "*")}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.Trim(item, " ")
		if item == "" {
			return fieldValue{}, "empty list item"
		}
		if f.words && value.words.addWords(item) {
			continue
		}
		s, reason := f.readSpan(item)
		if reason != "" {
			return fieldValue{}, reason
		}
		value.spans = append(value.spans, s)
	}
	return value, ""
}

// addWords adds "last", "last fri" or "3rd sun"; false if item is none of these.
func (s *daySet) addWords(item string) bool {
	if item == "last" {
		s.fromEnd |= 1
		return true
	}
	m := wordForm.FindStringSubmatch(item)
	if m == nil {
		return false
	}
	weekday, ok := indexOf(weekdayNames, m[2])
	if !ok {
		return false
	}
	ordinal, _ := indexOf(ordinals, m[1])
	s.nth[(weekday+1)%7] |= 1 << ordinal
	return true
}

// readSpan reads one item of numbers or names.
func (f cronField) readSpan(item string) (span, string) {
	if m := starForm.FindStringSubmatch(item); m != nil {
		return f.stepped(span{f.min, f.max, 1}, m[1])
	}
	if m := numberForm.FindStringSubmatch(item); m != nil {
		first, ok := digits(m[1])
		last, lastOK := first, true
		switch {
		case m[2] != "":
			last, lastOK = digits(m[2])
		case m[3] != "":
			last = f.max
		}
		if !ok || !lastOK {
			return span{}, item + " is out of range"
		}
		return f.stepped(span{first, last, 1}, m[3])
	}
	m := nameForm.FindStringSubmatch(item)
	if m == nil || f.names == nil {
		return span{}, item + " is not understood"
	}
	first, ok := indexOf(f.names, m[1])
	last, lastOK := first, true
	if m[2] != "" {
		last, lastOK = indexOf(f.names, m[2])
	}
	if !ok || !lastOK {
		return span{}, item + " is not understood"
	}
	// A step after a range of names is dropped, as APScheduler does: schedules moved from it
	// keep their times.
	return f.stepped(span{f.min + first, f.min + last, 1}, "")
}

// stepped checks s and gives it the step, which must not be longer than the range.
func (f cronField) stepped(s span, step string) (span, string) {
	if s.first < f.min || s.last > f.max {
		return span{}, "must be within " + strconv.Itoa(f.min) + " and " + strconv.Itoa(f.max)
	}
	if s.first > s.last {
		return span{}, "the range is reversed"
	}
	if step == "" {
		return s, ""
	}
	n, ok := digits(step)
	if !ok || n < 1 || n > s.last-s.first {
		return span{}, "the step must be at least 1 and not longer than the range"
	}
	s.step = n
	return s, ""
}

func indexOf(names []string, name string) (int, bool) {
	for i, n := range names {
		if n == name {
			return i, true
		}
	}
	return 0, false
}
