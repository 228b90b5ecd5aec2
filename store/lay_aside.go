package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// half says how much there is of a run that stands in a sorted set and in a hash beside it.
type half string

const (
	bothHalves half = "both"
	onlyMember half = "member" // of the set
	onlyText   half = "text"
)

// poisoned is a run that no node can read, or of which one half is missing.
type poisoned struct {
	id   string
	half half
	text string
	slot string // that it holds, "" if none is known
	from int    // where in the text the message begins
	err  error  // why it cannot be read; nil for a text that can
}

// pool is a sorted set of runs with the hash of their texts.
type pool struct {
	name        string // for people
	set, texts  string // keys
	line        string // the slot that the runs are in line for, "" if they are not
	onlyExpired bool   // members whose score lies ahead are left alone
}

// newerRemedy is what to do about a record of a newer format that waits.
const newerRemedy = "start a node of the newer version, or remove the record"

// layAside moves runs that no node can read out of a pool into the dead list, each with its reason, and returns
// how many there were. What has changed since it was read stays. The office is the zero value for a node that
// does not lead.
func (s *Store) layAside(ctx context.Context, k keys, o Office, from pool, all []poisoned) (moved int, err error) {
	for first, end := range portions(len(all), func(i int) weight { return all[i].weight() }) {
		some, err := s.laySomeAside(ctx, k, o, from, all[first:end])
		moved += some
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// weight is what the run costs the script: its text may name many runs, of which each ends.
func (p *poisoned) weight() weight {
	return weight{runs: min(strings.Count(p.text, "@")/2, 30), bytes: len(p.text)} // as many as traces tells
}

func (s *Store) laySomeAside(ctx context.Context, k keys, o Office, from pool, all []poisoned) (moved int, err error) {
	keys := []string{k.events(), k.jobs(), k.fence(), from.set, from.texts, k.dead(), k.waitingIndex()}
	args := append(s.env(), o.Epoch, timeOrEmpty(o.Term), from.line, "0")
	if from.onlyExpired {
		args[len(args)-1] = "1"
	}
	for _, p := range all {
		body, head, reason := p.text, "", "its place in "+from.name+" is missing; retry it"
		switch {
		case p.half == onlyMember:
			body, reason = "\n"+p.id+"@0@0\n", "its message in "+from.name+" is missing"
		case p.err != nil:
			reason = clean(p.err.Error())
		}
		if p.half == onlyMember || p.err != nil {
			head = unreadableMark + reason + "\n"
		}
		jobID, runs := traces(p.text[p.from:])
		held := "0"
		if p.slot != "" {
			held = "1"
		}
		keys = append(keys, k.history(jobID), k.slot(p.slot))
		args = append(args, p.id, string(p.half), body, head, jobID, runs, reason, held, p.from+1)
	}
	reply, err := s.run(ctx, layAsideScript, keys, args...)
	if err != nil {
		return 0, err
	}
	t := tags(reply)
	if len(t) > 0 && t[0] == "FENCED" {
		return 0, s.fenced(t)
	}
	for i, tag := range t {
		if tag == "ASIDE" {
			if moved == 0 {
				s.log.Error("runs that cannot be read were moved to the dead runs", "place", from.name, "run", all[i].id, "of", len(all),
					"error", all[i].err, "remedy", "look at them with: carillon run list --dead")
			}
			moved++
		}
	}
	return moved, nil
}

// judgeText says what is wrong with the text of a run in a pool, which is nil if it is missing. newer is true for
// one that a newer node can read; bad is nil for one that can be read here.
func judgeText(id string, value any, decode func(string) error) (bad *poisoned, newer bool) {
	if value == nil {
		return &poisoned{id: id, half: onlyMember, err: fmt.Errorf("store: run: %w: its text is missing", ErrUnreadable)}, false
	}
	body := text(value)
	err := decode(body)
	switch {
	case err == nil:
		return nil, false
	case errors.Is(err, ErrNewerFormat):
		return nil, true
	}
	return &poisoned{id: id, half: bothHalves, text: body, err: err}, false
}

func decodesMessage(body string) error {
	_, err := DecodeMessage(body)
	return err
}

// ofRunning tells of a value of running that cannot be read which slot it holds, as far as that can be told.
func (p *poisoned) ofRunning() {
	head, _, _ := strings.Cut(p.text, "\n")
	if f := strings.Split(head, "\t"); len(f) == 6 && p.half == bothHalves {
		p.slot, p.from = f[3], min(len(head)+1, len(p.text))
	}
}

// runningPool are the runs that nodes have, with their leases.
func (k keys) runningPool() pool {
	return pool{name: "running", set: k.leases(), texts: k.running(), onlyExpired: true}
}

// brokenRunning are the runs among values of running that no node can read.
func (k keys) brokenRunning(ids []string, values []any) []poisoned {
	var all []poisoned
	for i, v := range values {
		if v == nil {
			continue // a lease of nothing, which recover drops
		}
		bad, _ := judgeText(ids[i], v, func(value string) error {
			_, err := decodeRunning(value)
			return err
		})
		if bad != nil {
			bad.ofRunning()
			all = append(all, *bad)
		}
	}
	return all
}
