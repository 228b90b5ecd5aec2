package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// session is a lease that is renewed until it is closed or etcd says that it is gone. The sessions
// of the etcd client end earlier: by themselves, when no renewal was answered for a while.
type session struct {
	lease clientv3.LeaseID
	epoch string
	// ctx ends with the context the session was opened under, or, with cause ErrLeaseLost, when
	// etcd no longer knows the lease.
	ctx    context.Context
	cancel context.CancelCauseFunc

	stop   context.CancelFunc // ends the renewals
	closed chan struct{}      // closed when they have ended
	silent atomic.Bool        // etcd did not answer a last word
}

// open grants a lease, waiting for etcd as long as it takes, and begins to renew it.
func (c *Cluster) open(ctx context.Context) (*session, error) {
	s := &session{closed: make(chan struct{})}
	var granted time.Duration
	err := c.ask(ctx, func(ctx context.Context) error {
		resp, err := c.cfg.Client.Grant(ctx, c.cfg.ttlSeconds())
		if err != nil {
			return err
		}
		s.lease, granted = resp.ID, time.Duration(resp.TTL)*time.Second
		s.epoch, err = Epoch(ctx, c.cfg.Client, c.cfg.Cluster)
		return err
	})
	if err != nil {
		return nil, err
	}
	if granted > c.cfg.TTL {
		c.log.Debug("etcd granted a longer session", "asked", c.cfg.TTL, "granted", granted)
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	// The lease is renewed beyond ctx, until close: an office is given up before its lease ends.
	renew, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go func() {
		defer close(s.closed)
		c.renew(renew, s)
	}()
	return s, nil
}

// renew keeps the lease of s until ctx ends or etcd says that it is gone.
func (c *Cluster) renew(ctx context.Context, s *session) {
	for {
		keepalive, err := concurrency.NewSession(c.cfg.Client, concurrency.WithLease(s.lease), concurrency.WithContext(ctx))
		if err == nil {
			<-keepalive.Done() // ends with ctx too
		}
		if ctx.Err() != nil {
			return
		}
		// The client has stopped renewing. That says nothing about the lease; only etcd can.
		lives, err := c.lives(ctx, s.lease)
		if err != nil {
			s.cancel(err)
			return
		}
		if !lives {
			s.cancel(ErrLeaseLost)
			return
		}
		c.log.Info("renewals were interrupted; the lease lives and is renewed further")
		if !pause(ctx, rewatchAfter) {
			return
		}
	}
}

// lives asks etcd, for as long as it takes to get an answer, whether it knows the lease.
func (c *Cluster) lives(ctx context.Context, lease clientv3.LeaseID) (bool, error) {
	var lives bool
	err := c.ask(ctx, func(ctx context.Context) error {
		resp, err := c.cfg.Client.TimeToLive(ctx, lease)
		if err == nil {
			lives = resp.TTL >= 0 // -1: unknown
		}
		return err
	})
	return lives, err
}

// close ends the renewals and takes the lease back, with the keys that are left under it. It asks
// etcd once: if there is no answer the lease ends by itself.
func (c *Cluster) close(s *session) {
	s.stop()
	<-s.closed
	err := c.lastWord(s, func(ctx context.Context) error {
		_, err := c.cfg.Client.Revoke(ctx, s.lease)
		return err
	})
	if err != nil {
		c.log.Debug("session left to expire", "error", err)
	}
	s.cancel(nil)
}

// lastWord says something to etcd that the end of the lease would say later, also when the session
// has ended: for a short time, and not again in an ended session where etcd was silent to it.
func (c *Cluster) lastWord(s *session, say func(context.Context) error) error {
	if errors.Is(context.Cause(s.ctx), ErrLeaseLost) {
		return nil // all is gone with the lease
	}
	if s.silent.Load() && s.ctx.Err() != nil {
		return ErrUnreachable
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), farewell)
	defer cancel()
	// A closed client would go on trying.
	defer context.AfterFunc(c.cfg.Client.Ctx(), cancel)()
	err := say(ctx)
	if ctx.Err() != nil {
		s.silent.Store(true)
	}
	return err
}
