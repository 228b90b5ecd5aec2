package store

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/job"
)

const (
	expirePage = 200    // entries looked at in one read
	expireScan = 20_000 // entries looked at in one call of ExpireUnserved
)

// ExpireUnserved closes as missed, with the cause "no executor", the runs of an executor's stream
// that are beyond their grace and that nobody has fetched, and returns how many there were. It also
// closes as cancelled the runs of removed jobs. It is for executors that no node serves: elsewhere a
// run is judged when it is started. Other runs without a grace, and those that had an attempt, stay.
// It looks at the first 20,000 entries.
func (s *Store) ExpireUnserved(ctx context.Context, partition int, o Office, executor string) (int, error) {
	now, err := s.Now(ctx, partition)
	if err != nil {
		return 0, err
	}
	if err := s.EnsureGroup(ctx, partition, executor); err != nil {
		return 0, err
	}
	closed, from := 0, "-"
	for seen := 0; seen < expireScan; seen += expirePage {
		page, err := s.reader.XRangeN(ctx, s.partitions[partition].stream(executor), from, "+", expirePage).Result()
		if err != nil {
			return closed, s.explain("expire", err)
		}
		n, err := s.expirePage(ctx, partition, o, executor, page, now)
		closed += n
		if err != nil || len(page) < expirePage {
			return closed, err
		}
		from = "(" + page[len(page)-1].ID
	}
	return closed, nil
}

// expirePage closes what is beyond its grace in some entries.
func (s *Store) expirePage(ctx context.Context, partition int, o Office, executor string, page []redis.XMessage, now int64) (int, error) {
	k := s.partitions[partition]
	all := make([]unserved, 0, len(page))
	for _, entry := range page {
		if u, ok := readUnserved(entry); ok {
			all = append(all, u)
		}
	}
	removed, err := s.removedOf(ctx, k, all)
	if err != nil {
		return 0, err
	}
	all = slices.DeleteFunc(all, func(u unserved) bool { return !u.ends(now, removed) })
	closed := 0
	for from, to := range portions(len(all), func(i int) weight { return all[i].weight() }) {
		n, err := s.expireSome(ctx, k, o, executor, all[from:to])
		closed += n
		if err != nil {
			return closed, err
		}
	}
	return closed, nil
}

// expireSome closes what one call of the script takes.
func (s *Store) expireSome(ctx context.Context, k keys, o Office, executor string, some []unserved) (int, error) {
	keys := []string{k.events(), k.jobs(), k.fence(), k.stream(executor), k.removed()}
	args := []any{group}
	for _, u := range some {
		args = append(args, u.id, len(u.bodies))
		for i, m := range u.messages {
			keys = append(keys, k.history(m.JobID))
			args = append(args, u.bodies[i])
		}
	}
	t, err := s.office(ctx, expireScript, o, keys, args...)
	if err != nil {
		return 0, err
	}
	n, closed := numbers{}, 0
	for _, tag := range t {
		closed += int(n.read(tag))
	}
	return closed, n.err
}

// unserved is an entry that nobody has fetched.
type unserved struct {
	id       string
	bodies   []string
	messages []Message
}

// weight is what the entry costs the script.
func (u *unserved) weight() (w weight) {
	for i := range u.messages {
		w = w.add(weight{runs: len(u.messages[i].Runs), bytes: len(u.bodies[i])})
	}
	return w
}

// readUnserved reads an entry. A body that is no message, or that cannot be read, is left to the node that fetches
// it; ok is false when there is nothing else.
func readUnserved(entry redis.XMessage) (u unserved, ok bool) {
	u = unserved{id: entry.ID, bodies: bodies(entry)}
	for _, b := range u.bodies {
		m, err := DecodeMessage(b)
		if err != nil {
			m = Message{Grace: job.GraceNone} // the script leaves it as it is
		}
		ok = ok || err == nil
		u.messages = append(u.messages, m)
	}
	return u, ok
}

// ends reports whether a run of the entry is beyond its grace or its job is among the removed uids.
func (u unserved) ends(now int64, removed map[string]bool) bool {
	return slices.ContainsFunc(u.messages, func(m Message) bool {
		late := m.Grace >= 0 && m.Attempt == 1 && now-m.Runs[0].Due > graceMillis(m.Grace)
		return late || removed[m.UID]
	})
}

// removedOf returns which uids of the entries' jobs are those of removed jobs.
func (s *Store) removedOf(ctx context.Context, k keys, all []unserved) (map[string]bool, error) {
	removed := map[string]bool{}
	var uids []string
	for _, u := range all {
		for _, m := range u.messages {
			if _, seen := removed[m.UID]; m.UID != "" && !seen {
				removed[m.UID] = false
				uids = append(uids, m.UID)
			}
		}
	}
	if len(uids) == 0 {
		return removed, nil
	}
	scores, err := s.reader.ZMScore(ctx, k.removed(), uids...).Result()
	if err != nil {
		return nil, s.explain("expire", err)
	}
	for i, at := range scores {
		removed[uids[i]] = at > 0
	}
	return removed, nil
}
