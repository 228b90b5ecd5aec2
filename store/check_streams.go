package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// probeStreams looks for streams that nobody could read.
func (c *checker) probeStreams(ctx context.Context, executors []string) ([]Finding, error) {
	known, err := c.Registry(ctx)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, e := range executors {
		_, grouped, err := c.lastDelivered(ctx, e)
		if err != nil {
			return nil, err
		}
		n, err := c.reader.XLen(ctx, c.keys.stream(e)).Result()
		if err != nil {
			return nil, err
		}
		key := c.keys.stream(e)
		if !grouped && n > 0 {
			found = append(found, c.finding(StreamWithoutGroup, key, e, fmt.Sprintf("%d entries, and no consumer group", n),
				"a node that serves the executor makes it; or "+redisCommand("XGROUP", "CREATE", key, group, "0")))
		}
		if n > 0 && !slices.Contains(known.Executors, e) {
			found = append(found, c.finding(StreamNotRegistered, key, e, fmt.Sprintf("%d entries for an executor that no node ever served", n),
				"start a node with --executor "+e+"=N"))
		}
	}
	return found, nil
}

// probeEntries looks for entries that were handed out, are pending for nobody and are still there:
// they would never be handed out again. Subjects are "executor id".
func (c *checker) probeEntries(ctx context.Context, subjects []string) ([]Finding, error) {
	entries, pending, err := c.handedOut(ctx, subjects)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for i, subject := range subjects {
		if len(entries[i].Val()) == 0 || pending[i].Err() != nil {
			continue
		}
		e, _, _ := strings.Cut(subject, " ")
		key := c.keys.stream(e)
		if len(pending[i].Val()) == 0 {
			found = append(found, c.finding(StrandedEntry, key, subject, "it was handed out, nobody has it pending, and it is still there: it never comes again",
				"hand out the whole stream again, which is safe: "+redisCommand("XGROUP", "SETID", key, group, "0")))
		}
		if err := readable(entries[i].Val()[0]); err != nil {
			found = append(found, c.finding(UnreadableMessage, key, subject, err.Error(),
				"look at it with "+redisCommand("XRANGE", key, entries[i].Val()[0].ID, entries[i].Val()[0].ID)+", then XACK and XDEL it"))
		}
	}
	return found, nil
}

// handedOut reads entries and who has them pending, of subjects as "executor id".
func (c *checker) handedOut(ctx context.Context, subjects []string) (entries []*redis.XMessageSliceCmd, pending []*redis.XPendingExtCmd, err error) {
	err = c.together(ctx, func(p redis.Pipeliner) {
		for _, subject := range subjects {
			e, id, _ := strings.Cut(subject, " ")
			entries = append(entries, p.XRangeN(ctx, c.keys.stream(e), id, id, 1))
			pending = append(pending, p.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: c.keys.stream(e), Group: group, Start: id, End: id, Count: 1}))
		}
	})
	return entries, pending, err
}

// readable reports what is wrong with an entry; one of a newer format is not wrong.
func readable(entry redis.XMessage) error {
	all := bodies(entry)
	if len(all) == 0 {
		return fmt.Errorf("store: message: %w: the entry has no message", ErrUnreadable)
	}
	for _, body := range all {
		if strings.HasPrefix(body, nudgeMark) {
			continue
		}
		if _, err := DecodeMessage(body); err != nil && !errors.Is(err, ErrNewerFormat) {
			return err
		}
	}
	return nil
}

// walkPending goes through the pending lists of every stream, as "executor id".
func (c *checker) walkPending(ctx context.Context, see func([]string) error) error {
	return c.walkStreams(ctx, func(executors []string) error {
		for _, e := range executors {
			_, grouped, err := c.lastDelivered(ctx, e)
			if err == nil && grouped {
				err = c.eachPending(ctx, e, see)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *checker) eachPending(ctx context.Context, executor string, see func([]string) error) error {
	for from := "-"; ; {
		pending, err := c.reader.XPendingExt(ctx, &redis.XPendingExtArgs{
			Stream: c.keys.stream(executor), Group: group, Start: from, End: "+", Count: page,
		}).Result()
		if err != nil {
			return err
		}
		var subjects []string
		for _, p := range pending {
			if p.ID != from { // the last of the page before
				subjects = append(subjects, executor+" "+p.ID)
			}
		}
		if len(subjects) == 0 {
			return nil
		}
		if err := see(subjects); err != nil {
			return err
		}
		from = pending[len(pending)-1].ID
	}
}

// probePending looks for pending ids whose entries are gone.
func (c *checker) probePending(ctx context.Context, subjects []string) ([]Finding, error) {
	entries, pending, err := c.handedOut(ctx, subjects)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for i, subject := range subjects {
		if len(entries[i].Val()) > 0 || len(pending[i].Val()) == 0 {
			continue
		}
		e, id, _ := strings.Cut(subject, " ")
		found = append(found, c.finding(PendingWithoutEntry, c.keys.stream(e), subject, "pending for "+pending[i].Val()[0].Consumer+", and its entry is gone",
			"the leader drops it a lease later; or "+redisCommand("XACK", c.keys.stream(e), group, id)))
	}
	return found, nil
}

// probeKeys looks for keys that should end by themselves and do not, and for keys of nobody.
func (c *checker) probeKeys(ctx context.Context, names []string) ([]Finding, error) {
	var found []Finding
	var ending []string
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "op:"), strings.HasPrefix(name, "log:"), strings.HasPrefix(name, "past:"),
			strings.HasPrefix(name, "history:") && !strings.HasPrefix(name, "history:@"):
			ending = append(ending, name)
		case !isKeyName(name):
			found = append(found, c.finding(UnknownKey, c.keys.prefix+name, name, "no key of Carillon has this name",
				"if no newer node made it: "+redisCommand("DEL", c.keys.prefix+name)))
		}
	}
	lives := make([]*redis.DurationCmd, len(ending))
	jobs := make([]*redis.BoolCmd, len(ending))
	err := c.together(ctx, func(p redis.Pipeliner) {
		for i, name := range ending {
			lives[i] = p.TTL(ctx, c.keys.prefix+name)
			jobs[i] = p.HExists(ctx, c.keys.jobs(), strings.TrimPrefix(name, "history:"))
		}
	})
	if err != nil {
		return nil, err
	}
	for i, name := range ending {
		const never = time.Duration(-1) // what TTL answers of a key that does not end
		if lives[i].Val() != never || strings.HasPrefix(name, "history:") && jobs[i].Val() {
			continue
		}
		found = append(found, c.finding(EndlessKey, c.keys.prefix+name, name, "it should end by itself and has no time to live",
			redisCommand("EXPIRE", c.keys.prefix+name, fmt.Sprint(int64(c.cfg.HistoryTTL.Seconds())))))
	}
	return found, nil
}
