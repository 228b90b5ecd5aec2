package memory

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// consumers is a consumer group.
type consumers struct {
	delivered entryID // the last
	pending   map[entryID]delivery
	seen      map[string]time.Time // consumers, and when they last read
}

// delivery is an entry in somebody's hands.
type delivery struct {
	consumer string
	at       time.Time
	count    int64
}

// ids are the pending ids of a consumer, or of everybody, in order.
func (g *consumers) ids(consumer string) []entryID {
	var all []entryID
	for id, d := range g.pending {
		if consumer == "" || d.consumer == consumer {
			all = append(all, id)
		}
	}
	slices.SortFunc(all, entryID.compare)
	return all
}

// groupOf returns a group that must be there.
func (s *Server) groupOf(key, name string) (*stream, *consumers) {
	st, there := get[*stream](s, key)
	if there {
		if g := st.groups[name]; g != nil {
			return st, g
		}
	}
	panic(fault("NOGROUP No such key '" + key + "' or consumer group '" + name + "'"))
}

func (s *Server) xgroup(args []string) any {
	action, key, name := strings.ToUpper(args[0]), args[1], args[2]
	switch {
	case action == "CREATE" && len(args) > 3:
		st, there := get[*stream](s, key)
		if !there {
			if len(args) < 5 || !strings.EqualFold(args[4], "MKSTREAM") {
				return faultf("The XGROUP subcommand requires the key to exist")
			}
			st = getOr(s, key, newStream)
		}
		if st.groups[name] != nil {
			return fault("BUSYGROUP Consumer Group name already exists")
		}
		from := st.last
		if args[3] != "$" {
			from = parseID(args[3], 0)
		}
		st.groups[name] = &consumers{delivered: from, pending: map[entryID]delivery{}, seen: map[string]time.Time{}}
		return ok
	case action == "DESTROY":
		st, there := get[*stream](s, key)
		had := there && st.groups[name] != nil
		if had {
			delete(st.groups, name)
			s.grown()
		}
		return flag(had)
	case action == "DELCONSUMER" && len(args) > 3:
		_, g := s.groupOf(key, name)
		ids := g.ids(args[3])
		for _, id := range ids {
			delete(g.pending, id)
		}
		delete(g.seen, args[3])
		return int64(len(ids))
	}
	return syntax
}

func (s *Server) xack(args []string) any {
	st, there := get[*stream](s, args[0])
	if !there || st.groups[args[1]] == nil {
		return int64(0)
	}
	g, n := st.groups[args[1]], int64(0)
	for _, text := range args[2:] {
		id := parseID(text, 0)
		_, had := g.pending[id]
		delete(g.pending, id)
		n += flag(had)
	}
	return n
}

// xpending answers the long form: [IDLE ms] start end count [consumer].
func (s *Server) xpending(args []string) any {
	_, g := s.groupOf(args[0], args[1])
	rest, idle := args[2:], time.Duration(0)
	if strings.EqualFold(rest[0], "IDLE") {
		idle, rest = time.Duration(integer(rest[1]))*time.Millisecond, rest[2:]
	}
	if len(rest) < 3 {
		return syntax
	}
	first, last, most, consumer := parseID(rest[0], 0), parseID(rest[1], math.MaxUint64), integer(rest[2]), ""
	if len(rest) > 3 {
		consumer = rest[3]
	}
	all := []any{}
	for _, id := range g.ids(consumer) {
		d := g.pending[id]
		waited := s.now().Sub(d.at)
		if id.compare(first) < 0 || id.compare(last) > 0 || waited < idle || int64(len(all)) == most {
			continue
		}
		all = append(all, []any{id.String(), d.consumer, waited.Milliseconds(), d.count})
	}
	return all
}

func (s *Server) xinfo(args []string) any {
	what := strings.ToUpper(args[0])
	st, there := get[*stream](s, args[1])
	if !there {
		return faultf("no such key")
	}
	all := []any{}
	switch {
	case what == "GROUPS":
		for _, name := range slices.Sorted(maps.Keys(st.groups)) {
			g := st.groups[name]
			all = append(all, []any{
				"name", name, "consumers", int64(len(g.seen)), "pending", int64(len(g.pending)),
				"last-delivered-id", g.delivered.String(), "entries-read", nil, "lag", nil,
			})
		}
		return all
	case what == "CONSUMERS" && len(args) > 2:
		_, g := s.groupOf(args[1], args[2])
		for _, name := range slices.Sorted(maps.Keys(g.seen)) {
			idle := s.now().Sub(g.seen[name]).Milliseconds()
			all = append(all, []any{"name", name, "pending", int64(len(g.ids(name))), "idle", idle, "inactive", idle})
		}
		return all
	}
	return syntax
}
