package memory

import (
	"maps"
	"slices"
	"strconv"
)

type (
	hash map[string]string
	set  map[string]bool
)

var hashCommands = map[string]command{
	"HSET": {3, func(s *Server, args []string) any {
		h, n := getOr(s, args[0], func() hash { return hash{} }), int64(0)
		for i := 1; i+1 < len(args); i += 2 {
			_, had := h[args[i]]
			n += flag(!had)
			h[args[i]] = args[i+1]
		}
		return n
	}},
	"HGET": {2, func(s *Server, args []string) any {
		h, _ := get[hash](s, args[0])
		return field(h, args[1])
	}},
	"HMGET": {2, func(s *Server, args []string) any {
		h, _ := get[hash](s, args[0])
		all := make([]any, len(args)-1)
		for i, name := range args[1:] {
			all[i] = field(h, name)
		}
		return all
	}},
	"HDEL": {2, func(s *Server, args []string) any {
		h, _ := get[hash](s, args[0])
		return s.removeFrom(args[0], len(h), args[1:], func(name string) bool {
			_, had := h[name]
			delete(h, name)
			return had
		})
	}},
	"HSTRLEN": {2, func(s *Server, args []string) any {
		h, _ := get[hash](s, args[0])
		return int64(len(h[args[1]]))
	}},
	"HEXISTS": {2, func(s *Server, args []string) any {
		h, _ := get[hash](s, args[0])
		_, had := h[args[1]]
		return flag(had)
	}},
	"HLEN": {1, func(s *Server, args []string) any {
		h, _ := get[hash](s, args[0])
		return int64(len(h))
	}},
	"HKEYS": {1, func(s *Server, args []string) any {
		h, _ := get[hash](s, args[0])
		return texts(slices.Sorted(maps.Keys(h)))
	}},
	"HVALS": {1, func(s *Server, args []string) any {
		h, _ := get[hash](s, args[0])
		all := []any{}
		for _, name := range slices.Sorted(maps.Keys(h)) {
			all = append(all, h[name])
		}
		return all
	}},
	"HGETALL": {1, func(s *Server, args []string) any { return s.fields(args[0]) }},
	"HSCAN": {2, func(s *Server, args []string) any {
		return []any{"0", s.fields(args[0])}
	}},
	"HINCRBY": {3, func(s *Server, args []string) any {
		h, n := getOr(s, args[0], func() hash { return hash{} }), integer(args[2])
		if v, had := h[args[1]]; had {
			n += integer(v)
		}
		h[args[1]] = strconv.FormatInt(n, 10)
		return n
	}},
}

var setCommands = map[string]command{
	"SADD": {2, func(s *Server, args []string) any {
		members, n := getOr(s, args[0], func() set { return set{} }), int64(0)
		for _, m := range args[1:] {
			n += flag(!members[m])
			members[m] = true
		}
		return n
	}},
	"SREM": {2, func(s *Server, args []string) any {
		members, _ := get[set](s, args[0])
		return s.removeFrom(args[0], len(members), args[1:], func(m string) bool {
			had := members[m]
			delete(members, m)
			return had
		})
	}},
	"SCARD": {1, func(s *Server, args []string) any {
		members, _ := get[set](s, args[0])
		return int64(len(members))
	}},
	"SMEMBERS": {1, func(s *Server, args []string) any {
		members, _ := get[set](s, args[0])
		return texts(slices.Sorted(maps.Keys(members)))
	}},
	"SISMEMBER": {2, func(s *Server, args []string) any {
		members, _ := get[set](s, args[0])
		return flag(members[args[1]])
	}},
}

func field(h hash, name string) any {
	if v, had := h[name]; had {
		return v
	}
	return nil
}

func (s *Server) fields(key string) []any {
	h, _ := get[hash](s, key)
	all := []any{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		all = append(all, name, h[name])
	}
	return all
}

// removeFrom removes members of a value that has so many, and drops the key with its last.
func (s *Server) removeFrom(key string, members int, names []string, remove func(string) bool) int64 {
	n := int64(0)
	for _, name := range names {
		n += flag(remove(name))
	}
	if members > 0 && n == int64(members) {
		s.drop(key)
	}
	return n
}
