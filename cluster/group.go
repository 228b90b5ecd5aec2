package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// group is this node's part in one group of partitions: its candidacy, its office if it leads, and its
// watch over the one who does.
type group struct {
	*Cluster
	index int
	log   hclog.Logger
	redis condition

	term    atomic.Int64
	guarded atomic.Pointer[Leader]

	resigned   chan struct{}
	resignOnce sync.Once

	// remains says that an election key could not be deleted: as long as the session lives nobody else
	// can lead. passed is the term of the last key with which this node let others pass. Both belong to
	// the goroutine that stands.
	remains bool
	passed  int64
}

func newGroup(c *Cluster, index int) *group {
	log := c.log
	if c.cfg.Groups > 1 {
		log = log.With("group", index)
	}
	return &group{
		Cluster: c, index: index, log: log, resigned: make(chan struct{}),
		redis: condition{log: log, lost: "cannot stand for leader", back: "can stand for leader"},
	}
}

func (g *group) resign() { g.resignOnce.Do(func() { close(g.resigned) }) }

// withdraw deletes the session's election key, if any: the office is free, or the candidate gone.
func (g *group) withdraw(s *session) error {
	err := g.lastWord(s, func(ctx context.Context) error {
		_, err := g.cfg.Client.Delete(ctx, g.keys.candidate(g.index, s.lease))
		return err
	})
	g.remains = err != nil
	if err != nil {
		return fmt.Errorf("cluster: give up office: %w", err)
	}
	return nil
}

// clearAway deletes an election key that could not be deleted when it should have been.
func (g *group) clearAway(s *session) error {
	if !g.remains {
		return nil
	}
	err := g.withdraw(s)
	if err == nil {
		g.log.Info("the office is free at last: etcd had not taken it back")
	}
	return err
}

// firstCandidate returns the election key of a group that was created first, which is the one in
// office, and its holder; a Leader without term if nobody stands.
func firstCandidate(ctx context.Context, client *clientv3.Client, k keys, group int) (string, Leader, error) {
	resp, err := client.Get(ctx, k.candidates(group), clientv3.WithFirstCreate()...)
	if err != nil || len(resp.Kvs) == 0 {
		return "", Leader{Group: group}, err
	}
	kv := resp.Kvs[0]
	return string(kv.Key), Leader{Group: group, Name: string(kv.Value), Term: kv.CreateRevision}, nil
}
