package memory

import (
	"slices"
	"strings"
	"time"
)

// xclaim answers XCLAIM key group consumer min-idle id… [FORCE] [JUSTID]: entries change hands, with FORCE also
// those that nobody has. It knows the form that answers with ids.
func (s *Server) xclaim(args []string) any {
	st, g := s.groupOf(args[0], args[1])
	consumer, idle, rest := args[2], time.Duration(integer(args[3]))*time.Millisecond, args[4:]
	ids := slices.IndexFunc(rest, func(a string) bool { return !strings.Contains(a, "-") })
	if ids < 0 || !slices.ContainsFunc(rest[ids:], func(a string) bool { return strings.EqualFold(a, "JUSTID") }) {
		return syntax
	}
	force := slices.ContainsFunc(rest[ids:], func(a string) bool { return strings.EqualFold(a, "FORCE") })
	now, all := s.now(), []any{}
	g.seen[consumer] = now
	for _, text := range rest[:ids] {
		id := parseID(text, 0)
		d, pending := g.pending[id]
		if _, there := st.at(id); !there || !pending && !force || pending && now.Sub(d.at) < idle {
			continue
		}
		g.pending[id] = delivery{consumer, now, d.count}
		all = append(all, id.String())
	}
	return all
}
