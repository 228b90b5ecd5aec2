package cluster

import (
	"context"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// rewatchAfter is the pause after a watch was disrupted.
const rewatchAfter = 50 * time.Millisecond

// waitGone returns nil once etcd has said that key, created at revision created, is no longer
// there. Silence is no such word. It returns an error when ctx ends or the client is closed.
func (c *Cluster) waitGone(ctx context.Context, key string, created int64) error {
	for {
		var resp *clientv3.GetResponse
		err := c.ask(ctx, func(ctx context.Context) (err error) {
			resp, err = c.cfg.Client.Get(ctx, key)
			return err
		})
		if err != nil {
			return err
		}
		if len(resp.Kvs) == 0 || resp.Kvs[0].CreateRevision != created {
			return nil
		}
		if c.sawDelete(ctx, key, resp.Header.Revision+1) {
			return nil
		}
		if !pause(ctx, rewatchAfter) {
			return ctx.Err()
		}
	}
}

// sawDelete watches key from revision from on until it is deleted, and returns true, or until the
// watch is disrupted, and returns false.
func (c *Cluster) sawDelete(ctx context.Context, key string, from int64) bool {
	// Without a leader required, a watch on a member that is cut off would hang for ever.
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for resp := range c.cfg.Client.Watch(ctx, key, clientv3.WithRev(from), clientv3.WithFilterPut()) {
		if resp.Err() != nil {
			return false
		}
		for _, ev := range resp.Events {
			if ev.Type == mvccpb.Event_DELETE {
				return true
			}
		}
	}
	return false
}
