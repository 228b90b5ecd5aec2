package trigger

import (
	"regexp"
	"strings"
	"time"
)

var dateForm = regexp.MustCompile(`^(\d{4})-(\d{1,2})-(\d{1,2})` +
	`(?:[ T](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})?)?$`)

// firstDateYear keeps the zero times of other programs from being taken for dates.
const firstDateYear = 1900

// moment is a parsed date. wall is the civil second it names, counted as if the clock were UTC;
// dateOnly tells that no time of day was given, which is then midnight.
type moment struct {
	at       time.Time
	wall     int64
	dateOnly bool
	fixed    bool // an offset was given, so that no zone matters
}

// date reads the field name as a date in zone; an absent field is the zero moment. An offset in the
// text wins over the zone.
func (o object) date(name string, zone *time.Location) (moment, error) {
	if !o.has(name) {
		return moment{}, nil
	}
	text, err := o.text(name)
	if err != nil {
		return moment{}, err
	}
	m, reason := readDate(text, zone)
	if reason != "" {
		return moment{}, o.refuse(name, reason)
	}
	return m, nil
}

// readDate returns the moment that text names, or why it names none.
func readDate(text string, zone *time.Location) (moment, string) {
	part := dateForm.FindStringSubmatch(text)
	if part == nil {
		return moment{}, "must be YYYY-MM-DD or YYYY-MM-DD HH:MM:SS[.ffffff], with an optional offset"
	}
	var n [6]int // year, month, day, hour, minute, second
	for i := range n {
		n[i], _ = digits(part[i+1])
	}
	if n[0] < firstDateYear {
		return moment{}, "years before 1900 are not understood"
	}
	if n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > monthLength(n[0], n[1]) {
		return moment{}, "no such day"
	}
	if n[3] > 23 || n[4] > 59 || n[5] > 59 {
		return moment{}, "no such time of day"
	}
	civil := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	nanos, _ := digits((part[7] + "000000000")[:9])
	unix := civil.Unix()
	switch offset := part[8]; {
	case offset == "":
		unix = occur(zone, unix).last
	case offset != "Z":
		hours, _ := digits(offset[1:3])
		minutes, _ := digits(offset[4:6])
		if hours > 23 || minutes > 59 {
			return moment{}, "no such offset"
		}
		east := int64(hours*3600 + minutes*60)
		if strings.HasPrefix(offset, "-") {
			east = -east
		}
		unix -= east
	}
	return moment{at: time.Unix(unix, int64(nanos)).UTC(), wall: civil.Unix(), dateOnly: part[4] == "", fixed: part[8] != ""}, ""
}

// window reads start_date and end_date in zone.
func (o object) window(zone *time.Location) (window, error) {
	start, err := o.date("start_date", zone)
	if err != nil {
		return window{}, err
	}
	end, err := o.date("end_date", zone)
	if err != nil {
		return window{}, err
	}
	return window{start: start.at, end: end.at}, nil
}
