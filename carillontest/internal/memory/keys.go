package memory

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// list is a list, first element first.
type list []string

var keyCommands = map[string]command{
	"EXISTS": {1, func(s *Server, args []string) any {
		n := int64(0)
		for _, key := range args {
			n += flag(s.value(key) != nil)
		}
		return n
	}},
	"DEL":    {1, (*Server).remove},
	"UNLINK": {1, (*Server).remove},
	"TYPE": {1, func(s *Server, args []string) any {
		switch s.value(args[0]).(type) {
		case *string:
			return status("string")
		case *list:
			return status("list")
		case *zset:
			return status("zset")
		case *stream:
			return status("stream")
		case hash:
			return status("hash")
		case set:
			return status("set")
		}
		return status("none")
	}},
	"GET": {1, func(s *Server, args []string) any {
		v, there := get[*string](s, args[0])
		if !there {
			return nil
		}
		return *v
	}},
	"MGET": {1, func(s *Server, args []string) any {
		all := make([]any, len(args))
		for i, key := range args {
			if v, is := s.value(key).(*string); is {
				all[i] = *v
			}
		}
		return all
	}},
	"MSET": {2, func(s *Server, args []string) any {
		for i := 0; i+1 < len(args); i += 2 {
			s.set(args[i : i+2])
		}
		return ok
	}},
	"MSETNX": {2, func(s *Server, args []string) any {
		for i := 0; i+1 < len(args); i += 2 {
			if s.value(args[i]) != nil {
				return int64(0)
			}
		}
		for i := 0; i+1 < len(args); i += 2 {
			s.set(args[i : i+2])
		}
		return int64(1)
	}},
	"SET":     {2, (*Server).set},
	"INCR":    {1, func(s *Server, args []string) any { return s.add(args[0], 1) }},
	"DECR":    {1, func(s *Server, args []string) any { return s.add(args[0], -1) }},
	"PERSIST": {1, func(s *Server, args []string) any { return s.persist(args[0]) }},
	"EXPIRE":  {2, (*Server).expire},
	"TTL":     {1, (*Server).ttl},
	"SCAN":    {1, (*Server).scan},
	"LPUSH":   {2, (*Server).leftPush},
	"LPUSHX": {2, func(s *Server, args []string) any {
		if _, there := get[*list](s, args[0]); !there {
			return int64(0)
		}
		return s.leftPush(args)
	}},
	"LTRIM": {3, func(s *Server, args []string) any {
		if l, there := get[*list](s, args[0]); there {
			from, to := bounds(args[1], args[2], len(*l))
			if *l = slices.Clone((*l)[from:to]); len(*l) == 0 {
				s.drop(args[0])
			}
		}
		return ok
	}},
	"LRANGE": {3, func(s *Server, args []string) any {
		l, there := get[*list](s, args[0])
		if !there {
			return []any{}
		}
		from, to := bounds(args[1], args[2], len(*l))
		return texts((*l)[from:to])
	}},
	"LLEN": {1, func(s *Server, args []string) any {
		l, there := get[*list](s, args[0])
		if !there {
			return int64(0)
		}
		return int64(len(*l))
	}},
	"LREM": {3, (*Server).removeFromList},
}

// value is what stands under a key; nil when there is nothing, or its time is over.
func (s *Server) value(key string) any {
	if at, limited := s.expiries[key]; limited && !s.now().Before(at) {
		s.drop(key)
	}
	return s.values[key]
}

func (s *Server) remove(keys []string) any {
	n := int64(0)
	for _, key := range keys {
		n += flag(s.value(key) != nil)
		s.drop(key)
	}
	return n
}

func (s *Server) drop(key string) {
	delete(s.values, key)
	delete(s.expiries, key)
}

// get returns the value of a key that must be a V or absent.
func get[V any](s *Server, key string) (v V, there bool) {
	found := s.value(key)
	if found == nil {
		return v, false
	}
	v, is := found.(V)
	if !is {
		panic(wrongType)
	}
	return v, true
}

// getOr is get, and stores made() under a key that is absent.
func getOr[V any](s *Server, key string, made func() V) V {
	v, there := get[V](s, key)
	if !there {
		v = made()
		s.values[key] = v
	}
	return v
}

func (s *Server) set(args []string) any {
	rest, life := args[2:], time.Duration(0)
	for len(rest) > 0 {
		switch option := strings.ToUpper(rest[0]); {
		case option == "NX" && s.value(args[0]) != nil:
			return nil
		case option == "NX":
			rest = rest[1:]
		case option == "EX" && len(rest) > 1:
			life, rest = time.Duration(integer(rest[1]))*time.Second, rest[2:]
		case option == "PX" && len(rest) > 1:
			life, rest = time.Duration(integer(rest[1]))*time.Millisecond, rest[2:]
		default:
			return syntax
		}
	}
	s.drop(args[0])
	text := args[1]
	s.values[args[0]] = &text
	if life > 0 {
		s.expiries[args[0]] = s.now().Add(life)
	}
	return ok
}

func (s *Server) add(key string, by int64) any {
	v := getOr(s, key, func() *string { zero := "0"; return &zero })
	n := integer(*v) + by
	*v = strconv.FormatInt(n, 10)
	return n
}

func (s *Server) persist(key string) any {
	_, had := s.expiries[key]
	delete(s.expiries, key)
	return flag(had)
}

func (s *Server) expire(args []string) any {
	if s.value(args[0]) == nil {
		return int64(0)
	}
	s.expiries[args[0]] = s.now().Add(time.Duration(integer(args[1])) * time.Second)
	return int64(1)
}

func (s *Server) ttl(args []string) any {
	if s.value(args[0]) == nil {
		return int64(-2)
	}
	at, limited := s.expiries[args[0]]
	if !limited {
		return int64(-1)
	}
	return int64((at.Sub(s.now()) + time.Second/2) / time.Second)
}

// keysLike returns the keys that match a pattern with * only.
func (s *Server) keysLike(pattern string) []string {
	// path.Match lets * stop at a slash, which no key of the store forbids.
	const mark = "\x00"
	pattern = strings.ReplaceAll(pattern, "/", mark)
	var found []string
	for key := range s.values {
		if match, err := path.Match(pattern, strings.ReplaceAll(key, "/", mark)); err == nil && match && s.value(key) != nil {
			found = append(found, key)
		}
	}
	return found
}

// scan answers everything at once.
func (s *Server) scan(args []string) any {
	pattern := "*"
	for i := 1; i+1 < len(args); i += 2 {
		if strings.EqualFold(args[i], "MATCH") {
			pattern = args[i+1]
		}
	}
	return []any{"0", texts(s.keysLike(pattern))}
}

func (s *Server) leftPush(args []string) any {
	l := getOr(s, args[0], func() *list { return &list{} })
	for _, v := range args[1:] {
		*l = slices.Insert(*l, 0, v)
	}
	return int64(len(*l))
}

func (s *Server) removeFromList(args []string) any {
	l, there := get[*list](s, args[0])
	if !there {
		return int64(0)
	}
	n, most := int64(0), integer(args[1])
	if most < 0 {
		return syntax
	}
	*l = slices.DeleteFunc(*l, func(v string) bool {
		hit := v == args[2] && (most == 0 || n < most)
		n += flag(hit)
		return hit
	})
	if len(*l) == 0 {
		s.drop(args[0])
	}
	return n
}

// bounds turns the inclusive bounds of Redis, which may count from the end, into those of a slice.
func bounds(first, last string, n int) (from, to int) {
	at := func(s string) int {
		i := integer(s)
		if i < 0 {
			i += int64(n)
		}
		return int(max(min(i, int64(n)), -1))
	}
	from, to = max(at(first), 0), min(at(last)+1, n)
	if from >= to {
		return 0, 0
	}
	return from, to
}
