package trigger

import (
	"encoding/json"
	"fmt"
	"time"
)

// Resolve returns doc in the form that is stored, which says everything that Next depends on: the
// zone is explicit ("UTC" unless given or inherited from the combination it stands in), an interval
// without start_date is anchored so that it first fires one interval after now (rounded up to the
// millisecond), a calendar_interval without start_date starts from the day of now in its zone, an
// rrule without one from now (rounded up to the second), and a cron with "@every" has become an
// interval. Calendars are not looked up. What was given stays as it was given; keys are sorted.
// Resolving a resolved document returns it unchanged, whatever now is. Errors wrap ErrInvalid.
func Resolve(doc []byte, now time.Time) ([]byte, error) {
	return ResolveIn(doc, now, defaultZone)
}

// ResolveIn is Resolve with another default zone, an IANA name.
func ResolveIn(doc []byte, now time.Time, zone string) ([]byte, error) {
	n, err := parseDocument(doc, zone, passOver)
	if err != nil {
		return nil, err
	}
	return n.resolve(now)
}

func (n node) resolve(now time.Time) (json.RawMessage, error) {
	out := map[string]any{}
	for _, key := range n.obj.keys {
		out[key] = n.obj.values[key]
	}
	out["timezone"] = n.zone
	if n.obj.has("expr") {
		out["expr"] = n.expr
	}
	if err := n.anchor(out, now); err != nil {
		return nil, err
	}
	if n.members != nil {
		members := make([]json.RawMessage, 0, len(n.members))
		for _, m := range n.members {
			raw, err := m.resolve(now)
			if err != nil {
				return nil, err
			}
			members = append(members, raw)
		}
		out["triggers"] = members
	}
	if n.excluded != nil {
		items := make([]json.RawMessage, 0, len(n.excluded))
		for _, item := range n.excluded {
			if item.trigger != nil {
				raw, err := item.trigger.resolve(now)
				if err != nil {
					return nil, err
				}
				item.raw = raw
			}
			items = append(items, item.raw)
		}
		out["exclude"] = items
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("trigger: resolve: %w", err)
	}
	return raw, nil
}

// anchor gives the document out, which is n's, the phase that it lacks.
func (n node) anchor(out map[string]any, now time.Time) error {
	switch t := n.base.(type) {
	case *interval:
		if n.every != nil {
			delete(out, "expr")
			out["type"] = "interval"
			out["every"] = t.every.String()
		}
		if t.start.IsZero() {
			first := ceilMilli(now).Add(t.every)
			if first.Unix() > lastInstant {
				return n.obj.refuse("every", "the first firing lies beyond the year 9999")
			}
			out["start_date"] = first.Format(time.RFC3339Nano)
		}
	case *calendarInterval:
		if !t.anchored {
			out["start_date"] = now.In(t.zone).Format(time.DateOnly)
		}
	case *rrule:
		if !t.anchored {
			out["start_date"] = ceilSecond(now).Format(time.RFC3339)
		}
	}
	return nil
}

// ceilSecond rounds t up to the second, the unit in which rules count.
func ceilSecond(t time.Time) time.Time {
	return ceilTo(t, time.Second)
}

// ceilMilli rounds t up to the millisecond, the unit in which run times are stored.
func ceilMilli(t time.Time) time.Time {
	return ceilTo(t, time.Millisecond)
}

// ceilTo rounds t up to a unit that divides the second.
func ceilTo(t time.Time, unit time.Duration) time.Time {
	t = t.Round(0).UTC()
	if over := t.Nanosecond() % int(unit); over > 0 {
		t = t.Add(unit - time.Duration(over))
	}
	return t
}
