package memory

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// zset is a sorted set: the scores by member, and the members in order, made when it is asked for.
type zset struct {
	scores map[string]float64
	order  []string // nil when a change has made it wrong
}

var sortedCommands = map[string]command{
	"ZADD": {3, (*Server).zadd},
	"ZREM": {2, func(s *Server, args []string) any {
		z := s.sorted(args[0])
		z.order = nil
		return s.removeFrom(args[0], len(z.scores), args[1:], func(m string) bool {
			_, had := z.scores[m]
			delete(z.scores, m)
			return had
		})
	}},
	"ZSCORE": {2, func(s *Server, args []string) any { return s.sorted(args[0]).score(args[1]) }},
	"ZMSCORE": {2, func(s *Server, args []string) any {
		z, all := s.sorted(args[0]), make([]any, len(args)-1)
		for i, m := range args[1:] {
			all[i] = z.score(m)
		}
		return all
	}},
	"ZCARD": {1, func(s *Server, args []string) any { return int64(len(s.sorted(args[0]).scores)) }},
	"ZRANGE": {3, func(s *Server, args []string) any {
		z := s.sorted(args[0])
		from, to := bounds(args[1], args[2], len(z.scores))
		return z.list(z.ordered()[from:to], len(args) > 3 && strings.EqualFold(args[3], "WITHSCORES"))
	}},
	"ZRANGEBYSCORE": {3, (*Server).rangeByScore},
	"ZCOUNT": {3, func(s *Server, args []string) any {
		return int64(len(s.sorted(args[0]).between(args[1], args[2])))
	}},
}

// sorted returns the sorted set under a key, an empty one that is not stored when there is none.
func (s *Server) sorted(key string) *zset {
	z, there := get[*zset](s, key)
	if !there {
		return &zset{}
	}
	return z
}

func (s *Server) zadd(args []string) any {
	key, rest, how := args[0], args[1:], map[string]bool{}
	for ; slices.Contains([]string{"XX", "NX", "GT", "LT"}, strings.ToUpper(rest[0])); rest = rest[1:] {
		how[strings.ToUpper(rest[0])] = true
	}
	if len(rest)%2 != 0 {
		return syntax
	}
	z := s.sorted(key)
	if z.scores == nil {
		z.scores = map[string]float64{}
	}
	added := int64(0)
	for i := 0; i < len(rest); i += 2 {
		score, err := strconv.ParseFloat(rest[i], 64)
		if err != nil {
			return fault("ERR value is not a valid float")
		}
		old, had := z.scores[rest[i+1]]
		if (how["XX"] && !had) || (how["NX"] && had) || (had && how["GT"] && score <= old) || (had && how["LT"] && score >= old) {
			continue
		}
		added += flag(!had)
		z.scores[rest[i+1]] = score
	}
	z.order = nil
	if len(z.scores) > 0 {
		s.values[key] = z
	}
	return added
}

func (s *Server) rangeByScore(args []string) any {
	z := s.sorted(args[0])
	found, scores := z.between(args[1], args[2]), false
	for rest := args[3:]; len(rest) > 0; {
		switch strings.ToUpper(rest[0]) {
		case "WITHSCORES":
			scores, rest = true, rest[1:]
		case "LIMIT":
			if len(rest) < 3 {
				return syntax
			}
			from, count := min(integer(rest[1]), int64(len(found))), integer(rest[2])
			found = found[from:]
			if count >= 0 {
				found = found[:min(count, int64(len(found)))]
			}
			rest = rest[3:]
		default:
			return syntax
		}
	}
	return z.list(found, scores)
}

// ordered returns the members by score, then by name.
func (z *zset) ordered() []string {
	if z.order == nil {
		z.order = make([]string, 0, len(z.scores))
		for m := range z.scores {
			z.order = append(z.order, m)
		}
		slices.SortFunc(z.order, func(a, b string) int {
			return cmp.Or(cmp.Compare(z.scores[a], z.scores[b]), strings.Compare(a, b))
		})
	}
	return z.order
}

// between returns the members with a score from low to high, in order.
func (z *zset) between(low, high string) []string {
	least, open := limit(low)
	most, openAbove := limit(high)
	var found []string
	for _, m := range z.ordered() {
		score := z.scores[m]
		if score < least || (open && score == least) {
			continue
		}
		if score > most || (openAbove && score == most) {
			break
		}
		found = append(found, m)
	}
	return found
}

// limit reads a bound of a range of scores, which a parenthesis makes exclusive.
func limit(s string) (score float64, open bool) {
	s, open = strings.CutPrefix(s, "(")
	score, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fault("ERR min or max is not a float"))
	}
	return score, open
}

func (z *zset) score(member string) any {
	if score, had := z.scores[member]; had {
		return number(score)
	}
	return nil
}

func (z *zset) list(members []string, scores bool) []any {
	all := []any{}
	for _, m := range members {
		all = append(all, m)
		if scores {
			all = append(all, number(z.scores[m]))
		}
	}
	return all
}

// number prints a float as Redis does.
func number(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	if math.IsInf(f, 0) {
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
	}
	return strconv.FormatFloat(f, 'g', 17, 64)
}
