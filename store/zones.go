package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Fields of meta: the version of the zone rules by which the leader finds next times, the term of the last
// leader that said so, and, while jobs that were stored by other rules may have times of those, their version.
const (
	zonesField       = "zones"
	zonesBeforeField = "zones_before"
)

// ZoneRules returns the version of the zone rules by which the leaders of a partition find next times, "" if
// none has said so.
func (s *Store) ZoneRules(ctx context.Context, partition int) (string, error) {
	return s.metaField(ctx, partition, zonesField)
}

// ZonesBefore returns the version of the zone rules that jobs of a partition may still have times of, "" when
// all follow ZoneRules. It is "unknown" where no leader had said which they were.
func (s *Store) ZonesBefore(ctx context.Context, partition int) (string, error) {
	return s.metaField(ctx, partition, zonesBeforeField)
}

func (s *Store) metaField(ctx context.Context, partition int, field string) (string, error) {
	value, err := s.reader.HGet(ctx, s.partitions[partition].meta(), field).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return value, s.explain("zone rules", err)
}

// JobsFrom returns about limit jobs of a partition from cursor on, which is 0 at the beginning and, in the
// reply, at the end. Jobs that are stored all the while are returned at least once; those that cannot be read
// are left out, and newer says that one has a newer format.
func (s *Store) JobsFrom(ctx context.Context, partition int, cursor uint64, limit int64) (entries []Entry, next uint64, newer bool, err error) {
	k := s.partitions[partition]
	fields, next, err := s.reader.HScan(ctx, k.jobs(), cursor, "", limit).Result()
	if err != nil {
		return nil, 0, false, s.explain("jobs", err)
	}
	var ids []string
	for i := 0; i+1 < len(fields); i += 2 {
		e, err := decodeEntry(fields[i], fields[i+1])
		newer = newer || errors.Is(err, ErrNewerFormat)
		if err == nil {
			entries, ids = append(entries, e), append(ids, fields[i])
		}
	}
	if len(ids) == 0 {
		return nil, next, newer, nil
	}
	scores, err := s.reader.ZMScore(ctx, k.runTimes(), ids...).Result()
	if err != nil {
		return nil, 0, false, s.explain("jobs", err)
	}
	for i := range entries {
		entries[i].RunTime = int64(scores[i])
	}
	return entries, next, newer, nil
}

// FollowZones gives jobs of one partition the times that other zone rules give them, and reports whether each
// had stayed as it was read; those that had not must be read again. With last, and when all had, it also
// notes that every job follows these rules. cause is that of the events.
func (s *Store) FollowZones(ctx context.Context, partition int, o Office, cause string, last bool, jobs []Follow) (whole bool, err error) {
	k := s.partitions[partition]
	whole = true
	for first := true; first || len(jobs) > 0; first = false {
		some := jobs[:min(len(jobs), MaxDispatch)]
		jobs = jobs[len(some):]
		flag := "0"
		if last && whole && len(jobs) == 0 {
			flag = "1"
		}
		args := []any{clean(cause), flag}
		for _, f := range some {
			args = append(args, f.Old.Job.ID, f.Old.Header.Encode(), f.Old.RunTime, f.Next.Encode(), f.RunTime)
		}
		t, err := s.office(ctx, rezoneScript, o, []string{k.events(), k.jobs(), k.fence(), k.runTimes(), k.meta()}, args...)
		if err != nil {
			return false, err
		}
		if len(t) == 0 || t[0] != "OK" {
			return false, fmt.Errorf("store %s: follow zones: unexpected answer %q", s.cfg.Name, t)
		}
		whole = whole && !slices.Contains(t[1:], "STALE")
	}
	return whole, nil
}
