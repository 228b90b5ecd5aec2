package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// popScript moves what is due from a sorted set to a stream, each with the same payload behind its id.
var popScript = redis.NewScript(`
local due = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
if #due == 0 then return 0 end
redis.call('ZREM', KEYS[1], unpack(due))
for _, id in ipairs(due) do redis.call('XADD', KEYS[2], '*', 'm', id .. ARGV[2]) end
return #due`)

const (
	// bareBatch is how many runs a round trip of it moves.
	bareBatch = 500
	// barePayload is how many bytes a consumer gets beside the id of a job. Less tells nobody what to run.
	barePayload = 120
)

// bareBurst is the least that Redis has to do to move runs from a schedule to a consumer: pop and XADD,
// XREADGROUP, XACK and XDEL, in batches; no handler, lease, history, limit or fence.
func (b *bench) bareBurst(ctx context.Context, jobs int) (time.Duration, error) {
	if _, err := b.rig.empty(ctx); err != nil {
		return 0, err
	}
	client := redis.NewClient(&redis.Options{Addr: b.rig.redis.Addr()})
	defer client.Close()
	if err := bareLoad(ctx, client, jobs); err != nil {
		return 0, fmt.Errorf("bare Redis: %w", err)
	}
	payload := strings.Repeat("x", barePayload)
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for {
			n, err := popScript.Run(ctx, client, []string{"times", "work"}, bareBatch, payload).Int()
			if err != nil || n == 0 {
				return err
			}
		}
	})
	g.Go(func() error { return bareConsume(ctx, client, jobs) })
	if err := g.Wait(); err != nil {
		return 0, fmt.Errorf("bare Redis: %w", err)
	}
	return time.Since(began), nil
}

func bareLoad(ctx context.Context, client *redis.Client, jobs int) error {
	for from := 0; from < jobs; from += bareBatch {
		var members []redis.Z
		for i := from; i < min(from+bareBatch, jobs); i++ {
			members = append(members, redis.Z{Score: 1, Member: fmt.Sprintf("job-%08d", i)})
		}
		if err := client.ZAdd(ctx, "times", members...).Err(); err != nil {
			return err
		}
	}
	return client.XGroupCreateMkStream(ctx, "work", "g", "0").Err()
}

func bareConsume(ctx context.Context, client *redis.Client, jobs int) error {
	for done := 0; done < jobs; {
		got, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "g", Consumer: "c", Streams: []string{"work", ">"}, Count: bareBatch, Block: time.Second,
		}).Result()
		if err != nil {
			return err
		}
		ids := make([]string, 0, bareBatch)
		for _, m := range got[0].Messages {
			ids = append(ids, m.ID)
		}
		pipe := client.Pipeline()
		pipe.XAck(ctx, "work", "g", ids...)
		pipe.XDel(ctx, "work", ids...)
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		done += len(ids)
	}
	return nil
}
