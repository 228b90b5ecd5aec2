package trigger

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// excluded is one item of an exclude list, with what Resolve needs to write it down again.
type excluded struct {
	raw     json.RawMessage
	trigger *node // if it is one
}

// readExclude reads the exclude list of a trigger whose own fields have been read.
func readExclude(in scope, n *node, zone *time.Location) error {
	docs, err := n.obj.list("exclude")
	if err != nil {
		return err
	}
	var out exclusion
	for i, doc := range docs {
		at := in
		at.path = fmt.Sprintf("%s[%d]", n.obj.at("exclude"), i)
		item, err := out.read(at, doc, zone)
		if err != nil {
			return err
		}
		n.excluded = append(n.excluded, item)
	}
	out.tidy()
	n.trigger = &filtered{jittered: n.trigger, out: out}
	return nil
}

// list returns the elements of the list at name.
func (o object) list(name string) ([]json.RawMessage, error) {
	var docs []json.RawMessage
	if raw := o.values[name]; raw[0] != '[' || json.Unmarshal(raw, &docs) != nil {
		return nil, o.refuse(name, "must be a list")
	}
	return docs, nil
}

// read adds one item of an exclude list to x.
func (x *exclusion) read(in scope, doc json.RawMessage, zone *time.Location) (excluded, error) {
	if doc[0] == '"' {
		return excluded{raw: doc}, x.readText(in.path, doc, zone)
	}
	obj, err := readObject(in.path, doc)
	switch {
	case err != nil:
		return excluded{}, err
	case obj.has("type"):
		return x.readTrigger(in, doc)
	case obj.has("calendar"):
		return excluded{raw: doc}, x.readReference(in, obj, zone)
	case obj.has("from") || obj.has("to"):
		return excluded{raw: doc}, x.readRange(obj, zone)
	default:
		return excluded{}, refuse(in.path, doc, `must be a date, {"from","to"}, a trigger or {"calendar"}`)
	}
}

// readText reads a day or an instant.
func (x *exclusion) readText(path string, doc json.RawMessage, zone *time.Location) error {
	var text string
	if err := json.Unmarshal(doc, &text); err != nil {
		return refuse(path, doc, syntax(err))
	}
	m, reason := readDate(text, zone)
	switch {
	case reason != "":
		return refuse(path, doc, reason)
	case m.dateOnly:
		x.addDay(zone, floorDay(m.wall))
	default: // a time that the clock shows twice is out both times
		first, last := m.bounds(zone)
		x.spans = append(x.spans, stretch{first, first.Add(1)}, stretch{last, last.Add(1)})
	}
	return nil
}

// bounds returns the first and the last time that m may mean.
func (m moment) bounds(zone *time.Location) (first, last time.Time) {
	if m.fixed {
		return m.at, m.at
	}
	at, fraction := occur(zone, m.wall), time.Duration(m.at.Nanosecond())
	return time.Unix(at.first, 0).UTC().Add(fraction), time.Unix(at.last, 0).UTC().Add(fraction)
}

func (x *exclusion) addDay(zone *time.Location, number int64) {
	for i, d := range x.days {
		if d.zone == zone {
			x.days[i].numbers = append(d.numbers, number)
			return
		}
	}
	x.days = append(x.days, daysOut{zone, []int64{number}})
}

func (x *exclusion) readRange(obj object, zone *time.Location) error {
	if err := obj.allow("from", "to"); err != nil {
		return err
	}
	for _, name := range []string{"from", "to"} {
		if !obj.has(name) {
			return refuse(obj.at(name), obj.raw, "missing")
		}
	}
	from, err := obj.date("from", zone)
	if err != nil {
		return err
	}
	to, err := obj.date("to", zone)
	if err != nil {
		return err
	}
	low, _ := from.bounds(zone)
	_, high := to.bounds(zone)
	if to.dateOnly {
		high = time.Unix(occur(zone, to.wall+day).last, 0).UTC().Add(-1)
	}
	if high.Before(low) {
		return obj.refuse("to", "lies before from")
	}
	x.spans = append(x.spans, stretch{low, high.Add(1)})
	return nil
}

func (x *exclusion) readTrigger(in scope, doc json.RawMessage) (excluded, error) {
	if in.depth++; in.depth >= maxDepth {
		return excluded{}, refuse(in.path, doc, "nested more than 8 deep")
	}
	member, err := parseNode(in, doc)
	if err != nil {
		return excluded{}, err
	}
	x.addTrigger(member.trigger)
	return excluded{raw: doc, trigger: &member}, nil
}

// addTrigger takes the members of an "or" one by one, which lets more be jumped over.
func (x *exclusion) addTrigger(t jittered) {
	if or, ok := t.(*union); ok {
		for _, m := range or.members {
			x.addTrigger(m)
		}
		return
	}
	x.triggers = append(x.triggers, t)
}

// tidy sorts what has been read and joins stretches that meet.
func (x *exclusion) tidy() {
	for i := range x.days {
		slices.Sort(x.days[i].numbers)
		x.days[i].numbers = slices.Compact(x.days[i].numbers)
	}
	slices.SortFunc(x.spans, func(a, b stretch) int { return a.low.Compare(b.low) })
	var joined []stretch
	for _, s := range x.spans {
		if last := len(joined) - 1; last >= 0 && !s.low.After(joined[last].high) {
			if s.high.After(joined[last].high) {
				joined[last].high = s.high
			}
			continue
		}
		joined = append(joined, s)
	}
	x.spans = joined
}
