package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/carillon-project/carillon"
)

const (
	// nodeCommand is the hidden command that runs a node in a process of its own.
	nodeCommand = "node"
	// usageRequest is the line that asks such a process what it has used.
	usageRequest = "usage"
)

// message is a line that a node's process prints: one of its fields is set.
type message struct {
	Ready bool       `json:"ready,omitempty"`
	Run   *childRun  `json:"run,omitempty"`
	Done  int        `json:"done,omitempty"` // runs that have ended so far
	Usage *childUsed `json:"usage,omitempty"`
}

// childRun is a run that has started.
type childRun struct {
	Job       string `json:"job"`
	Scheduled int64  `json:"scheduled"` // Unix ms
	Attempt   int    `json:"attempt"`
}

// childUsed is what a process has used since its start.
type childUsed struct {
	CPU    time.Duration `json:"cpu"`
	Memory uint64        `json:"memory"` // bytes that the Go runtime has had from the system at most
}

// serveNode is what the hidden command does: it runs a node until it is asked to end or standard input
// closes, which it does when the process that started it is gone. With -each it tells every run that
// starts; else every -every runs that have ended.
func serveNode(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet(nodeCommand, flag.ContinueOnError)
	name := flags.String("name", "", "")
	cluster := flags.String("cluster", "", "")
	etcd := flags.String("etcd", "", "")
	redis := flags.String("redis", "", "")
	partitions := flags.Int("partitions", 1, "")
	groups := flags.Int("groups", 1, "")
	each := flags.Bool("each", false, "")
	every := flags.Int("every", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	n, err := carillon.NewNode(carillon.Config{
		Name: *name, Cluster: *cluster, Etcd: strings.Split(*etcd, ","), Redis: *redis, Executors: map[string]int{"default": workers},
		Partitions: *partitions, Groups: *groups,
	})
	if err != nil {
		return err
	}
	p := &printer{w: json.NewEncoder(stdout)}
	n.HandleFunc(task, func(_ context.Context, run carillon.Run) (any, error) {
		if *each {
			p.print(message{Run: &childRun{Job: run.JobID, Scheduled: run.ScheduledTime.UnixMilli(), Attempt: run.Attempt}})
		}
		return nil, nil
	})
	if *every > 0 {
		var done atomic.Int64
		n.AddListener(carillon.Mask(carillon.JobExecuted), func(carillon.Event) {
			if d := done.Add(1); d%int64(*every) == 0 {
				p.print(message{Done: int(d)})
			}
		})
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // ends with the process: a read of standard input cannot be interrupted
		defer stop()
		for lines := bufio.NewScanner(stdin); lines.Scan(); {
			if lines.Text() == usageRequest {
				p.print(message{Usage: used()})
			}
		}
	}()
	go func() { // ends with ctx at the latest
		select {
		case <-n.Ready():
			p.print(message{Ready: true})
		case <-ctx.Done():
		}
	}()
	return errors.Join(n.Run(ctx), p.failed())
}

// used is what this process has used so far.
func used() *childUsed {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return &childUsed{}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return &childUsed{CPU: time.Duration(u.Utime.Nano() + u.Stime.Nano()), Memory: m.Sys}
}

// printer writes messages of several goroutines, each as one line.
type printer struct {
	mu  sync.Mutex
	w   *json.Encoder
	err error
}

func (p *printer) print(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, p.w.Encode(m))
}

func (p *printer) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return fmt.Errorf("tell what happens: %w", p.err)
	}
	return nil
}
