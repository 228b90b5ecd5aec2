package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/carillon-project/carillon/cluster"
)

// statusGroup is a group of partitions, with its leader.
type statusGroup struct {
	Group      int             `json:"group"`
	Partitions []int           `json:"partitions"` // empty when no store is given
	Leader     *cluster.Leader `json:"leader"`
}

// String is the group's line for people.
func (g statusGroup) String() string {
	leader := "no leader"
	if g.Leader != nil {
		leader = fmt.Sprintf("leader %s, term %d", g.Leader.Name, g.Leader.Term)
	}
	if len(g.Partitions) > 0 {
		leader += ", partitions " + strings.Trim(fmt.Sprint(g.Partitions), "[]")
	}
	return fmt.Sprintf("group %d: %s", g.Group, leader)
}

// statusGroups returns the groups that the members agree on, at least one, without their partitions.
func (a *app) statusGroups(ctx context.Context, etcd *clientv3.Client) ([]statusGroup, error) {
	n, err := cluster.Groups(ctx, etcd, a.cluster)
	if err != nil {
		return nil, err
	}
	groups := make([]statusGroup, n)
	for i := range groups {
		leader, err := cluster.CurrentLeader(ctx, etcd, a.cluster, i)
		if err != nil {
			return nil, err
		}
		groups[i] = statusGroup{Group: i, Partitions: []int{}, Leader: leader}
	}
	return groups, nil
}

// withPartitions says which of so many partitions each group leads.
func withPartitions(groups []statusGroup, partitions int) []statusGroup {
	for p := range partitions {
		g := &groups[p%len(groups)]
		g.Partitions = append(g.Partitions, p)
	}
	return groups
}

// stepDown ends the term in office of a group.
func (a *app) stepDown(ctx context.Context, etcd *clientv3.Client, group int) error {
	groups, err := a.statusGroups(ctx, etcd)
	if err != nil {
		return err
	}
	if group < 0 || group >= len(groups) {
		return fmt.Errorf("cluster %s has no group %d: its groups are 0 to %d", a.cluster, group, len(groups)-1)
	}
	leader := groups[group].Leader
	if leader == nil {
		return fmt.Errorf("cluster %s has no leader to step down", a.cluster)
	}
	if err := cluster.StepDown(ctx, etcd, a.cluster, group, leader.Term); err != nil {
		return err
	}
	return a.answer(map[string]any{"stepped_down": leader}, func(w io.Writer) {
		fmt.Fprintf(w, "%s stepped down from term %d\n", leader.Name, leader.Term)
	})
}
