package store

import (
	"context"
	"math"
	"strings"

	"github.com/redis/go-redis/v9"
)

// keyTypes are the types of the keys, by their names or by what begins them, up to the colon.
var keyTypes = map[string]string{
	"meta": "hash", "registry": "hash", "jobs": "hash", "calendars": "hash", "calendar_jobs": "hash", "run_times": "zset",
	"running": "hash", "leases": "zset", "waiting": "set", "delayed": "zset", "delayed_runs": "hash", "fence": "hash",
	"paused": "string", "paused_executors": "hash", "removed": "zset", "dead": "list", "events": "stream",
	"stream:": "stream", "slots:": "string", "waiting:": "zset", "waiting_runs:": "hash", "op:": "string",
	"history:": "list", "past:": "hash", "log:": "stream",
}

// probeTypes looks for keys that another program has given another type.
func (c *checker) probeTypes(ctx context.Context, names []string) ([]Finding, error) {
	types := make([]*redis.StatusCmd, len(names))
	err := c.together(ctx, func(p redis.Pipeliner) {
		for i, name := range names {
			types[i] = p.Type(ctx, c.keys.prefix+name)
		}
	})
	if err != nil {
		return nil, err
	}
	var found []Finding
	for i, name := range names {
		kind, _, more := strings.Cut(name, ":")
		if more {
			kind += ":"
		}
		is, want := types[i].Val(), keyTypes[kind]
		if want == "" || is == want || is == "none" || is == "" {
			continue
		}
		found = append(found, c.finding(WrongType, c.keys.prefix+name, name, "it is a "+is+" and should be a "+want+": nothing that it holds is used",
			"see who wrote it; then "+redisCommand("DEL", c.keys.prefix+name)))
	}
	return found, nil
}

// probeScores looks for scores that are no time in whole milliseconds.
func (c *checker) probeScores(key, remedy string) func(context.Context, []string) ([]Finding, error) {
	return func(ctx context.Context, ids []string) ([]Finding, error) {
		scores := make([]*redis.FloatCmd, len(ids))
		err := c.together(ctx, func(p redis.Pipeliner) {
			for i, id := range ids {
				scores[i] = p.ZScore(ctx, key, id)
			}
		})
		if err != nil {
			return nil, err
		}
		var found []Finding
		for i, id := range ids {
			at := scores[i].Val()
			if scores[i].Err() != nil || float64(moment(at)) == at && math.Abs(at) < lastMoment {
				continue
			}
			does := remedy
			if does == "" {
				does = "have it looked at now: " + redisCommand("ZADD", key, "XX", "0", id)
			}
			found = append(found, c.finding(StrangeScore, key, id, "its score "+printed(at)+" is no time: it is due at once, or never", does))
		}
		return found, nil
	}
}

// one is a walk with a single subject.
func one(subject string) func(context.Context, func([]string) error) error {
	return func(_ context.Context, see func([]string) error) error { return see([]string{subject}) }
}

// probeNumbers looks at the numbers that a partition has once, and at the times of its pauses.
func (c *checker) probeNumbers(ctx context.Context, _ []string) ([]Finding, error) {
	var calendars, fence *redis.SliceCmd
	var paused *redis.StringCmd
	var executors *redis.MapStringStringCmd
	err := c.together(ctx, func(p redis.Pipeliner) {
		calendars = p.HMGet(ctx, c.keys.calendars(), "version", "applied")
		fence = p.HMGet(ctx, c.keys.fence(), "term", "seq")
		paused, executors = p.Get(ctx, c.keys.paused()), p.HGetAll(ctx, c.keys.pausedExecutors())
	})
	if err != nil {
		return nil, err
	}
	var found []Finding
	note := func(key, subject, value, remedy string) {
		found = append(found, c.finding(UnreadableNumber, key, subject, "it is "+clean(value)[:min(len(clean(value)), 60)], remedy))
	}
	number := func(key, field string, values []any, i int, remedy string) {
		if n := (numbers{}); i < len(values) && values[i] != nil {
			if v := n.read(text(values[i])); n.err != nil || v < 0 || v >= 1<<53 {
				note(key, field, text(values[i]), remedy)
			}
		}
	}
	number(c.keys.calendars(), "version", calendars.Val(), 0, "the leader sets it anew when it looks next")
	number(c.keys.calendars(), "applied", calendars.Val(), 1, redisCommand("HDEL", c.keys.calendars(), "applied"))
	number(c.keys.fence(), "term", fence.Val(), 0, "when no leader is in office: "+redisCommand("HDEL", c.keys.fence(), "term"))
	number(c.keys.fence(), "seq", fence.Val(), 1, "the leader sets it anew when it looks next")
	if _, err := decodePause(paused.Val()); paused.Err() == nil && err != nil {
		note(c.keys.paused(), "paused", paused.Val(), "carillon cluster resume, and pause again if need be")
	}
	for name, value := range executors.Val() {
		if _, err := decodePause(value); err != nil {
			note(c.keys.pausedExecutors(), name, value, "carillon executor resume "+name+", and pause again if need be")
		}
	}
	return found, nil
}
