package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

const (
	expirePage = 200    // entries looked at in one read
	expireScan = 20_000 // entries looked at in one call of ExpireUnserved
)

// ExpireUnserved closes as missed, with the cause "no executor", the runs of an executor's stream
// that are beyond their grace and that nobody has fetched, and returns how many there were. It is
// for executors that no node serves: elsewhere a run is judged when it is started. Runs without a
// grace, and those that had an attempt, stay. It looks at the first 20,000 entries.
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
	keys := []string{k.events(), k.jobs(), k.fence(), k.stream(executor)}
	args := []any{group}
	for _, entry := range page {
		messages := bodies(entry)
		histories, late := lateness(k, messages, now)
		if !late {
			continue
		}
		keys = append(keys, histories...)
		args = append(args, entry.ID, len(messages))
		for _, b := range messages {
			args = append(args, b)
		}
	}
	if len(args) == 1 {
		return 0, nil
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

// lateness returns the history of each message, and whether a run of any is beyond its grace. An
// entry with something else in it, or that cannot be read, is left to whoever fetches it.
func lateness(k keys, messages []string, now int64) (histories []string, late bool) {
	for _, b := range messages {
		m, err := DecodeMessage(b)
		if err != nil || len(m.Runs) == 0 {
			return nil, false
		}
		histories = append(histories, k.history(m.JobID))
		if m.Grace >= 0 && m.Attempt == 1 && now-m.Runs[0].Due > graceMillis(m.Grace) {
			late = true
		}
	}
	return histories, late
}
