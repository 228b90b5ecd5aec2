package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Plain reports whether the attempt ends its run and nothing follows it: what Finish does for less
// when all that it is given is plain.
func (f Finish) Plain() bool { return f.Retry == nil && f.Next == nil }

func plain(done []Finish) bool {
	return !slices.ContainsFunc(done, func(f Finish) bool { return !f.Plain() })
}

// inGroups are the attempts in the order that the script takes: those that hold a slot first, and
// together those that one owner ended alike.
func inGroups(done []Finish) []*Finish {
	sorted := make([]*Finish, len(done))
	for i := range done {
		sorted[i] = &done[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Finish) int {
		return cmp.Or(order(b.holdsSlot(), a.holdsSlot()), order(a.dead(), b.dead()), strings.Compare(a.Owner, b.Owner))
	})
	return sorted
}

// order sorts what is so after what is not.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (f *Finish) holdsSlot() bool { return f.Message.Max > 0 }

func (f *Finish) groupedWith(g *Finish) bool {
	return f.Owner == g.Owner && f.dead() == g.dead() && f.holdsSlot() == g.holdsSlot()
}

// finishPlain ends plain attempts. taken is false when some run is not its owner's: none was ended
// then by this sending, and resent says whether an earlier one may have ended them.
func (s *Store) finishPlain(ctx context.Context, k keys, done []Finish) (taken, resent bool, err error) {
	sorted := inGroups(done)
	texts, events := s.plainTexts(k, sorted)
	names := texts[:len(texts)-events-len(sorted)]
	day, days := s.today(k)
	keys := append(make([]string, 0, 10+len(names)),
		k.events(), k.jobs(), k.running(), k.leases(), k.dead(), k.waitingIndex(), k.stream(done[0].Message.Executor))
	keys = append(append(keys, days...), names...)
	reply, resent, err := s.runCounted(ctx, finishPlainScript, keys, s.plainArgs(sorted, day, events, texts[len(names):])...)
	return text(reply) == "DONE", resent, err
}

// plainTexts are the texts that the script takes, made here, where it is cheap: keys of slots and of histories,
// the rows, and the events, in as many texts as it returns.
func (s *Store) plainTexts(k keys, sorted []*Finish) (all []string, events int) {
	t := newTexts()
	for _, f := range sorted {
		if f.holdsSlot() {
			t.key(k.slot(""), f.Message.Slot)
		}
	}
	for _, f := range sorted {
		t.key(k.history(""), f.Message.JobID)
	}
	for _, f := range sorted {
		t.b = s.appendRow(t.b, *f)
		t.cut()
	}
	pack := newEventPack(t)
	for _, f := range sorted {
		at := pack.begin()
		t.b = s.appendEvent(t.b, *f, eventOf(f.Outcome), f.why())
		pack.end(at)
	}
	events = pack.close()
	return t.pieces(), events
}

// plainArgs are the arguments of the script; day is the first of those whose keys it is given, and texts are the
// rows and the events.
func (s *Store) plainArgs(sorted []*Finish, day int64, events int, texts []string) []any {
	args := append(make([]any, 0, 13+2*len(sorted)+events), s.env()...)
	args = append(args, len(sorted), events, day)
	for _, f := range sorted {
		args = append(args, &f.RunID)
	}
	for i := range texts {
		args = append(args, &texts[i])
	}
	for from := 0; from < len(sorted); {
		first, n := sorted[from], 1
		for from+n < len(sorted) && sorted[from+n].groupedWith(first) {
			n++
		}
		letter := ""
		if first.dead() {
			letter = "d"
		}
		args = append(args, &first.Owner, n, letter)
		from += n
	}
	return args
}
