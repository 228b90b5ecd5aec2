package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon"
)

// template is the id of the job that is copied; nothing else in a stored job may hold it.
const template = "template-5f2b9c"

// loadBatch is how many jobs one round trip stores.
const loadBatch = 2000

// stored is how a job lies in Redis.
type stored struct {
	jobs, times string // keys
	value, uid  string
	score       float64
}

// load stores n jobs that are alike but for id and uid: one is added through the client, the others are
// copies of what that has left in Redis, since a million additions would take longer than all that is
// measured. Ids are prefix and a number.
func (r *rig) load(ctx context.Context, client *carillon.Client, trigger []byte, n int, prefix string) error {
	if _, err := client.AddJob(ctx, carillon.Job{ID: template, Task: task, Trigger: trigger}); err != nil {
		return err
	}
	s, err := r.stored(ctx)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	for from := 0; from < n; from += loadBatch {
		var values []any
		var times []redis.Z
		for i := from; i < min(from+loadBatch, n); i++ {
			id := fmt.Sprintf("%s%d", prefix, i)
			values = append(values, id, s.copyAs(id))
			times = append(times, redis.Z{Score: s.score, Member: id})
		}
		pipe := r.admin.Pipeline()
		pipe.HSet(ctx, s.jobs, values...)
		pipe.ZAdd(ctx, s.times, times...)
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
	if err := client.RemoveJob(ctx, template); err != nil {
		return err
	}
	// What is stored must be a job to Carillon too.
	j, err := client.GetJob(ctx, fmt.Sprintf("%s%d", prefix, n-1))
	if at, ok := j.NextRunTime.Time(); err == nil && (!ok || at.UnixMilli() != int64(s.score)) {
		err = fmt.Errorf("load: the copied job %s is due at %s, not at its time", j.ID, at)
	}
	return err
}

// stored finds the template. It looks for the keys by how they end: only Carillon makes keys.
func (r *rig) stored(ctx context.Context) (stored, error) {
	keys, err := r.admin.Keys(ctx, "*:jobs").Result()
	if err != nil {
		return stored{}, err
	}
	if len(keys) != 1 {
		return stored{}, fmt.Errorf("%d hashes of jobs are in Redis, not 1", len(keys))
	}
	s := stored{jobs: keys[0], times: strings.TrimSuffix(keys[0], "jobs") + "run_times"}
	if s.value, err = r.admin.HGet(ctx, s.jobs, template).Result(); err != nil {
		return stored{}, err
	}
	if s.score, err = r.admin.ZScore(ctx, s.times, template).Result(); err != nil {
		return stored{}, err
	}
	fields := strings.Fields(s.value)
	if len(fields) < 2 || uuid.Validate(fields[1]) != nil {
		return stored{}, fmt.Errorf("the header of a stored job has no uid where it used to be: %.40q", s.value)
	}
	s.uid = fields[1]
	return s, nil
}

func (s stored) copyAs(id string) string {
	return strings.NewReplacer(template, id, s.uid, uuid.NewString()).Replace(s.value)
}

// loadDue stores jobs that are all due at one instant, and returns the instant.
func (b *bench) loadDue(ctx context.Context, client *carillon.Client, n int, prefix string) (time.Time, error) {
	at := b.after(2*time.Second, n, 40*time.Microsecond).Truncate(time.Millisecond)
	if err := b.rig.load(ctx, client, carillon.At(at), n, prefix); err != nil {
		return at, err
	}
	if time.Now().After(at) {
		return at, tooLate(n)
	}
	return at, nil
}

// errTooLate means that storing what is to be measured took until after it was due.
var errTooLate = errors.New("storing took until after they were due")

func tooLate(n int) error { return fmt.Errorf("%d jobs: %w", n, errTooLate) }

// mostRoom is how many times the usual room inTime gives at most.
const mostRoom = 16

// inTime calls f, and again with twice the room for as long as storing took too long.
func (b *bench) inTime(f func() error) error {
	for {
		err := f()
		if !errors.Is(err, errTooLate) || b.room >= mostRoom {
			return err
		}
		b.room *= 2
		b.say("%v; again with %d times the usual room", err, b.room)
	}
}

// after is an instant that leaves room to store n jobs: a fixed time, and some for each.
func (b *bench) after(fixed time.Duration, n int, each time.Duration) time.Time {
	return time.Now().Add(fixed + time.Duration(b.room*n)*each)
}
