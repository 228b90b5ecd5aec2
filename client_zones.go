package carillon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/trigger"
)

// sameZones returns ErrZoneRules if the next time of a trigger depends on zone rules, and the leaders of the
// store follow other ones than this process has. A newer IANA release is allowed: the leader goes through all
// jobs when it gets that release.
func (a *almanac) sameZones(doc json.RawMessage) error {
	if a.rules == nil || !a.zoned(doc) {
		return nil
	}
	theirs, err := a.rules()
	if err != nil {
		return err
	}
	mine := trigger.ZonesInUse().Version()
	if theirs == "" || theirs == mine || trigger.NewerZones(mine, theirs) {
		return nil
	}
	return fmt.Errorf("%w: the store follows %s, this program has %s, and could find a wrong next time; use the release of Carillon that the leader has, or its --zoneinfo FILE",
		ErrZoneRules, theirs, mine)
}

// zoned reports whether a resolved trigger, or a calendar that it refers to, names a zone other than UTC.
func (a *almanac) zoned(doc json.RawMessage) bool {
	if namesZone(doc) {
		return true
	}
	names, err := trigger.Calendars(doc)
	if err != nil || a.known == nil {
		return false
	}
	for _, name := range names {
		if namesZone(a.known.Documents[name]) {
			return true
		}
	}
	return false
}

// namesZone reports whether a JSON document has a member "timezone" with another value than "UTC".
func namesZone(doc []byte) bool {
	var value any
	if json.Unmarshal(doc, &value) != nil {
		return false
	}
	var walk func(any) bool
	walk = func(value any) bool {
		switch v := value.(type) {
		case []any:
			for _, one := range v {
				if walk(one) {
					return true
				}
			}
		case map[string]any:
			for name, one := range v {
				if zone, ok := one.(string); name == "timezone" && ok && zone != "UTC" || walk(one) {
					return true
				}
			}
		}
		return false
	}
	return walk(value)
}

// corrected returns a job whose trigger stays with the next time that its trigger gives, if it has another one,
// such as one that was found by other zone rules. A time that next_run_time asked for stays, and so does a
// time whose trigger cannot be judged here: with other zone rules than the store's, or without any time left.
func corrected(e store.Entry, now time.Time, by *almanac) store.Entry {
	if e.State != store.Active || e.RunTime == 0 || e.Next == 0 || e.Next == e.Asked {
		return e
	}
	t, err := by.parse(e.Job.Trigger)
	if err != nil || by.sameZones(e.Job.Trigger) != nil {
		return e
	}
	if whole, err := trigger.Resolve(e.Job.Trigger, now); err != nil || !bytes.Equal(whole, e.Job.Trigger) {
		return e // its times would be counted from another moment
	}
	from := now
	if e.Next <= now.UnixMilli() { // it waits to be dispatched
		from = time.UnixMilli(e.Next - 1)
	}
	if last := time.UnixMilli(e.Last); last.After(from) {
		from = last
	}
	first := t.Next(from)
	if first.IsZero() || ceilMillis(first) == e.Next {
		return e
	}
	e.CalendarsVersion = by.version()
	e.Next = ceilMillis(first)
	e.RunTime = e.Next + trigger.Spread(t, e.UID, time.UnixMilli(e.Next)).Milliseconds()
	return e
}
