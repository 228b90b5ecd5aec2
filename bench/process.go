package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startPatience is how long a node may take to become ready, or to answer.
const startPatience = 30 * time.Second

// process is a node in a process of its own.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ready chan struct{}
	usage chan childUsed
	ended chan struct{} // closed when it is gone and all that it told was heard
}

// startProcess starts a node of a cluster and returns when it is ready. hear is called for its runs, from
// one goroutine; nil hears nothing. Every so many ended runs are told. Further arguments win over those
// given here.
func (r *rig) startProcess(ctx context.Context, name, cluster string, every int, hear func(message), further ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	args := []string{nodeCommand, "-name", name, "-cluster", cluster, "-etcd", strings.Join(r.etcd, ","), "-redis", r.redis.URL()}
	if every > 0 {
		args = append(args, "-every", strconv.Itoa(every))
	} else if hear != nil {
		args = append(args, "-each")
	}
	p := &process{
		name: name, cmd: exec.Command(self, append(args, further...)...), ready: make(chan struct{}), usage: make(chan childUsed, 1), ended: make(chan struct{}),
	}
	// Out of reach of a Ctrl-C: the node ends in order when its standard input closes.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	go p.listen(out, hear)
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	select {
	case <-p.ready:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("node %s: it ended before it was ready", name)
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timer.C:
		err = fmt.Errorf("node %s: not ready after %s", name, startPatience)
	}
	return nil, errors.Join(err, p.kill())
}

// listen reads what the process tells until it is gone.
func (p *process) listen(out io.Reader, hear func(message)) {
	defer close(p.ended)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var m message
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue // the last line of one that was killed may be cut off
		}
		switch {
		case m.Ready:
			close(p.ready)
		case m.Usage != nil:
			p.usage <- *m.Usage
		case hear != nil:
			hear(m)
		}
	}
	_ = p.cmd.Wait() // however it was made to end
}

// used asks the process what it has used.
func (p *process) used(ctx context.Context) (childUsed, error) {
	if _, err := io.WriteString(p.stdin, usageRequest+"\n"); err != nil {
		return childUsed{}, fmt.Errorf("node %s: %w", p.name, err)
	}
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	select {
	case u := <-p.usage:
		return u, nil
	case <-p.ended:
		return childUsed{}, fmt.Errorf("node %s: has ended", p.name)
	case <-ctx.Done():
		return childUsed{}, context.Cause(ctx)
	case <-timer.C:
		return childUsed{}, fmt.Errorf("node %s: did not answer within %s", p.name, startPatience)
	}
}

func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("node %s: %w", p.name, err)
	}
	return nil
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// close ends the node in order, and kills it if that takes too long.
func (p *process) close() error {
	p.stdin.Close()
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	select {
	case <-p.ended:
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("node %s: did not end within %s", p.name, startPatience), p.kill())
	}
}

// team is the nodes of one cluster, each in a process of its own.
type team struct {
	rig     *rig
	cluster string
	hear    func(message)
	every   int
	further []string // arguments of each node
	nodes   map[string]*process
	named   int // nodes so far: etcd keeps the name of one that was killed until its lease ends
}

// startTeam starts so many nodes.
func (r *rig) startTeam(ctx context.Context, cluster string, size, every int, hear func(message), further ...string) (*team, error) {
	t := &team{rig: r, cluster: cluster, hear: hear, every: every, further: further, nodes: map[string]*process{}}
	for range size {
		if err := t.start(ctx); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	return t, nil
}

// start starts one more node.
func (t *team) start(ctx context.Context) error {
	t.named++
	name := fmt.Sprintf("node-%d", t.named)
	p, err := t.rig.startProcess(ctx, name, t.cluster, t.every, t.hear, t.further...)
	if err == nil {
		t.nodes[name] = p
	}
	return err
}

func (t *team) close() error {
	var faults []error
	for _, p := range t.nodes {
		faults = append(faults, p.close())
	}
	return errors.Join(faults...)
}
