package executor

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/carillon-project/carillon/store"
)

// renewLimit bounds the runs of one renewal call.
const renewLimit = 1000

// leases are the attempts that a line holds, with the local ends of their leases. An attempt whose
// handler has returned is not renewed any more: what is left of its lease is the time in which the
// store must be told.
type leases struct {
	now  func() time.Time
	mu   sync.Mutex
	held map[*attempt]bool
	look *time.Timer // calls expire; nil before it is needed
	at   time.Time   // when it does, not after the first deadline; zero = it does not
}

func (s *leases) add(a *attempt, deadline time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[a] = true
	a.deadline = deadline
	s.lookAt(deadline)
}

// lookAt has expire called at a time, if it is not sooner. The lock is held.
func (s *leases) lookAt(at time.Time) {
	if !s.at.IsZero() && !at.Before(s.at) {
		return
	}
	s.at = at
	if left := at.Sub(s.now()); s.look == nil {
		s.look = time.AfterFunc(left, s.expire)
	} else {
		s.look.Reset(left)
	}
}

// expire ends what is left of the leases that have ended, and looks again when the next may have.
func (s *leases) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = time.Time{}
	now := s.now()
	for a := range s.held {
		switch {
		case a.state != running:
		case now.Before(a.deadline):
			s.lookAt(a.deadline)
		default:
			s.lose(a)
		}
	}
}

// lose is called with the lock held.
func (s *leases) lose(a *attempt) {
	a.state = lost
	a.cancel(ErrLeaseLost)
}

// running returns the attempts to renew.
func (s *leases) running() []*attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*attempt, 0, len(s.held))
	for a := range s.held {
		if a.state == running {
			all = append(all, a)
		}
	}
	return all
}

// renewed acts on the answer to a renewal that was good until deadline.
func (s *leases) renewed(a *attempt, answer store.Renewal, deadline time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.state != running {
		return
	}
	switch answer {
	case store.Renewed:
		a.deadline = deadline // expire looks again when it is called
	case store.RenewCancels:
		a.deadline = deadline
		a.cancel(ErrCancelled)
	case store.RenewLost:
		s.lose(a)
	}
}

// end notes that the handler has returned, and returns the state before.
func (s *leases) end(a *attempt) attemptState {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := a.state
	if was != abandoned {
		a.state = ended
	}
	return was
}

// over reports whether the lease of a has ended, as counted here.
func (s *leases) over(a *attempt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.now().Before(a.deadline)
}

func (s *leases) remove(a *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(a)
}

// forget is called with the lock held.
func (s *leases) forget(a *attempt) {
	if delete(s.held, a); len(s.held) == 0 && s.look != nil {
		s.look.Stop()
		s.at = time.Time{}
	}
}

// abandon gives up every attempt whose handler has not returned, and returns them.
func (s *leases) abandon() []*attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*attempt
	for a := range s.held {
		if a.state == running || a.state == lost {
			a.state = abandoned
			s.forget(a)
			all = append(all, a)
		}
	}
	return all
}

// renew keeps the leases until ctx ends: every third of their length, at once when asked, and
// sooner after a failure.
func (l *line) renew(ctx context.Context) {
	t := l.trouble("renewing leases")
	timer := time.NewTimer(l.cfg.Lease / 3)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.renewNow:
		}
		if err := l.renewOnce(ctx); err != nil {
			l.noteCut(err)
			t.note(err)
			timer.Reset(t.delay(l.cfg.Lease / 6))
			continue
		}
		if t.clear() {
			l.reportSoon()
		}
		timer.Reset(l.cfg.Lease / 3)
	}
}

// renewSoon wakes the renewer, and does not wait.
func (l *line) renewSoon() {
	select {
	case l.renewNow <- struct{}{}:
	default:
	}
}

func (l *line) renewOnce(ctx context.Context) error {
	for part := range slices.Chunk(l.leases.running(), renewLimit) {
		held := make([]store.Held, len(part))
		for i, a := range part {
			held[i] = a.held()
		}
		deadline := l.cfg.Now().Add(l.cfg.Lease)
		answers, err := l.askRenewal(ctx, held)
		if err != nil {
			return err
		}
		for i, a := range part {
			l.leases.renewed(a, answers[i], deadline)
		}
	}
	return nil
}

func (l *line) askRenewal(ctx context.Context, held []store.Held) ([]store.Renewal, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Lease/3)
	defer cancel()
	return l.queue.Renew(ctx, l.consumer.Partition, l.cfg.Lease, held)
}
