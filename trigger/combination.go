package trigger

import (
	"fmt"
	"time"
)

// maxProbes bounds how often one Next asks single triggers on behalf of the "and"s of a document.
const maxProbes = 600

// union is "or": every time of every member, the same instant once.
type union struct {
	settings
	members []jittered
	probes  int // how often one Next may ask
}

// common is "and": the times on which all members agree.
type common struct {
	settings
	members []jittered
	probes  int // how often one Next may ask
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
	left := u.probes
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
	left := c.probes
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

// probesOf returns how often a combination with that member may ask.
func probesOf(t jittered) int {
	switch t := t.(type) {
	case *filtered:
		return maxExcluded
	case *union:
		return t.probes
	case *common:
		return t.probes
	default:
		return maxProbes
	}
}

func readCombination(in scope, n *node, own settings) error {
	if !n.obj.has("triggers") {
		return refuse(n.obj.at("triggers"), n.obj.raw, "missing")
	}
	docs, err := n.obj.list("triggers")
	if err != nil {
		return err
	}
	if len(docs) == 0 {
		return n.obj.refuse("triggers", "must not be empty")
	}
	if in.depth++; in.depth >= maxDepth {
		return n.obj.refuse("triggers", "nested more than 8 deep")
	}
	var members []jittered
	widest := own.jitter
	probes := maxProbes
	for i, doc := range docs {
		in.path = fmt.Sprintf("%s[%d]", n.obj.at("triggers"), i)
		member, err := parseNode(in, doc)
		if err != nil {
			return err
		}
		n.members = append(n.members, member)
		members = append(members, member.trigger)
		widest = max(widest, member.trigger.jitterBound())
		probes = max(probes, probesOf(member.trigger))
	}
	if !n.obj.has("jitter") {
		own.jitter = widest
	}
	if n.kind == "or" {
		n.trigger = &union{settings: own, members: members, probes: probes}
	} else {
		n.trigger = &common{settings: own, members: joinMembers(members), probes: probes}
	}
	return nil
}
