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

// stand campaigns and leads the group, again and again, until the session ends or the node has resigned.
func (g *group) stand(s *session, lead Lead) {
	wait := backoff{first: 100 * time.Millisecond, most: 5 * time.Second}
	for g.standing(s) {
		began := g.cfg.Now()
		err := g.clearAway(s)
		if err == nil {
			err = g.fit(s.ctx)
		}
		if err == nil {
			var office Office
			if office, err = g.campaign(s); err == nil {
				began = g.cfg.Now()
				err = g.hold(s, office, lead)
			}
			g.log.Debug("candidacy ended", "error", err)
		}
		if errors.Is(err, errLetPass) {
			continue
		}
		if g.cfg.Now().Sub(began) > g.cfg.TTL {
			wait.reset()
		}
		if g.standing(s) && !pause(s.ctx, wait.delay()) {
			return
		}
	}
	for g.remains && pause(s.ctx, wait.delay()) {
		if err := g.clearAway(s); err != nil {
			g.log.Debug("the office cannot be freed yet", "error", err)
		}
	}
}

// standing reports whether this node still seeks office in session s.
func (g *group) standing(s *session) bool {
	select {
	case <-g.resigned:
		return false
	default:
		return s.ctx.Err() == nil
	}
}

// fit asks CanLead whether this node could do a leader's work.
func (g *group) fit(ctx context.Context) error {
	if err := g.cfg.CanLead(ctx, g.index); err != nil {
		if ctx.Err() == nil {
			g.redis.failed(err)
		}
		return err
	}
	g.redis.worked()
	return nil
}

// campaign waits until this node is in office, or returns why it never will be in this attempt. A
// failed attempt leaves no key behind that etcd could have been told to delete.
func (g *group) campaign(s *session) (Office, error) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	watching.Go(func() {
		select {
		case <-g.resigned:
			cancel(ErrResigned)
		case <-ctx.Done():
		}
	})
	if g.cfg.Groups > 1 {
		watching.Go(func() {
			if g.letsPass(ctx) {
				cancel(errLetPass)
			}
		})
	}
	term, err := g.elect(ctx, s)
	if err != nil {
		return Office{}, errors.Join(err, context.Cause(ctx), g.withdraw(s))
	}
	return Office{Group: g.index, Epoch: s.epoch, Term: term}, nil
}

// elect runs one election and verifies its result: Campaign returns nil also for a candidate whose
// key has gone with its lease while it waited.
func (g *group) elect(ctx context.Context, s *session) (int64, error) {
	client, release := g.lingering(ctx)
	defer release()
	seat, err := concurrency.NewSession(client, concurrency.WithLease(s.lease))
	if err != nil {
		return 0, fmt.Errorf("cluster: campaign: %w", err)
	}
	defer seat.Orphan()
	election := concurrency.NewElection(seat, g.keys.election(g.index))
	if err := election.Campaign(clientv3.WithRequireLeader(ctx), g.cfg.Member.Name); err != nil {
		return 0, fmt.Errorf("cluster: campaign: %w", err)
	}
	var key string
	var first Leader
	err = g.ask(ctx, func(ctx context.Context) (err error) {
		key, first, err = firstCandidate(ctx, g.cfg.Client, g.keys, g.index)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cluster: campaign: verify: %w", err)
	}
	if key != g.keys.candidate(g.index, s.lease) || first.Term != election.Rev() {
		g.log.Warn("campaign was won without an election key", "term", election.Rev(), "leader", first.Name, "leader_term", first.Term)
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
func (g *group) hold(s *session, office Office, lead Lead) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	var wg sync.WaitGroup
	wg.Go(func() { g.guard(ctx, cancel, s, office.Term) })
	wg.Go(func() { g.lookout.use(ctx, s.ctx, g.watchOver) })
	if g.cfg.Groups > 1 {
		wg.Go(func() {
			if g.handsOver(ctx, office.Term) {
				cancel(ErrHandedOver)
			}
		})
	}
	wg.Go(func() {
		select {
		case <-g.resigned:
			cancel(ErrResigned)
		case <-ctx.Done():
		}
	})
	g.log.Info("took office", "term", office.Term)
	g.term.Store(office.Term)
	ended := make(chan error, 1)
	go func() { ended <- lead(ctx, office) }()
	err := g.giveUp(ctx, s, ended)
	g.term.Store(0)
	cause := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	g.log.Info("left office", "term", office.Term, "error", err, "cause", cause)
	return err
}

// giveUp waits for lead, whose error comes through ended, and frees the office. If lead was
// cancelled and lingers, the office is freed without it: a successor must not wait for a handler.
func (g *group) giveUp(ctx context.Context, s *session, ended <-chan error) error {
	select {
	case err := <-ended:
		return errors.Join(err, g.withdraw(s))
	case <-ctx.Done():
	}
	timer := time.NewTimer(handover)
	defer timer.Stop()
	select {
	case err := <-ended:
		return errors.Join(err, g.withdraw(s))
	case <-timer.C:
		werr := g.withdraw(s)
		return errors.Join(<-ended, werr)
	}
}

// guard ends the office by cancel when its key is gone.
func (g *group) guard(ctx context.Context, cancel context.CancelCauseFunc, s *session, term int64) {
	if err := g.waitGone(ctx, g.keys.candidate(g.index, s.lease), term); err == nil {
		cancel(ErrOfficeLost)
	}
}
