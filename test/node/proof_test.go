package node_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// relay passes connections on to a node, as a proxy in front of its advertised address does.
type relay struct {
	l  net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex
	target string
	conns  []net.Conn
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{l: l}
	r.wg.Go(r.accept)
	t.Cleanup(r.kill)
	return r
}

func (r *relay) accept() {
	for {
		from, err := r.l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		to, err := net.Dial("tcp", r.target)
		if err != nil {
			r.mu.Unlock()
			from.Close()
			continue
		}
		r.conns = append(r.conns, from, to)
		r.mu.Unlock()
		r.wg.Go(func() { io.Copy(from, to); from.Close() })
		r.wg.Go(func() { io.Copy(to, from); to.Close() })
	}
}

func (r *relay) to(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

// passes is how many connections it has passed on.
func (r *relay) passes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns) / 2
}

func (r *relay) kill() {
	r.l.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// The proxies in front of two nodes die while these run handlers: every run goes on where it is, once.
func TestDeadProxyIsNoDeadNode(t *testing.T) {
	t.Parallel()
	const runs = 12
	ctx := t.Context()
	cluster := clusterOf(t)
	lease := func(cfg *carillon.Config) { cfg.RunLease = 15 * time.Second }
	leader := config(t, cluster, "leader")
	lease(&leader)
	leads := lift(t, newNode(t, leader))
	relays := []*relay{newRelay(t), newRelay(t)}
	for i, name := range []string{"b", "c"} {
		cfg := config(t, cluster, name)
		lease(&cfg)
		cfg.Advertise = relays[i].l.Addr().String()
		node := newNode(t, cfg)
		go func() { // the leader dials as soon as the node is a member
			for node.Address() == "" && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			relays[i].to(node.Address())
		}()
		lift(t, node)
	}
	eventually(t, 10*time.Second, "the leader to be connected to both", func() bool { return relays[0].passes() > 0 && relays[1].passes() > 0 })
	var begun, ended atomic.Int64
	end := make(chan struct{})
	args := act(t, func(ctx context.Context, _ carillon.Run) (any, error) {
		begun.Add(1)
		select {
		case <-end:
			ended.Add(1)
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	})
	for range runs {
		must(leads.Enqueue(ctx, "act", args))(t)
	}
	eventually(t, 10*time.Second, "all handlers", func() bool { return begun.Load() == runs })
	for _, r := range relays {
		r.kill()
	}
	// The last look at a process that seems gone is over after 2 s and three times 400 ms.
	quiet := time.Now()
	eventually(t, 10*time.Second, "four seconds", func() bool { return time.Since(quiet) > 4*time.Second })
	if n := begun.Load(); n != runs {
		t.Errorf("%d handlers were begun, want %d", n, runs)
	}
	close(end)
	for _, row := range rows(t, leads.Client, "@act", runs) {
		if row.Outcome != job.Executed || row.Attempt != 1 {
			t.Errorf("run %s: %s at attempt %d (%s)", row.RunID, row.Outcome, row.Attempt, row.Cause)
		}
	}
	if n := ended.Load(); n != runs {
		t.Errorf("%d handlers ended well, want %d", n, runs)
	}
}
