package matrix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// storeLost is 1 of a node that has seen that its Redis is not the one that the cluster knows.
const storeLost = "carillon_store_lost"

// emptyRedis deletes all that Redis holds, asks that every node raises the alarm and leaves the database
// as it is, and brings the jobs back with the commands that the alarm names. What is due from then on
// is judged.
func emptyRedis(ctx context.Context, f *Field) error {
	backup, err := f.Command(ctx, nil, "store", "export")
	if err != nil {
		return err
	}
	healed := f.Harm(history.RedisDown, "")
	defer healed()
	emptied := f.Now()
	if err := f.Raw().FlushAll(ctx).Err(); err != nil {
		return err
	}
	for _, n := range f.Running() {
		if err := f.alarmed(ctx, n, emptied); err != nil {
			return err
		}
	}
	f.Figure("until every node had raised the alarm", "%s", f.Now().Sub(emptied).Round(10*time.Millisecond))
	if err := f.idle(ctx, 2*time.Second); err != nil {
		return err
	}
	if _, err := f.Command(ctx, nil, "store", "adopt"); err != nil {
		return err
	}
	if err := f.replaced(ctx); err != nil {
		return err
	}
	if err := f.restore(ctx, backup); err != nil {
		return err
	}
	healed()
	return f.Runs(ctx, f.Now().Add(3*time.Second)) // something to judge
}

// replaced waits until the event log says that the store was adopted: then nodes serve it. The client
// is another one from then on: it knew the store that is gone.
func (f *Field) replaced(ctx context.Context) error {
	c, err := f.Stack.Client(ctx)
	if err != nil {
		return err
	}
	f.Client.Close()
	f.Client = c
	for {
		events, err := c.Events(ctx)
		if err == nil && slices.ContainsFunc(events, func(e carillon.Event) bool { return e.Kind == job.StoreReplaced }) {
			return nil
		}
		if rest := f.Rest(ctx, 50*time.Millisecond); rest != nil {
			return fmt.Errorf("matrix: the event log knows no store_replaced: %w", errors.Join(err, rest))
		}
	}
}

// alarmed waits until a node says that its store is lost, and is not ready for it.
func (f *Field) alarmed(ctx context.Context, n *rig.Node, emptied time.Time) error {
	bound := f.Within(2 * time.Second)
	for {
		lost, err := n.Metric(ctx, storeLost)
		if err == nil && lost == 1 && !n.Healthy(ctx) {
			return nil
		}
		if f.Now().Sub(emptied) > bound {
			return fmt.Errorf("matrix: %s has not raised the alarm %s after its Redis was emptied: %w", n.Name, bound, err)
		}
		if err := f.Rest(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// idle checks that for a while nothing is dispatched into an emptied Redis, and nobody makes a store of
// it: there is nothing but the empty stream that executors make again to wait at.
func (f *Field) idle(ctx context.Context, last time.Duration) error {
	began := f.Now()
	if err := f.Rest(ctx, last); err != nil {
		return err
	}
	for _, e := range f.Witness.Executions() {
		if e.Scheduled.After(began) {
			return fmt.Errorf("matrix: %s was dispatched although its store is lost", e.JobID)
		}
	}
	made, err := f.Raw().Keys(ctx, "*").Result()
	if err != nil {
		return err
	}
	made = slices.DeleteFunc(made, func(key string) bool { return key == stream })
	if waiting := f.Raw().XLen(ctx, stream).Val(); len(made) > 0 || waiting > 0 {
		return fmt.Errorf("matrix: somebody wrote into the emptied Redis: %q, %d entries", made, waiting)
	}
	return nil
}

// restore imports jobs into a store that was adopted, and returns when they fire.
func (f *Field) restore(ctx context.Context, backup []byte) error {
	if _, err := f.Command(ctx, backup, "store", "import", "-"); err != nil {
		return err
	}
	restored := f.Now()
	f.JudgeFrom(restored)
	if err := f.Runs(ctx, restored); err != nil {
		return err
	}
	f.Figure("from the import to a run that was due after it", "%s", f.Now().Sub(restored).Round(10*time.Millisecond))
	return nil
}
