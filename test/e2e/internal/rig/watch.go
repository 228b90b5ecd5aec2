package rig

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// Watch follows the election keys of a cluster in etcd from their first revision on. It knows what
// etcd says, not what any node believes.
type Watch struct {
	client *clientv3.Client
	prefix string
	now    func() time.Time
	stop   context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex
	election history.Election
	changed  chan struct{}
}

// newWatch begins to watch. The caller closes it.
func newWatch(endpoints []string, cluster string, now func() time.Time) (*Watch, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 5 * time.Second, DialKeepAliveTime: 2 * time.Second, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("rig: watch the election: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{
		client: client, prefix: "/carillon/" + cluster + "/election/", now: now, stop: stop,
		ended: make(chan struct{}), changed: make(chan struct{}),
	}
	go w.follow(ctx)
	return w, nil
}

// follow reads every change from revision 1 on, resuming after what it has read when the watch is
// disturbed.
func (w *Watch) follow(ctx context.Context) {
	defer close(w.ended)
	next := int64(1)
	for ctx.Err() == nil {
		watching, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
		for answer := range w.client.Watch(watching, w.prefix, clientv3.WithPrefix(), clientv3.WithRev(next)) {
			if answer.Err() != nil {
				break
			}
			w.apply(answer.Events)
			next = answer.Header.Revision + 1
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.NewTimer(100 * time.Millisecond).C:
		}
	}
}

// apply folds events, which come in order of their revision.
func (w *Watch) apply(events []*clientv3.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range events {
		key := string(e.Kv.Key)
		switch {
		case e.IsCreate():
			w.election.Created(key, e.Kv.CreateRevision, string(e.Kv.Value))
		case e.Type == clientv3.EventTypeDelete:
			w.election.Deleted(key)
		}
		last := i+1 == len(events) || events[i+1].Kv.ModRevision != e.Kv.ModRevision
		if last && w.election.Settle(w.now()) {
			close(w.changed)
			w.changed = make(chan struct{})
		}
	}
}

// Current returns who is in office by what etcd told so far, and whether anybody is.
func (w *Watch) Current() (history.Term, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.election.Leader()
}

// Line returns the candidates by what etcd told so far, in the order in which they would lead.
func (w *Watch) Line() []history.Term {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.election.Line()
}

// Leader returns who is in office in a term above the given one, once there is such a leader.
func (w *Watch) Leader(ctx context.Context, above int64) (history.Term, error) {
	for {
		w.mu.Lock()
		leader, ok := w.election.Leader()
		changed := w.changed
		w.mu.Unlock()
		if ok && leader.Term > above {
			return leader, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return history.Term{}, fmt.Errorf("rig: no leader in a term above %d: %w", above, ctx.Err())
		}
	}
}

// Terms returns every term so far, oldest first.
func (w *Watch) Terms() []history.Term {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.election.Terms()
}

// Close ends the watch.
func (w *Watch) Close() error {
	w.stop()
	<-w.ended
	return w.client.Close()
}
