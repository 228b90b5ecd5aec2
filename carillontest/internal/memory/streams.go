package memory

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// entryID is when an entry was added, and its number within that millisecond.
type entryID struct{ ms, seq uint64 }

func (a entryID) compare(b entryID) int {
	return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.seq, b.seq))
}

func (a entryID) String() string { return fmt.Sprintf("%d-%d", a.ms, a.seq) }

type entry struct {
	id     entryID
	fields []string
}

func (e entry) reply() any { return []any{e.id.String(), texts(e.fields)} }

// stream keeps its entries in order.
type stream struct {
	entries []entry
	last    entryID
	groups  map[string]*consumers
}

func newStream() *stream { return &stream{groups: map[string]*consumers{}} }

var streamCommands = map[string]command{
	"XADD": {4, (*Server).xadd},
	"XLEN": {1, func(s *Server, args []string) any {
		st, there := get[*stream](s, args[0])
		if !there {
			return int64(0)
		}
		return int64(len(st.entries))
	}},
	"XRANGE":    {3, func(s *Server, args []string) any { return s.xrange(args[0], args[1], args[2], args[3:], false) }},
	"XREVRANGE": {3, func(s *Server, args []string) any { return s.xrange(args[0], args[2], args[1], args[3:], true) }},
	"XDEL": {2, func(s *Server, args []string) any {
		st, there := get[*stream](s, args[0])
		n := int64(0)
		for _, text := range args[1:] {
			if at, found := st.find(text); there && found {
				st.entries = slices.Delete(st.entries, at, at+1)
				n++
			}
		}
		return n
	}},
	"XTRIM": {3, func(s *Server, args []string) any {
		st, there := get[*stream](s, args[0])
		if !there {
			return int64(0)
		}
		n := len(st.entries)
		if least := args[len(args)-1]; strings.EqualFold(args[1], "MINID") {
			from, _ := st.at(parseID(least, 0))
			st.entries = slices.Clone(st.entries[from:])
		} else {
			st.trim(integer(least))
		}
		return int64(n - len(st.entries))
	}},
	"XGROUP":   {3, (*Server).xgroup},
	"XACK":     {3, (*Server).xack},
	"XPENDING": {5, (*Server).xpending},
	"XCLAIM":   {6, (*Server).xclaim},
	"XINFO":    {2, (*Server).xinfo},
}

func (s *Server) xadd(args []string) any {
	key, rest, most := args[0], args[1:], int64(-1)
	if strings.EqualFold(rest[0], "MAXLEN") {
		if rest = rest[1:]; rest[0] == "~" || rest[0] == "=" {
			rest = rest[1:]
		}
		most, rest = integer(rest[0]), rest[1:]
	}
	if len(rest) < 3 || len(rest)%2 == 0 {
		return faultf("wrong number of arguments for 'xadd' command")
	}
	st, there := get[*stream](s, key)
	if !there {
		st = newStream()
	}
	id := entryID{ms: uint64(millis(s.now()))}
	switch {
	case rest[0] != "*":
		id = parseID(rest[0], 0)
		if id.compare(st.last) <= 0 {
			return faultf("The ID specified in XADD is equal or smaller than the target stream top item")
		}
	case id.ms <= st.last.ms:
		id = entryID{st.last.ms, st.last.seq + 1}
	}
	s.values[key] = st
	st.last = id
	st.entries = append(st.entries, entry{id, slices.Clone(rest[1:])})
	if most >= 0 {
		st.trim(most)
	}
	s.grown()
	return id.String()
}

func (st *stream) trim(most int64) {
	if over := int64(len(st.entries)) - most; over > 0 {
		st.entries = slices.Clone(st.entries[over:])
	}
}

// at returns where the first entry that is not before id stands.
func (st *stream) at(id entryID) (int, bool) {
	return slices.BinarySearchFunc(st.entries, id, func(e entry, id entryID) int { return e.id.compare(id) })
}

func (st *stream) find(text string) (int, bool) {
	if st == nil {
		return 0, false
	}
	return st.at(parseID(text, 0))
}

// after returns up to count entries after id; all of them when count is 0.
func (st *stream) after(id entryID, count int64) []entry {
	at, found := st.at(id)
	if found {
		at++
	}
	rest := st.entries[at:]
	if count > 0 {
		rest = rest[:min(count, int64(len(rest)))]
	}
	return rest
}

func (s *Server) xrange(key, low, high string, options []string, backwards bool) any {
	st, there := get[*stream](s, key)
	if !there {
		return []any{}
	}
	most := int64(math.MaxInt64)
	if len(options) == 2 && strings.EqualFold(options[0], "COUNT") {
		most = integer(options[1])
	}
	low, open := strings.CutPrefix(low, "(")
	from, there := st.at(parseID(low, 0))
	if there && open {
		from++
	}
	high, open = strings.CutPrefix(high, "(")
	to, there := st.at(parseID(high, math.MaxUint64))
	if there && !open {
		to++
	}
	between := slices.Clone(st.entries[min(from, to):to])
	if backwards {
		slices.Reverse(between)
	}
	all := []any{}
	for _, e := range between[:min(most, int64(len(between)))] {
		all = append(all, e.reply())
	}
	return all
}

// parseID reads an id; one without a number gets seq.
func parseID(text string, seq uint64) entryID {
	switch text {
	case "-":
		return entryID{}
	case "+":
		return entryID{math.MaxUint64, math.MaxUint64}
	}
	ms, number, whole := strings.Cut(text, "-")
	at, err := strconv.ParseUint(ms, 10, 64)
	if err == nil && whole {
		seq, err = strconv.ParseUint(number, 10, 64)
	}
	if err != nil {
		panic(fault("ERR Invalid stream ID specified as stream command argument"))
	}
	return entryID{at, seq}
}
