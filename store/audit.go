package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	auditSlots  = 500  // slots that Audit looks at closely at most; the others are left to the next
	auditGroup  = 100  // slots of one call
	auditRuns   = 5000 // runs of one call: a slot that more hold is not judged
	auditRounds = 3    // looks at a slot that is too busy to be judged
)

// Audit compares the slot counters of a partition with what runs and mends those that differ. It
// returns what it mended, which must always be nothing. It reads page by page, and looks closely at what
// seems to differ: on a busy store most of that has only moved meanwhile.
func (s *Store) Audit(ctx context.Context, partition int, o Office) (mended []string, err error) {
	k := s.partitions[partition]
	var suspects []string
	err = s.eachSuspect(ctx, k, func(slots []string) error {
		suspects = append(suspects, slots[:min(len(slots), auditSlots-len(suspects))]...)
		return nil
	})
	if err != nil {
		return nil, s.explain("audit", err)
	}
	fixed := []string{k.events(), k.jobs(), k.fence(), k.running()}
	for range auditRounds {
		var busy []string
		err := s.eachGroup(ctx, k, suspects, func(keys, slots []string, args []any) error {
			t, err := s.office(ctx, auditScript, o, append(slices.Clone(fixed), keys...), args...)
			if err == nil && len(t) > 0 && t[0] == "BUSY" {
				busy = append(busy, slots...)
				return nil
			}
			for i := 1; i+2 < len(t); i += 3 {
				mended = append(mended, fmt.Sprintf("slot %s: counter %s, running %s", t[i], t[i+1], t[i+2]))
			}
			return err
		})
		if err != nil || len(busy) == 0 {
			return mended, err
		}
		suspects = busy
	}
	s.log.Debug("slots were too busy to be audited", "partition", partition, "count", len(suspects))
	return mended, nil
}

// slotOf is the slot that a value of running says its run holds; "" if it holds none or cannot be read. It
// reads what the script part holders reads.
func slotOf(value string) string {
	const slot, fields = 3, 5
	f := strings.SplitN(value, "\t", fields)
	if len(f) < fields || !digits(f[1]) || !digits(f[2]) {
		return ""
	}
	return f[slot]
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// eachSuspect walks through the counters and the runs that hold slots, and calls see with slots for which they
// seemed to differ. They may have been read at different moments.
func (s *Store) eachSuspect(ctx context.Context, k keys, see func(slots []string) error) error {
	holds := map[string]int{}
	if err := s.eachHolder(ctx, k, func(_, slot string) { holds[slot]++ }); err != nil {
		return err
	}
	server, err := s.serverOf(ctx, k)
	if err != nil {
		return err
	}
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		var found []string
		if found, cursor, err = server.Scan(ctx, cursor, k.slot("*"), 1000).Result(); err != nil {
			return err
		}
		if len(found) == 0 {
			continue
		}
		counters, err := s.reader.MGet(ctx, found...).Result()
		if err != nil {
			return err
		}
		var differ []string
		for i, key := range found {
			slot := strings.TrimPrefix(key, k.slot(""))
			if text(counters[i]) != fmt.Sprint(holds[slot]) {
				differ = append(differ, slot)
			}
			delete(holds, slot)
		}
		if err := see(differ); err != nil {
			return err
		}
	}
	for slots := range slices.Chunk(slices.Collect(maps.Keys(holds)), page) {
		if err := see(slots); err != nil {
			return err
		}
	}
	return nil
}

// eachHolder walks through the runs that hold slots.
func (s *Store) eachHolder(ctx context.Context, k keys, see func(run, slot string)) error {
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		pairs, next, err := s.reader.HScan(ctx, k.running(), cursor, "", page).Result()
		if err != nil {
			return err
		}
		cursor = next
		for i := 0; i+1 < len(pairs); i += 2 {
			if slot := slotOf(pairs[i+1]); slot != "" {
				see(pairs[i], slot)
			}
		}
	}
	return nil
}

// eachGroup reads which runs hold the given slots and calls judge with a group of them: keys of their counters,
// their names, and the arguments that audit and tally take.
func (s *Store) eachGroup(ctx context.Context, k keys, slots []string, judge func(keys, slots []string, args []any) error) error {
	if len(slots) == 0 {
		return nil
	}
	last, err := s.reader.XRevRangeN(ctx, k.events(), "+", "-", 1).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return s.explain("slots", err)
	}
	since := ""
	if len(last) > 0 {
		since = last[0].ID
	}
	runs := make(map[string][]string, len(slots))
	for _, slot := range slots {
		runs[slot] = nil
	}
	err = s.eachHolder(ctx, k, func(run, slot string) {
		if held, asked := runs[slot]; asked && len(held) <= auditRuns {
			runs[slot] = append(held, run)
		}
	})
	if err != nil {
		return s.explain("slots", err)
	}
	var group, ids []string
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		keys := make([]string, len(group))
		for i, slot := range group {
			keys[i] = k.slot(slot)
		}
		err := judge(keys, group, anys(since, group, ids))
		group, ids = nil, nil
		return err
	}
	for slot, held := range runs {
		if len(held) > auditRuns {
			s.log.Debug("slot has too many runs to be compared with its counter", "slot", slot)
			continue
		}
		if len(group) == auditGroup || len(ids)+len(held) > auditRuns {
			if err := flush(); err != nil {
				return err
			}
		}
		group, ids = append(group, slot), append(ids, held...)
	}
	return flush()
}
