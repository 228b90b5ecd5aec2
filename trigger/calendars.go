package trigger

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ParseWith is Parse for documents that refer to named calendars: calendars returns the document of
// the calendar of that name. It is called once per reference, and its error is returned wrapped,
// without ErrInvalid. A calendar is {"exclude": […], "timezone"}: dates, ranges and triggers as in a
// trigger's exclude, but no calendars, and the triggers must have a start_date where one would
// otherwise be resolved. Its zone is that of the trigger that refers to it unless it names its own.
//
// A nil document without an error passes the reference over, as if it were not there.
//
// The trigger keeps what the calendars were: whoever changes one must parse again.
func ParseWith(doc []byte, calendars func(name string) ([]byte, error)) (Trigger, error) {
	n, err := parseDocument(doc, defaultZone, func(name string) ([]byte, string, error) {
		raw, err := calendars(name)
		return raw, "", err
	})
	if err != nil {
		return nil, err
	}
	return n.trigger, nil
}

// Calendars returns the names of the calendars that a document refers to, sorted, each once. Errors
// wrap ErrInvalid.
func Calendars(doc []byte) ([]string, error) {
	names := []string{}
	_, err := parseDocument(doc, defaultZone, func(name string) ([]byte, string, error) {
		names = append(names, name)
		return nil, "", nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// CheckCalendar says whether doc is a calendar that ParseWith takes. Errors wrap ErrInvalid.
func CheckCalendar(doc []byte) error {
	left := maxMembers
	var out exclusion
	return out.readCalendar(scope{zone: defaultZone, left: &left}, doc, time.UTC)
}

// source looks a calendar up: its document, or why a reference is refused, or an error. With none of
// them the reference is passed over.
type source func(name string) (doc []byte, reason string, err error)

// noCalendars is the source of Parse.
func noCalendars(string) ([]byte, string, error) {
	return nil, "calendars are kept by a store, and none is at hand here", nil
}

// noNesting is the source within calendars.
func noNesting(string) ([]byte, string, error) {
	return nil, "a calendar cannot refer to calendars", nil
}

// passOver is the source of those who do not need the calendars themselves.
func passOver(string) ([]byte, string, error) { return nil, "", nil }

const maxName = 255

// readReference adds what a named calendar excludes.
func (x *exclusion) readReference(in scope, obj object, zone *time.Location) error {
	if err := obj.allow("calendar"); err != nil {
		return err
	}
	name, err := obj.text("calendar")
	switch {
	case err != nil:
		return err
	case name == "" || len(name) > maxName || strings.ContainsFunc(name, unprintable):
		return obj.refuse("calendar", "must be 1 to 255 bytes of printable text without spaces")
	}
	if *in.left--; *in.left < 0 {
		return obj.refuse("calendar", "more than 64 triggers and calendars in one document")
	}
	doc, reason, err := in.calendars(name)
	switch {
	case err != nil:
		return fmt.Errorf("trigger: parse: %s: calendar %q: %w", in.path, name, err)
	case reason != "":
		return obj.refuse("calendar", reason)
	case doc == nil:
		return nil
	}
	in.path += ".calendar(" + name + ")"
	return x.readCalendar(in, doc, zone)
}

// readCalendar adds what the calendar doc excludes.
func (x *exclusion) readCalendar(in scope, doc []byte, zone *time.Location) error {
	if err := checkText(doc); err != nil {
		return err
	}
	obj, err := readObject(in.path, doc)
	if err != nil {
		return err
	}
	if err := obj.allow("exclude", "timezone"); err != nil {
		return err
	}
	if !obj.has("exclude") {
		return refuse(obj.at("exclude"), doc, "missing")
	}
	if obj.has("timezone") {
		if in.zone, err = obj.text("timezone"); err != nil {
			return err
		}
		var ok bool
		if zone, ok = loadZone(in.zone); !ok {
			return obj.refuse("timezone", "unknown time zone "+in.zone)
		}
	}
	docs, err := obj.list("exclude")
	if err != nil {
		return err
	}
	in.calendars = noNesting
	for i, item := range docs {
		at := in
		at.path = fmt.Sprintf("%s[%d]", obj.at("exclude"), i)
		read, err := x.read(at, item, zone)
		if err != nil {
			return err
		}
		if read.trigger != nil && read.trigger.floats() {
			return refuse(at.path, item, "in a calendar it needs a start_date")
		}
	}
	return nil
}

// floats tells that n, or a trigger in it, has no phase before it is resolved.
func (n node) floats() bool {
	switch t := n.base.(type) {
	case *interval:
		if t.start.IsZero() {
			return true
		}
	case *calendarInterval:
		if !t.anchored {
			return true
		}
	case *rrule:
		if !t.anchored {
			return true
		}
	}
	return slices.ContainsFunc(n.members, node.floats) || slices.ContainsFunc(n.excluded, func(e excluded) bool {
		return e.trigger != nil && e.trigger.floats()
	})
}
