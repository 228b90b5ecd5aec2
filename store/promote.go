package store

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// PromoteDelayed moves up to limit runs whose delay has passed to their streams, and returns how many there were.
// What no node can read goes to the dead runs; runs of a newer format stay, and stand in nobody's way.
func (s *Store) PromoteDelayed(ctx context.Context, partition int, o Office, now int64, limit int) (int, error) {
	sent := 0
	err := s.eachDue(ctx, s.partitions[partition].delayed(), now, limit, func(ids []string) (stayed int, more bool, err error) {
		for some := range slices.Chunk(ids, promotePage) {
			n, left, err := s.promoteSome(ctx, partition, o, some)
			sent, stayed = sent+n, stayed+left
			if err != nil {
				return stayed, false, err
			}
		}
		return stayed, sent < limit, nil
	})
	return sent, err
}

// promotePage is how many delayed runs are read at once.
const promotePage = 100

// delayedPool are the delayed runs.
func (k keys) delayedPool() pool {
	return pool{name: "delayed", set: k.delayed(), texts: k.delayedRuns()}
}

// promoteSome is PromoteDelayed of some runs; stayed is how many may still be there.
func (s *Store) promoteSome(ctx context.Context, partition int, o Office, ids []string) (sent, stayed int, err error) {
	k := s.partitions[partition]
	bodies, err := s.reader.HMGet(ctx, k.delayedRuns(), ids...).Result()
	if err != nil {
		return 0, 0, s.explain("delayed", err)
	}
	var known []string
	var readable []Message // of known
	var bad []poisoned
	for i, b := range bodies {
		p, newer := judgeText(ids[i], b, decodesMessage)
		if newer {
			stayed++
			s.warnOnce("a delayed run of a newer format waits for a newer node", k.delayedRuns(), ids[i], "run", ids[i])
		}
		if p != nil {
			bad = append(bad, *p)
		}
		if newer || p != nil {
			continue
		}
		m, err := DecodeMessage(text(b))
		if err != nil {
			return 0, 0, err
		}
		known, readable = append(known, ids[i]), append(readable, m)
	}
	if aside, err := s.layAside(ctx, k, o, k.delayedPool(), bad); err != nil {
		return 0, 0, err
	} else {
		stayed += len(bad) - aside
	}
	for from, to := range portions(len(known), func(i int) weight { return readable[i].weight() }) {
		n, err := s.promotePart(ctx, k, o, known[from:to], readable[from:to])
		sent += n
		if err != nil {
			return sent, stayed, err
		}
	}
	return sent, stayed + len(known) - sent, nil
}

// promotePart carries out what one call of the script takes.
func (s *Store) promotePart(ctx context.Context, k keys, o Office, ids []string, messages []Message) (sent int, err error) {
	keys := []string{k.events(), k.jobs(), k.fence(), k.delayed(), k.delayedRuns(), k.removed()}
	var args []any
	for i, m := range messages {
		keys = append(keys, k.stream(m.Executor), k.history(m.JobID))
		args = append(args, ids[i])
	}
	t, err := s.office(ctx, promoteScript, o, keys, args...)
	for _, tag := range t {
		if tag == "SENT" || tag == "REMOVED" {
			sent++
		}
	}
	return sent, err
}

// eachDue hands see the members of a sorted set of runs that are due, in pages, until it says that there is
// enough. see returns how many of a page are still there.
func (s *Store) eachDue(ctx context.Context, key string, now int64, limit int, see func(ids []string) (stayed int, more bool, err error)) error {
	for from := int64(0); ; {
		found, err := s.reader.ZRangeWithScores(ctx, key, from, from+int64(limit)-1).Result()
		if err != nil {
			return s.explain("due members", err)
		}
		ids := dueOf(found, now)
		if len(ids) == 0 {
			return nil
		}
		stayed, more, err := see(ids)
		if err != nil || !more || len(ids) < limit {
			return err
		}
		from += int64(stayed)
	}
}

// dueOf are the first members, whose scores are not above now.
func dueOf(found []redis.Z, now int64) []string {
	var ids []string
	for _, z := range found {
		if z.Score > float64(now) {
			break
		}
		ids = append(ids, text(z.Member))
	}
	return ids
}
