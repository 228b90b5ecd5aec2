package store

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Fields of housekeeping beside forgetField.
const (
	choresField = "chores" // when the last chores were begun, Unix ms of Redis
	tidiedField = "tidied" // the cursor of Tidy
)

// Chores is how far the housekeeping of a partition has come, whichever leader did it.
type Chores struct {
	Now        int64  // Unix ms of Redis
	Last       int64  // when the chores of a minute were begun last; 0 = never
	Tidied     uint64 // the cursor for Tidy
	Removed    int64  // how many uids of removed jobs are kept
	Forgetting bool   // a pass of Forgetting has begun and not ended
	Remains    bool   // removed_dead or old_slots has something, which a pass of Forgetting looks through
}

// Chores reads how far the housekeeping of a partition has come. Fields that cannot be read count as absent.
func (s *Store) Chores(ctx context.Context, partition int) (Chores, error) {
	k := s.partitions[partition]
	var fields *redis.SliceCmd
	var removed, remains *redis.IntCmd
	var now *redis.TimeCmd
	_, err := s.reader.Pipelined(ctx, func(p redis.Pipeliner) error {
		fields = p.HMGet(ctx, k.housekeeping(), choresField, tidiedField, forgetField)
		removed, remains = p.ZCard(ctx, k.removed()), p.Exists(ctx, k.removedDead(), k.oldSlots())
		now = p.Time(ctx)
		return nil
	})
	if err != nil {
		return Chores{}, s.explain("chores", err)
	}
	c := Chores{Now: now.Val().UnixMilli(), Removed: removed.Val(), Remains: remains.Val() > 0}
	v := fields.Val()
	n := numbers{}
	if c.Last = n.orZero(text(v[0])); n.err != nil {
		c.Last = 0
	}
	if cursor, err := strconv.ParseUint(text(v[1]), 10, 64); err == nil {
		c.Tidied = cursor
	}
	c.Forgetting = underWay(text(v[2]))
	return c, nil
}

// NoteChores stores for this and later leaders when chores were begun, and the cursor of Tidy.
func (s *Store) NoteChores(ctx context.Context, partition int, o Office, began int64, tidied uint64) error {
	k := s.partitions[partition]
	_, err := s.office(ctx, keepScript, o, []string{k.events(), k.jobs(), k.fence(), k.housekeeping()},
		choresField, began, tidiedField, strconv.FormatUint(tidied, 10))
	return err
}
