package trigger

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

const (
	maxBytes   = 64 << 10 // of a document
	maxDepth   = 8        // of "and" within "or" within …
	maxMembers = 64       // triggers in one document
)

// Parse compiles a trigger document. The reading is strict: unknown fields, wrong types, repeated keys
// and trailing data are refused with an error that wraps ErrInvalid and names the field and the text.
// A document has at most 64 KiB and 64 triggers nested 8 deep. References to calendars are refused:
// they take ParseWith.
//
// An interval, calendar_interval or rrule without start_date parses, but has no phase of its own:
// Resolve gives it one.
func Parse(doc []byte) (Trigger, error) {
	n, err := parseDocument(doc, defaultZone, noCalendars)
	if err != nil {
		return nil, err
	}
	return n.trigger, nil
}

const defaultZone = "UTC"

// node is one trigger of a document, with what Resolve needs to write it down again.
type node struct {
	kind     string
	obj      object
	zone     string
	trigger  jittered
	base     jittered // trigger without its exclusions
	members  []node
	excluded []excluded
	every    *interval // the interval that a cron's "@every" stands for
	expr     string    // a cron's expr without its TZ= prefix
}

// scope is what a trigger inherits from where it stands.
type scope struct {
	path      string
	zone      string
	depth     int
	left      *int // triggers that the document may still have
	calendars source
}

func parseDocument(doc []byte, zone string, calendars source) (node, error) {
	if err := checkText(doc); err != nil {
		return node{}, err
	}
	left := maxMembers
	return parseNode(scope{zone: zone, left: &left, calendars: calendars}, doc)
}

func checkText(doc []byte) error {
	if len(doc) > maxBytes {
		return refuse("", doc, "longer than 64 KiB")
	}
	if !utf8.Valid(doc) {
		return refuse("", doc, "not UTF-8")
	}
	return nil
}

// reader compiles one type of trigger. zone and jitter have been read by then; fields are those it
// takes beside the common ones.
type reader struct {
	fields []string
	read   func(scope, *node, settings) error
}

// commonFields are those of every type.
var commonFields = []string{"type", "timezone", "jitter", "exclude"}

func readerOf(kind string) (reader, bool) {
	switch kind {
	case "date":
		return reader{[]string{"run_date"}, readDateTrigger}, true
	case "interval":
		return reader{intervalFields, readInterval}, true
	case "cron":
		return reader{[]string{"expr", "fields", "dst", "start_date", "end_date"}, readCron}, true
	case "calendar_interval":
		return reader{calendarFields, readCalendar}, true
	case "rrule":
		return reader{[]string{"rule", "start_date", "end_date"}, readRRule}, true
	case "and", "or":
		return reader{[]string{"triggers"}, readCombination}, true
	default:
		return reader{}, false
	}
}

func parseNode(in scope, raw []byte) (node, error) {
	obj, err := readObject(in.path, raw)
	if err != nil {
		return node{}, err
	}
	if *in.left--; *in.left < 0 {
		return node{}, obj.refuse("type", "more than 64 triggers in one document")
	}
	if !obj.has("type") {
		return node{}, refuse(obj.at("type"), raw, "missing")
	}
	kind, err := obj.text("type")
	if err != nil {
		return node{}, err
	}
	kindReader, ok := readerOf(kind)
	if !ok {
		return node{}, obj.refuse("type", "must be date, interval, cron, calendar_interval, rrule, and, or")
	}
	if err := obj.allow(slices.Concat(commonFields, kindReader.fields)...); err != nil {
		return node{}, err
	}
	n := node{kind: kind, obj: obj, zone: in.zone}
	common, err := readSettings(&n)
	if err != nil {
		return node{}, err
	}
	in.zone = n.zone
	if err := kindReader.read(in, &n, common); err != nil {
		return node{}, err
	}
	n.base = n.trigger
	if obj.has("exclude") {
		err = readExclude(in, &n, common.zone)
	}
	if err != nil {
		return node{}, err
	}
	return n, nil
}

// readSettings reads what every type takes. A cron's expr may name the zone too.
func readSettings(n *node) (settings, error) {
	given, err := n.obj.text("timezone")
	if err != nil {
		return settings{}, err
	}
	if n.kind == "cron" {
		if err := splitZone(n); err != nil {
			return settings{}, err
		}
	}
	if n.obj.has("timezone") {
		n.zone = given
	}
	zone, ok := loadZone(n.zone)
	if !ok {
		return settings{}, n.obj.refuse("timezone", "unknown time zone "+n.zone)
	}
	common := settings{zone: zone}
	if n.obj.has("jitter") {
		if common.jitter, err = n.obj.duration("jitter"); err != nil {
			return settings{}, err
		}
		if common.jitter < 0 {
			return settings{}, n.obj.refuse("jitter", "must not be negative")
		}
	}
	return common, nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }
