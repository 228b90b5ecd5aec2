package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

const (
	// farewell bounds each last word to etcd: giving up an office, a candidacy, a session.
	farewell = 2 * time.Second
	// handover is how long an office is kept for a lead that was cancelled and has not returned.
	handover = 500 * time.Millisecond
)

// errNotElected means that the campaign ended without the office, whatever Campaign said.
var errNotElected = errors.New("cluster: campaign ended without the office")

// stand campaigns and leads, again and again, until the session ends or the node has resigned.
func (c *Cluster) stand(s *session, lead Lead) {
	wait := backoff{first: 100 * time.Millisecond, most: 5 * time.Second}
	for c.standing(s) {
		began := c.cfg.Now()
		err := c.clearAway(s)
		if err == nil {
			err = c.fit(s.ctx)
		}
		if err == nil {
			office, err := c.campaign(s)
			if err == nil {
				began = c.cfg.Now()
				err = c.hold(s, office, lead)
			}
			c.log.Debug("candidacy ended", "error", err)
		}
		if c.cfg.Now().Sub(began) > c.cfg.TTL {
			wait.reset()
		}
		if c.standing(s) && !pause(s.ctx, wait.delay()) {
			return
		}
	}
	for s.remains && pause(s.ctx, wait.delay()) {
		if err := c.clearAway(s); err != nil {
			c.log.Debug("the office cannot be freed yet", "error", err)
		}
	}
}

// standing reports whether this node still seeks office in session s.
func (c *Cluster) standing(s *session) bool {
	select {
	case <-c.resigned:
		return false
	default:
		return s.ctx.Err() == nil
	}
}

// fit asks CanLead whether this node could do a leader's work.
func (c *Cluster) fit(ctx context.Context) error {
	if err := c.cfg.CanLead(ctx); err != nil {
		if ctx.Err() == nil {
			c.redis.failed(err)
		}
		return err
	}
	c.redis.worked()
	return nil
}

// campaign waits until this node is in office, or returns why it never will be in this attempt. A
// failed attempt leaves no key behind that etcd could have been told to delete.
func (c *Cluster) campaign(s *session) (Office, error) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	watching.Go(func() {
		select {
		case <-c.resigned:
			cancel(ErrResigned)
		case <-ctx.Done():
		}
	})
	term, err := c.elect(ctx, s)
	if err != nil {
		return Office{}, errors.Join(err, c.withdraw(s))
	}
	return Office{Epoch: s.epoch, Term: term}, nil
}

// elect runs one election and verifies its result: Campaign returns nil also for a candidate whose
// key has gone with its lease while it waited.
func (c *Cluster) elect(ctx context.Context, s *session) (int64, error) {
	client, release := c.lingering(ctx)
	defer release()
	seat, err := concurrency.NewSession(client, concurrency.WithLease(s.lease))
	if err != nil {
		return 0, fmt.Errorf("cluster: campaign: %w", err)
	}
	defer seat.Orphan()
	election := concurrency.NewElection(seat, c.keys.election())
	if err := election.Campaign(clientv3.WithRequireLeader(ctx), c.cfg.Member.Name); err != nil {
		return 0, fmt.Errorf("cluster: campaign: %w", err)
	}
	var key string
	var first Leader
	err = c.ask(ctx, func(ctx context.Context) (err error) {
		key, first, err = firstCandidate(ctx, c.cfg.Client, c.keys)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cluster: campaign: verify: %w", err)
	}
	if key != c.keys.candidate(s.lease) || first.Term != election.Rev() {
		c.log.Warn("campaign was won without an election key", "term", election.Rev(), "leader", first.Name, "leader_term", first.Term)
		return 0, errNotElected
	}
	return first.Term, nil
}

// lingering returns a client whose own context ends a little after ctx. Campaign cleans up under
// the context of its client, which would otherwise have no end while etcd is silent.
func (c *Cluster) lingering(ctx context.Context) (client *clientv3.Client, release func()) {
	linger, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-ctx.Done():
			pause(linger, farewell)
			cancel()
		case <-linger.Done():
		}
	})
	client = clientv3.NewCtxClient(linger)
	client.KV, client.Lease, client.Watcher = c.cfg.Client.KV, c.cfg.Client.Lease, c.cfg.Client.Watcher
	return client, func() {
		cancel()
		wg.Wait()
	}
}

// hold calls lead and returns, with its error, when it has returned and the office is given up.
func (c *Cluster) hold(s *session, office Office, lead Lead) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.guard(ctx, cancel, s, office.Term) })
	wg.Go(func() { c.watchOver(ctx) })
	wg.Go(func() {
		select {
		case <-c.resigned:
			cancel(ErrResigned)
		case <-ctx.Done():
		}
	})
	c.log.Info("took office", "term", office.Term)
	c.term.Store(office.Term)
	ended := make(chan error, 1)
	go func() { ended <- lead(ctx, office) }()
	err := c.giveUp(ctx, s, ended)
	c.term.Store(0)
	cause := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	c.log.Info("left office", "term", office.Term, "error", err, "cause", cause)
	return err
}

// giveUp waits for lead, whose error comes through ended, and frees the office. If lead was
// cancelled and lingers, the office is freed without it: a successor must not wait for a handler.
func (c *Cluster) giveUp(ctx context.Context, s *session, ended <-chan error) error {
	select {
	case err := <-ended:
		return errors.Join(err, c.withdraw(s))
	case <-ctx.Done():
	}
	timer := time.NewTimer(handover)
	defer timer.Stop()
	select {
	case err := <-ended:
		return errors.Join(err, c.withdraw(s))
	case <-timer.C:
		werr := c.withdraw(s)
		return errors.Join(<-ended, werr)
	}
}

// guard ends the office by cancel when its key is gone.
func (c *Cluster) guard(ctx context.Context, cancel context.CancelCauseFunc, s *session, term int64) {
	if err := c.waitGone(ctx, c.keys.candidate(s.lease), term); err == nil {
		cancel(ErrOfficeLost)
	}
}
