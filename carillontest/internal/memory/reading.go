package memory

import (
	"strings"
	"time"
)

// reading is an XREAD or XREADGROUP.
type reading struct {
	group, consumer string
	count           int64
	block           time.Duration // below 0: it does not wait; 0: without end
	keys, after     []string
}

// read answers a reading, and waits for entries when it says so. It takes the lock itself.
func (s *Server) read(args []string) any {
	s.mu.Lock()
	r, reply := s.begin(args)
	var timer <-chan time.Time
	if r.block > 0 {
		t := time.NewTimer(r.block)
		defer t.Stop()
		timer = t.C
	}
	for {
		changed, released := s.changed, s.released
		closed := s.closed
		s.mu.Unlock()
		if reply != (nilList{}) || r.block < 0 || closed {
			return reply
		}
		select {
		case <-changed:
		case <-released:
			return reply
		case <-timer:
			return reply
		}
		s.mu.Lock()
		reply = s.entries(r)
	}
}

// begin parses and tries once.
func (s *Server) begin(args []string) (r reading, reply any) {
	defer func() {
		if f, is := recover().(fault); is {
			reply = f
		}
	}()
	r, wrong := parseReading(args)
	if wrong != "" {
		return r, wrong
	}
	for i, from := range r.after {
		if from == "$" {
			if st, there := get[*stream](s, r.keys[i]); there {
				r.after[i] = st.last.String()
			} else {
				r.after[i] = "0"
			}
		}
	}
	return r, s.entries(r)
}

func parseReading(args []string) (r reading, wrong fault) {
	r = reading{block: -1}
	for rest := args[1:]; len(rest) > 1; {
		switch strings.ToUpper(rest[0]) {
		case "GROUP":
			if len(rest) < 3 {
				return r, syntax
			}
			r.group, r.consumer, rest = rest[1], rest[2], rest[3:]
		case "COUNT":
			r.count, rest = integer(rest[1]), rest[2:]
		case "BLOCK":
			r.block, rest = time.Duration(integer(rest[1]))*time.Millisecond, rest[2:]
		case "STREAMS":
			rest = rest[1:]
			if len(rest)%2 != 0 {
				return r, syntax
			}
			r.keys, r.after = rest[:len(rest)/2], rest[len(rest)/2:]
			return r, ""
		default:
			return r, syntax
		}
	}
	return r, syntax
}

// entries answers with what there is, or nilList when there is nothing to wait no more for.
func (s *Server) entries(r reading) (reply any) {
	defer func() {
		if f, is := recover().(fault); is {
			reply = f
		}
	}()
	all := []any{}
	for i, key := range r.keys {
		var found []any
		if r.group != "" {
			found = s.deliver(r, key, r.after[i])
		} else if st, there := get[*stream](s, key); there {
			for _, e := range st.after(parseID(r.after[i], 0), r.count) {
				found = append(found, e.reply())
			}
		}
		if found != nil {
			all = append(all, []any{key, found})
		}
	}
	if len(all) == 0 {
		return nilList{}
	}
	return all
}

// deliver hands new entries to a consumer, or what it has pending when it names an id. The latter
// answers an empty list where there is nothing.
func (s *Server) deliver(r reading, key, from string) []any {
	st, g := s.groupOf(key, r.group)
	now := s.now()
	g.seen[r.consumer] = now
	if from == ">" {
		var found []any
		for _, e := range st.after(g.delivered, r.count) {
			g.delivered = e.id
			g.pending[e.id] = delivery{r.consumer, now, 1}
			found = append(found, e.reply())
		}
		return found
	}
	found, after := []any{}, parseID(from, 0)
	for _, id := range g.ids(r.consumer) {
		if id.compare(after) <= 0 || (r.count > 0 && int64(len(found)) == r.count) {
			continue
		}
		if at, there := st.at(id); there {
			found = append(found, st.entries[at].reply())
		} else {
			found = append(found, []any{id.String(), nilList{}})
		}
	}
	return found
}
