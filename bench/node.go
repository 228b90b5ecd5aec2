package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/carillon-project/carillon"
)

const (
	// workers is how many handlers may run at once, here and in every peer.
	workers = 100
	// task is what all of them run.
	task = "noop"
)

// noop is the handler of a run that does nothing.
func noop(context.Context, carillon.Run) (any, error) { return nil, nil }

// node is a running Carillon node of this process.
type node struct {
	*carillon.Node
	client *carillon.Client
	end    context.CancelFunc
	done   chan error
}

// startNode runs a node as it is shipped, with f as the task's handler.
func (r *rig) startNode(ctx context.Context, cluster string, f carillon.TaskFunc) (*node, error) {
	n, err := r.newNode("bench", cluster)
	if err != nil {
		return nil, err
	}
	n.HandleFunc(task, f)
	ctx, end := context.WithCancel(ctx)
	running := &node{Node: n, end: end, done: make(chan error, 1)}
	go func() { running.done <- n.Run(ctx) }()
	select {
	case <-n.Ready():
	case err := <-running.done:
		end()
		return nil, fmt.Errorf("node: %w", err)
	}
	if running.client, err = n.Client(ctx); err != nil {
		return nil, errors.Join(err, running.close())
	}
	return running, nil
}

func (r *rig) newNode(name, cluster string) (*carillon.Node, error) {
	return carillon.NewNode(carillon.Config{
		Name: name, Cluster: cluster, Etcd: r.etcd, Redis: r.redis.URL(), Executors: map[string]int{"default": workers},
	})
}

// close ends the node in order.
func (n *node) close() error {
	n.end()
	return <-n.done
}
