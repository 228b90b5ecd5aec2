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
	keys := append(make([]string, 0, 10+2*len(done)),
		k.events(), k.jobs(), k.running(), k.leases(), k.dead(), k.waitingIndex(), k.stream(done[0].Message.Executor))
	day, days := s.today(k)
	keys = append(keys, days...)
	for _, f := range sorted {
		if f.holdsSlot() {
			keys = append(keys, k.slot(f.Message.Slot))
		}
	}
	for _, f := range sorted {
		keys = append(keys, k.history(f.Message.JobID))
	}
	reply, resent, err := s.runCounted(ctx, finishPlainScript, keys, s.plainArgs(sorted, day)...)
	return text(reply) == "DONE", resent, err
}

// plainArgs are what the script takes, with all its texts made here, where it is cheap; day is the first
// of those whose keys it is given.
func (s *Store) plainArgs(sorted []*Finish, day int64) []any {
	var events []byte
	rows, ends := make([]byte, 0, 128*len(sorted)), make([]int, len(sorted))
	groups := []any{}
	for i, f := range sorted {
		if i > 0 {
			events = append(events, '\n')
		}
		events = s.appendEvent(events, *f, eventOf(f.Outcome), f.why())
		rows = s.appendRow(rows, *f)
		ends[i] = len(rows)
	}
	args := append(make([]any, 0, 13+2*len(sorted)), s.env()...)
	args = append(args, len(sorted), events, day)
	for _, f := range sorted {
		args = append(args, &f.RunID)
	}
	from := 0
	for _, end := range ends {
		args = append(args, rows[from:end:end])
		from = end
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
		groups = append(groups, &first.Owner, n, letter)
		from += n
	}
	return append(args, groups...)
}
