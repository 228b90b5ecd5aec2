package cluster

import (
	"context"
	"fmt"
	"strconv"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Groups returns how many groups of partitions the cluster's members agree on: 1 unless the first of
// them was given another number.
func Groups(ctx context.Context, client *clientv3.Client, cluster string) (int, error) {
	if err := check(client, cluster); err != nil {
		return 0, fmt.Errorf("cluster: groups: %w", err)
	}
	actx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := client.Get(actx, keysOf(cluster).groups())
	if err != nil {
		return 0, explain(ctx, client, "groups", err)
	}
	return groupsIn(resp.Kvs), nil
}

// groupsIn reads the number of groups; no key means one, as does what cannot be read.
func groupsIn(kvs []*mvccpb.KeyValue) int {
	if len(kvs) == 0 {
		return 1
	}
	n, err := strconv.Atoi(string(kvs[0].Value))
	if err != nil || n < 1 || n > MaxGroups {
		return 1
	}
	return n
}

// agreed is true in etcd while the cluster has as many groups as this node was given.
func (c *Cluster) agreed() clientv3.Cmp {
	if c.cfg.Groups == 1 {
		return clientv3.Compare(clientv3.CreateRevision(c.keys.groups()), "=", 0)
	}
	return clientv3.Compare(clientv3.Value(c.keys.groups()), "=", strconv.Itoa(c.cfg.Groups))
}

// agree makes the cluster have as many groups as this node was given.
func (c *Cluster) agree() clientv3.Op {
	if c.cfg.Groups == 1 {
		return clientv3.OpDelete(c.keys.groups())
	}
	return clientv3.OpPut(c.keys.groups(), strconv.Itoa(c.cfg.Groups))
}

// claimGroups joins with put as the first member, for only then may the number of groups become
// another, and reports whether it could.
func (c *Cluster) claimGroups(ctx context.Context, put clientv3.Op) (created int64, err error) {
	resp, err := c.cfg.Client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(c.keys.nodes()), "=", 0).WithPrefix()).
		Then(c.agree(), put).
		Commit()
	if err != nil || !resp.Succeeded {
		return 0, err
	}
	c.log.Info("first member, number of groups set", "groups", c.cfg.Groups)
	return resp.Header.Revision, nil
}

// disagree says why a node with another number of groups cannot join.
func (c *Cluster) disagree(theirs int) error {
	return fmt.Errorf("cluster: join: %w: this node was given %d, the members of cluster %s have %d: start it with --groups %d, or stop all nodes and start them with --groups %d",
		ErrGroups, c.cfg.Groups, c.cfg.Cluster, theirs, theirs, c.cfg.Groups)
}
