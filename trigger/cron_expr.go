package trigger

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	robfig "github.com/robfig/cron/v3"
)

// descriptors in the form that a crontab would have.
var descriptors = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// parser is the crontab parser of robfig/cron, of which only the field sets are used: its own Next
// knows no clock changes and gives up after five years.
var parser = robfig.NewParser(robfig.Second | robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow)

// splitZone takes a TZ= or CRON_TZ= prefix off a cron's expr. The prefix names the zone, unless
// timezone says otherwise, which is refused.
func splitZone(n *node) error {
	text, err := n.obj.text("expr")
	if err != nil {
		return err
	}
	n.expr = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(n.expr, "CRON_TZ=")
	if !ok {
		if rest, ok = strings.CutPrefix(n.expr, "TZ="); !ok {
			return nil
		}
	}
	end := strings.IndexAny(rest, " \t")
	if end < 1 {
		return n.obj.refuse("expr", "a time zone and then fields must follow TZ=")
	}
	zone := rest[:end]
	n.expr = strings.TrimSpace(rest[end:])
	if _, ok := loadZone(zone); !ok {
		return n.obj.refuse("expr", "unknown time zone "+zone)
	}
	if given, _ := n.obj.text("timezone"); n.obj.has("timezone") && given != zone {
		return n.obj.refuse("expr", "names another time zone than timezone does")
	}
	n.zone = zone
	return nil
}

// exprNames are the fields of expr, seconds first, as errors call them.
var exprNames = []string{"second", "minute", "hour", "day", "month", "day_of_week"}

// readExpr reads the crontab notation: five fields, six with seconds first, or a descriptor.
func readExpr(obj object, text string) (cronSpec, error) {
	if strings.HasPrefix(text, "@") {
		full, ok := descriptors[strings.ToLower(text)]
		if !ok {
			return cronSpec{}, obj.refuse("expr", "unknown descriptor "+text)
		}
		text = full
	}
	fields := strings.Fields(strings.ToLower(text))
	switch len(fields) {
	case 5:
		fields = append([]string{"0"}, fields...)
	case 6:
	default:
		return cronSpec{}, obj.refuse("expr", fmt.Sprintf("must have 5 fields, or 6 with seconds first, not %d", len(fields)))
	}
	var days [2]daySet // of the day and the weekday field
	plain := make([]string, len(fields))
	for i, field := range fields {
		var err string
		switch exprNames[i] {
		case "day":
			plain[i], err = days[0].takeDates(field)
		case "day_of_week":
			plain[i], err = days[1].takeWeekdays(field)
		default:
			plain[i], err = checkItems(field)
		}
		if err != "" {
			return cronSpec{}, obj.refuse("expr", exprNames[i]+" "+field+": "+err)
		}
	}
	return exprSpec(obj, fields, plain, days)
}

// exprSpec lets robfig/cron read the plain fields and joins them with the forms it does not know.
func exprSpec(obj object, fields, plain []string, days [2]daySet) (cronSpec, error) {
	filled := append([]string(nil), plain...)
	for i := range filled {
		if filled[i] == "" { // nothing but forms of ours
			filled[i] = "*"
		}
	}
	schedule, err := parser.Parse(strings.Join(filled, " "))
	if err != nil {
		return cronSpec{}, fmt.Errorf("%w: %w", obj.refuse("expr", "not understood"), err)
	}
	sets, ok := schedule.(*robfig.SpecSchedule)
	if !ok {
		return cronSpec{}, obj.refuse("expr", "not understood")
	}
	const numbers = 1<<60 - 1 // above them robfig marks a star
	if plain[3] != "" {
		days[0].dates = bitset(sets.Dom & numbers)
	}
	if plain[5] != "" {
		days[1].weekdays = bitset(sets.Dow & numbers)
	}
	return cronSpec{
		rule: dayRule{
			months: bitset(sets.Month & numbers), date: days[0], weekday: days[1],
			either: !openField(fields[3]) && !openField(fields[5]),
		},
		daytime:  daytime{hours: bitset(sets.Hour & numbers), minutes: bitset(sets.Minute & numbers), seconds: bitset(sets.Second & numbers)},
		wildHour: strings.HasPrefix(fields[2], "*"),
	}, nil
}

// openField tells that a day field leaves the choice to the other one: crontab(5) asks whether it
// begins with a star.
func openField(field string) bool {
	return strings.HasPrefix(field, "*") || field == "?"
}

// itemForm is what robfig/cron may be given; by itself it takes more, such as "*-5", "+5" and "1,,2".
var itemForm = regexp.MustCompile(`^(?:\*|([0-9]{1,4}|[a-z]{3})(?:-([0-9]{1,4}|[a-z]{3}))?)(?:/([0-9]{1,4}))?$`)

const notUnderstood = " is not understood"

// checkItems returns a list that is fit for robfig/cron, or why it is not.
func checkItems(field string) (plain, reason string) {
	for item := range strings.SplitSeq(field, ",") {
		if !itemForm.MatchString(item) {
			return "", strconv.Quote(item) + notUnderstood
		}
	}
	return field, ""
}
