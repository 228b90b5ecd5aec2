package trigger

import (
	"encoding/json"
	"fmt"
	"time"
)

// maxProbes bounds how often one Next asks single triggers on behalf of the "and"s of a document.
const maxProbes = 600

// union is "or": every time of every member, the same instant once.
type union struct {
	settings
	members []jittered
}

// common is "and": the times on which all members agree.
type common struct {
	settings
	members []jittered
}

// never has no times.
type never struct{ settings }

func (never) Next(time.Time) time.Time { return time.Time{} }

// prober is a trigger that asks others. left is how often that may still happen.
type prober interface {
	probe(t time.Time, left *int) time.Time
}

func ask(t jittered, at time.Time, left *int) time.Time {
	if p, ok := t.(prober); ok {
		return p.probe(at, left)
	}
	*left--
	return t.Next(at)
}

func (u *union) Next(t time.Time) time.Time {
	left := maxProbes
	return u.probe(t, &left)
}

func (u *union) probe(t time.Time, left *int) time.Time {
	var earliest time.Time
	for _, m := range u.members {
		if next := ask(m, t, left); !next.IsZero() && (earliest.IsZero() || next.Before(earliest)) {
			earliest = next
		}
	}
	return earliest
}

func (c *common) Next(t time.Time) time.Time {
	left := maxProbes
	return c.probe(t, &left)
}

// probe lets each member in turn answer the latest proposal, until all in a row have kept it.
func (c *common) probe(t time.Time, left *int) time.Time {
	proposal := ask(c.members[0], t, left)
	for agreed, turn := 1, 1; agreed < len(c.members); turn++ {
		if proposal.IsZero() || *left <= 0 {
			return time.Time{}
		}
		next := ask(c.members[turn%len(c.members)], proposal.Add(-time.Nanosecond), left)
		if next.Equal(proposal) {
			agreed++
		} else {
			proposal, agreed = next, 1
		}
	}
	return proposal
}

func readCombination(in scope, n *node, own settings) error {
	raw, ok := n.obj.values["triggers"]
	if !ok {
		return refuse(n.obj.at("triggers"), n.obj.raw, "missing")
	}
	var docs []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &docs) != nil {
		return n.obj.refuse("triggers", "must be a list")
	}
	if len(docs) == 0 {
		return n.obj.refuse("triggers", "must not be empty")
	}
	if in.depth++; in.depth >= maxDepth {
		return n.obj.refuse("triggers", "nested more than 8 deep")
	}
	var members []jittered
	widest := own.jitter
	for i, doc := range docs {
		in.path = fmt.Sprintf("%s[%d]", n.obj.at("triggers"), i)
		member, err := parseNode(in, doc)
		if err != nil {
			return err
		}
		n.members = append(n.members, member)
		members = append(members, member.trigger)
		widest = max(widest, member.trigger.jitterBound())
	}
	if !n.obj.has("jitter") {
		own.jitter = widest
	}
	if n.kind == "or" {
		n.trigger = &union{settings: own, members: members}
	} else {
		n.trigger = &common{settings: own, members: joinMembers(members)}
	}
	return nil
}
