package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
)

func (a *app) clusterCommand() *cobra.Command {
	status := &cobra.Command{
		Use: "status", Short: "Show the nodes, the leader, and what is paused", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withEtcd(func(etcd *clientv3.Client) error { return a.clusterStatus(cmd.Context(), etcd) })
		},
	}
	leads := 0
	stepDown := &cobra.Command{
		Use: "step-down", Short: "Have the leader give its office to another node", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withEtcd(func(etcd *clientv3.Client) error { return a.stepDown(cmd.Context(), etcd, leads) })
		},
	}
	stepDown.Flags().IntVar(&leads, "group", 0, "`NUMBER` of the group whose leader that is, where nodes run with --groups")
	return group("cluster", "Look at the cluster, pause and resume it", groupCluster,
		status, a.pauseCommand("pause", "Stop all schedule times; runs under way go on", true),
		a.pauseCommand("resume", "Let schedule times go on", false), stepDown)
}

// withEtcd runs f with a client of etcd.
func (a *app) withEtcd(f func(*clientv3.Client) error) error {
	etcd, err := a.dialEtcd()
	if err != nil {
		return err
	}
	defer etcd.Close()
	return f(etcd)
}

// status is the answer of cluster status.
type status struct {
	Cluster string          `json:"cluster"`
	Leader  *cluster.Leader `json:"leader"` // of group 0
	Groups  []statusGroup   `json:"groups,omitempty"`
	Paused  bool            `json:"paused"`
	Held    []heldExecutor  `json:"paused_executors"`
	Nodes   []statusNode    `json:"nodes"`
}

// heldExecutor is an executor that is paused.
type heldExecutor struct {
	Store  string `json:"store"`
	Name   string `json:"name"`
	Since  string `json:"since"`
	Reason string `json:"reason,omitempty"`
}

type statusNode struct {
	Name      string         `json:"name"`
	Address   string         `json:"address"`
	Executors map[string]int `json:"executors"`
	Leader    bool           `json:"leader"`
	Started   string         `json:"started"`
}

func (a *app) clusterStatus(ctx context.Context, etcd *clientv3.Client) error {
	members, err := cluster.Members(ctx, etcd, a.cluster)
	if err != nil {
		return err
	}
	s := status{Cluster: a.cluster, Nodes: []statusNode{}}
	groups, err := a.statusGroups(ctx, etcd)
	if err != nil {
		return err
	}
	s.Leader = groups[0].Leader
	leads := map[string]bool{}
	for _, g := range groups {
		if g.Leader != nil {
			leads[g.Leader.Name] = true
		}
	}
	for _, m := range members {
		s.Nodes = append(s.Nodes, statusNode{
			Name: m.Name, Address: m.Address, Executors: m.Executors,
			Leader: leads[m.Name], Started: job.FormatTime(m.Started),
		})
	}
	partitions := 0
	s.Paused, s.Held, partitions = a.paused(ctx)
	if len(groups) > 1 {
		s.Groups = withPartitions(groups, partitions)
	}
	return a.answer(s, func(w io.Writer) { writeStatus(w, s) })
}

// paused asks Redis, where one is given, for what is paused, and for the most partitions that a store
// has. What the membership says must not hang on it: a Redis that is out of reach is told on standard
// error and counts as not paused, and without partitions.
func (a *app) paused(ctx context.Context) (on bool, held []heldExecutor, partitions int) {
	held = []heldExecutor{}
	if a.redis == "" && len(a.stores) == 0 {
		return false, held, 0
	}
	err := a.withClient(ctx, func(c *carillon.Client, _ []carillon.CallOption) (err error) {
		for _, name := range c.Stores() {
			n, err := c.Partitions(carillon.InStore(name))
			if err != nil {
				return err
			}
			partitions = max(partitions, n)
		}
		if on, err = c.IsPaused(ctx); err != nil {
			return err
		}
		all, err := c.Executors(ctx)
		for _, e := range all {
			if e.Paused {
				held = append(held, heldExecutor{e.Store, e.Name, job.FormatTime(e.Since), e.Reason})
			}
		}
		return err
	})
	if err != nil && !errors.Is(err, carillon.ErrNotInitialised) {
		fmt.Fprintln(a.stderr, errorLine(fmt.Errorf("whether times are paused is not known: %w", err)))
	}
	return on, held, partitions
}

func writeStatus(w io.Writer, s status) {
	leader := "no leader"
	if len(s.Groups) > 0 {
		leader = fmt.Sprintf("%d groups", len(s.Groups))
	} else if s.Leader != nil {
		leader = fmt.Sprintf("leader %s, term %d", s.Leader.Name, s.Leader.Term)
	}
	if s.Paused {
		leader += ", paused"
	}
	fmt.Fprintf(w, "cluster %s: %d nodes, %s\n", s.Cluster, len(s.Nodes), leader)
	for _, g := range s.Groups {
		fmt.Fprintln(w, g)
	}
	for _, e := range s.Held {
		writeFolded(w, "", pauseSentence(e))
	}
	if len(s.Nodes) == 0 {
		return
	}
	rows := make([][]string, len(s.Nodes))
	for i, n := range s.Nodes {
		mark := ""
		if n.Leader {
			mark = "*"
		}
		var executors []string
		for _, name := range slices.Sorted(maps.Keys(n.Executors)) {
			executors = append(executors, fmt.Sprintf("%s=%d", name, n.Executors[name]))
		}
		rows[i] = []string{mark, n.Name, n.Address, n.Started, strings.Join(executors, " ")}
	}
	writeTable(w, []string{"", "NODE", "ADDRESS", "STARTED", "EXECUTORS"}, []int{1, 16, 21, 24, columns}, rows)
}

// pauseSentence says that an executor is paused, for people.
func pauseSentence(e heldExecutor) string {
	s := fmt.Sprintf("executor %s of store %s is paused since %s", e.Name, e.Store, e.Since)
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	return s
}

func (a *app) pauseCommand(verb, short string, on bool) *cobra.Command {
	var reason string
	c := &cobra.Command{Use: verb, Short: short, Args: takes()}
	if on {
		c.Flags().StringVar(&reason, "reason", "", "`TEXT` for those who ask later")
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.withClient(cmd.Context(), func(c *carillon.Client, _ []carillon.CallOption) error {
			var err error
			if on {
				err = c.Pause(cmd.Context(), carillon.Because(reason))
			} else {
				err = c.Resume(cmd.Context())
			}
			if err != nil {
				return err
			}
			return a.answer(map[string]any{"cluster": a.cluster, "paused": on}, func(w io.Writer) {
				fmt.Fprintf(w, "cluster %s: schedule times are %sd\n", a.cluster, verb)
			})
		})
	}
	return c
}
