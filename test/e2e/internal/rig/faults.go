package rig

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
)

// Kill ends a node with SIGKILL, waits until it is gone and notes the fault. Its children must be gone in
// the end, see Left.
func (s *Stack) Kill(n *Node) history.Fault {
	children := Children(n.Pid())
	f := s.fault(history.Killed, n.Name)
	s.mu.Lock()
	n.noted = true
	s.orphans = append(s.orphans, children...)
	s.mu.Unlock()
	n.Kill()
	f.Until = s.cfg.Now()
	return s.note(f)
}

// Tell sends SIGTERM to a node, notes the fault and does not wait, see Ended. A second one would tell
// the node not to wait for its runs.
func (s *Stack) Tell(n *Node) history.Fault {
	f := s.fault(history.Told, n.Name)
	n.Signal(syscall.SIGTERM)
	return s.note(f)
}

// Ended waits for a node that was told to end, and returns an error unless it did so with code 0. A
// node that has not ended when ctx does is killed.
func (s *Stack) Ended(ctx context.Context, n *Node) error {
	code, err := n.Wait(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("rig: node %s: told to end, it ended with code %d, see its log", n.Name, code)
	}
	return err
}

// Suspend stops a node where it is. The returned function lets it go on, and notes the fault then.
func (s *Stack) Suspend(n *Node) (resume func()) {
	f := s.fault(history.Suspended, n.Name)
	n.Process.Suspend()
	return func() {
		f.Until = s.cfg.Now()
		s.note(f)
		n.Resume()
	}
}

// Died returns the nodes that have been killed since by something else than the stack, each once, and
// notes them as killed at some time after it.
func (s *Stack) Died(since time.Time) (found []*Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		select {
		case <-n.Done():
		default:
			continue
		}
		if n.noted || n.ExitCode() >= 0 {
			continue
		}
		n.noted = true
		s.h.Faults = append(s.h.Faults, history.Fault{Kind: history.Killed, Node: n.Name, At: since, Until: s.cfg.Now()})
		found = append(found, n)
	}
	return found
}

// Harm notes a fault of another kind, to a node or to none in particular (""), from now until the
// returned function is called for the first time.
func (s *Stack) Harm(kind history.FaultKind, node string) (healed func()) {
	f := s.fault(kind, node)
	return sync.OnceFunc(func() {
		f.Until = s.cfg.Now()
		s.note(f)
	})
}

// Leader returns the node that etcd says is in office, once there is one above the given term.
func (s *Stack) Leader(ctx context.Context, above int64) (*Node, history.Term, error) {
	term, err := s.Watch.Leader(ctx, above)
	if err != nil {
		return nil, term, err
	}
	return s.Node(term.Node), term, nil
}

// fault describes what is about to be done, to whatever it is in office at.
func (s *Stack) fault(kind history.FaultKind, node string) history.Fault {
	f := history.Fault{Kind: kind, Node: node, At: s.cfg.Now()}
	if leader, ok := s.Watch.Current(); ok && leader.Node == node {
		f.Term = leader.Term
	}
	return f
}

func (s *Stack) note(f history.Fault) history.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h.Faults = append(s.h.Faults, f)
	return f
}
