package store

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// crossing carries submissions that come from many goroutines: what gathers while calls are under way
// goes together in the next. A lone submission waits for nobody.
type crossing struct {
	mu     sync.Mutex
	piers  map[pier]*pierState
	ferry  sync.WaitGroup
	closed bool
}

// pier is what submissions that travel together have in common.
type pier struct {
	partition int
	executor  string
	life      int
}

type pierState struct {
	waiting []*passenger
	under   int // calls under way
}

// passenger is a submission under way.
type passenger struct {
	Submission
	answer string
	err    error
	landed chan struct{} // closed when answer and err are set
}

// One call takes submissions up to these bounds, and one whatever its size.
const (
	crossingMessages = 500
	crossingBytes    = 1 << 20
	// crossingCalls may be under way at once, so that one is made while Redis carries out another.
	crossingCalls = 3
)

func (c *crossing) submit(ctx context.Context, s *Store, partition int, sub Submission) (string, error) {
	at := pier{partition, sub.Messages[0].Executor, sub.life()}
	p := &passenger{Submission: sub, landed: make(chan struct{})}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return "", s.explain("enqueue", redis.ErrClosed)
	}
	if c.piers == nil {
		c.piers = map[pier]*pierState{}
	}
	state := c.piers[at]
	if state == nil {
		state = &pierState{}
		c.piers[at] = state
	}
	state.waiting = append(state.waiting, p)
	if state.under < crossingCalls {
		state.under++
		carry := context.WithoutCancel(ctx) // others travel along
		c.ferry.Go(func() { c.run(carry, s, at) })
	}
	c.mu.Unlock()
	select {
	case <-p.landed:
		return p.answer, p.err
	case <-ctx.Done():
		return "", s.explain("enqueue", context.Cause(ctx))
	}
}

// run carries until nobody waits.
func (c *crossing) run(ctx context.Context, s *Store, at pier) {
	for {
		aboard := c.board(at)
		if len(aboard) == 0 {
			return
		}
		subs := make([]Submission, len(aboard))
		for i, p := range aboard {
			subs[i] = p.Submission
		}
		answers, err := s.submitAll(ctx, at.partition, subs)
		for i, p := range aboard {
			p.err = err
			if answers != nil {
				p.answer = answers[i]
			}
			close(p.landed)
		}
	}
}

// board takes those who wait, as many as one call may hold. When there are none the call is the last
// but those under way, and the last of them closes the pier.
func (c *crossing) board(at pier) []*passenger {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.piers[at]
	waiting := state.waiting
	if len(waiting) == 0 {
		if state.under--; state.under == 0 {
			delete(c.piers, at)
		}
		return nil
	}
	n, messages, bytes := 0, 0, 0
	for _, p := range waiting {
		messages += len(p.Messages)
		for _, m := range p.Messages {
			bytes += len(m.Args)
		}
		if n > 0 && (messages > crossingMessages || bytes > crossingBytes) {
			break
		}
		n++
	}
	state.waiting = waiting[n:]
	return waiting[:n]
}

// close lets those under way arrive and takes no more.
func (c *crossing) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.ferry.Wait()
}
