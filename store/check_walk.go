package store

import (
	"context"
	"strings"
)

// walkFields goes through the fields of a hash.
func (c *checker) walkFields(key string) func(context.Context, func([]string) error) error {
	return func(ctx context.Context, see func([]string) error) error {
		return c.eachFields(ctx, key, func(pairs []string) error {
			fields := make([]string, 0, len(pairs)/2)
			for i := 0; i+1 < len(pairs); i += 2 {
				fields = append(fields, pairs[i])
			}
			return see(fields)
		})
	}
}

// eachFields goes through a hash: fields and values in turn.
func (c *checker) eachFields(ctx context.Context, key string, see func(pairs []string) error) error {
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		pairs, next, err := c.reader.HScan(ctx, key, cursor, "", page).Result()
		if err != nil {
			return err
		}
		cursor = next
		if err := see(pairs); err != nil {
			return err
		}
	}
	return nil
}

// walkScores goes through the members of a sorted set.
func (c *checker) walkScores(key string) func(context.Context, func([]string) error) error {
	return func(ctx context.Context, see func([]string) error) error {
		for from := int64(0); ; from += page {
			members, err := c.reader.ZRange(ctx, key, from, from+page-1).Result()
			if err != nil || len(members) == 0 {
				return err
			}
			if err := see(members); err != nil {
				return err
			}
		}
	}
}

// walkNames goes through the keys of the partition that begin with a name, without that beginning.
func (c *checker) walkNames(ctx context.Context, beginning string, see func([]string) error) error {
	server, err := c.serverOf(ctx, c.keys)
	if err != nil {
		return err
	}
	beginning = c.keys.prefix + beginning
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		found, next, err := server.Scan(ctx, cursor, beginning+"*", 1000).Result()
		if err != nil {
			return err
		}
		cursor = next
		for i, key := range found {
			found[i] = strings.TrimPrefix(key, beginning)
		}
		if err := see(found); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) walkJobs(ctx context.Context, see func([]string) error) error {
	return c.walkFields(c.keys.jobs())(ctx, see)
}

// walkSlots goes through the slots whose counter seems to differ from the runs that hold them.
func (c *checker) walkSlots(ctx context.Context, see func([]string) error) error {
	return c.eachSuspect(ctx, c.keys, see)
}

// walkLines goes through the slots that have a line, or the messages of one.
func (c *checker) walkLines(ctx context.Context, see func([]string) error) error {
	for _, beginning := range []string{c.keys.waiting(""), c.keys.waitingRuns("")} {
		if err := c.walkNames(ctx, beginning[len(c.keys.prefix):], see); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) walkStreams(ctx context.Context, see func([]string) error) error {
	return c.walkNames(ctx, c.keys.stream("")[len(c.keys.prefix):], see)
}

func (c *checker) walkKeys(ctx context.Context, see func([]string) error) error {
	return c.walkNames(ctx, "", see)
}

// walkEntries goes through the entries of every stream that its group has handed out, as
// "executor id". What has not been read yet cannot be stranded.
func (c *checker) walkEntries(ctx context.Context, see func([]string) error) error {
	return c.walkStreams(ctx, func(executors []string) error {
		for _, e := range executors {
			last, ok, err := c.lastDelivered(ctx, e)
			if err != nil {
				return err
			}
			for from := "-"; ok; {
				entries, err := c.reader.XRangeN(ctx, c.keys.stream(e), from, last, page).Result()
				if err != nil {
					return err
				}
				if len(entries) == 0 {
					break
				}
				subjects := make([]string, len(entries))
				for i, entry := range entries {
					subjects[i] = e + " " + entry.ID
				}
				if err := see(subjects); err != nil {
					return err
				}
				from = "(" + entries[len(entries)-1].ID
			}
		}
		return nil
	})
}

// lastDelivered is the id up to which the group of a stream has read; ok is false without a group.
func (c *checker) lastDelivered(ctx context.Context, executor string) (id string, ok bool, err error) {
	groups, err := c.reader.XInfoGroups(ctx, c.keys.stream(executor)).Result()
	if err != nil {
		if strings.Contains(err.Error(), "no such key") {
			return "", false, nil
		}
		return "", false, err
	}
	for _, g := range groups {
		if g.Name == group {
			return g.LastDeliveredID, true, nil
		}
	}
	return "", false, nil
}
