package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// backoff is a delay that doubles from first to most.
type backoff struct{ first, most, next time.Duration }

// delay returns how long to wait this time.
func (b *backoff) delay() time.Duration {
	d := max(b.next, b.first)
	b.next = min(2*d, b.most)
	return d
}

func (b *backoff) reset() { b.next = 0 }

// pause waits for d and reports whether ctx is still on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// condition is something that is either well or not, of which the log hears once per change.
type condition struct {
	log        hclog.Logger
	lost, back string

	mu  sync.Mutex
	bad bool
}

func (c *condition) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.bad {
		c.bad = true
		c.log.Warn(c.lost, "error", err)
	}
}

func (c *condition) worked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bad {
		c.bad = false
		c.log.Info(c.back)
	}
}

// ask repeats question until etcd has answered it, which it reports by returning nil. It returns an
// error only when ctx ends or the client is closed. The pauses are short next to any lease, so that
// an etcd that comes back is asked before it gives the lease up.
func (c *Cluster) ask(ctx context.Context, question func(context.Context) error) error {
	wait := backoff{first: 50 * time.Millisecond, most: 400 * time.Millisecond}
	timeout := backoff{first: time.Second, most: 4 * time.Second}
	for {
		actx, cancel := context.WithTimeout(ctx, timeout.delay())
		err := question(actx)
		cancel()
		switch {
		case err == nil:
			c.etcd.worked()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case c.cfg.Client.Ctx().Err() != nil:
			return fmt.Errorf("cluster: %w", ErrClientClosed)
		}
		c.etcd.failed(err)
		// Left alone, gRPC waits up to two minutes before it dials again.
		if conn := c.cfg.Client.ActiveConnection(); conn != nil {
			conn.ResetConnectBackoff()
		}
		if !pause(ctx, wait.delay()) {
			return ctx.Err()
		}
	}
}
