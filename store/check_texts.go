package store

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// probeDelayedTexts looks for delayed runs whose message cannot be read.
func (c *checker) probeDelayedTexts(ctx context.Context, ids []string) ([]Finding, error) {
	values, err := c.reader.HMGet(ctx, c.keys.delayedRuns(), ids...).Result()
	if err != nil {
		return nil, err
	}
	var found []Finding
	for i, v := range values {
		if v != nil && unreadableHere(decodesMessage(text(v))) {
			found = append(found, c.finding(UnreadableRun, c.keys.delayedRuns(), ids[i], "the message of a delayed run cannot be read",
				"the leader moves it to the dead runs when it is due; or "+redisCommand("ZADD", c.keys.delayed(), "0", ids[i])))
		}
	}
	return found, nil
}

// unreadableHere reports whether an error is of a record that no node can read.
func unreadableHere(err error) bool { return err != nil && !errors.Is(err, ErrNewerFormat) }

// walkLineTexts goes through the messages of every line, as "slot run".
func (c *checker) walkLineTexts(ctx context.Context, see func([]string) error) error {
	beginning := c.keys.waitingRuns("")[len(c.keys.prefix):]
	return c.walkNames(ctx, beginning, func(slots []string) error {
		for _, slot := range slots {
			err := c.walkFields(c.keys.waitingRuns(slot))(ctx, func(ids []string) error {
				subjects := make([]string, len(ids))
				for i, id := range ids {
					subjects[i] = slot + " " + id
				}
				return see(subjects)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// probeLineTexts looks for runs in line whose message cannot be read.
func (c *checker) probeLineTexts(ctx context.Context, subjects []string) ([]Finding, error) {
	values := make([]*redis.StringCmd, len(subjects))
	err := c.together(ctx, func(p redis.Pipeliner) {
		for i, subject := range subjects {
			slot, id, _ := strings.Cut(subject, " ")
			values[i] = p.HGet(ctx, c.keys.waitingRuns(slot), id)
		}
	})
	if err != nil {
		return nil, err
	}
	var found []Finding
	for i, subject := range subjects {
		if values[i].Err() == nil && unreadableHere(decodesMessage(values[i].Val())) {
			slot, _, _ := strings.Cut(subject, " ")
			found = append(found, c.finding(UnreadableRun, c.keys.waitingRuns(slot), subject, "the message of a run in line cannot be read",
				"it is moved to the dead runs when it is first in line; nothing has to be done"))
		}
	}
	return found, nil
}
