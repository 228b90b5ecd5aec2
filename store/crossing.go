package store

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// crossing carries submissions that come from many goroutines: what gathers while calls are under way
// goes together in the next. A lone submission waits for nobody.
type crossing struct {
	mu     sync.Mutex
	piers  map[pier]*pierState
	idle   sync.Pool // of passengers that have landed and told their answer
	ferry  sync.WaitGroup
	closed bool
}

// pier is what submissions that travel together have in common.
type pier struct {
	partition int
	executor  string
}

type pierState struct {
	waiting []*passenger
	under   int // calls under way
}

// passenger is a submission under way.
type passenger struct {
	AdHoc
	answer string
	err    error
	landed chan struct{} // holds one when answer and err are set
}

// One call takes submissions up to these bounds, and one whatever its size.
const (
	crossingMessages = 500
	crossingBytes    = 1 << 20
	// crossingCalls may be under way at once, so that one is made while Redis carries out another.
	crossingCalls = 2
)

func (c *crossing) submit(ctx context.Context, s *Store, partition int, sub AdHoc) (string, error) {
	p, _ := c.idle.Get().(*passenger)
	if p == nil {
		p = &passenger{landed: make(chan struct{}, 1)}
	}
	p.AdHoc = sub
	if !c.queue(ctx, s, pier{partition, sub.Form.executor}, p) {
		return "", s.explain("enqueue", redis.ErrClosed)
	}
	select {
	case <-p.landed:
		answer, err := p.answer, p.err
		*p = passenger{landed: p.landed}
		c.idle.Put(p)
		return answer, err
	case <-ctx.Done():
		return "", s.explain("enqueue", context.Cause(ctx))
	}
}

// queue has p wait at a pier, and sees to it that a call will fetch it, unless the crossing is closed.
func (c *crossing) queue(ctx context.Context, s *Store, at pier, p *passenger) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
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
	return true
}

// run carries until nobody waits.
func (c *crossing) run(ctx context.Context, s *Store, at pier) {
	l := load{store: s, partition: at.partition}
	var aboard []*passenger
	for {
		if aboard = c.board(at, aboard[:0]); len(aboard) == 0 {
			return
		}
		l.carry(ctx, aboard)
		for _, p := range aboard {
			p.landed <- struct{}{}
		}
		runtime.Gosched() // those who have landed may have more to send
	}
}

// board appends to aboard those who wait, as many as one call may hold. When there are none the call is
// the last but those under way, and the last of them closes the pier.
func (c *crossing) board(at pier, aboard []*passenger) []*passenger {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.piers[at]
	if len(state.waiting) == 0 {
		if state.under--; state.under == 0 {
			delete(c.piers, at)
		}
		return aboard
	}
	n, messages, bytes := 0, 0, 0
	for _, p := range state.waiting {
		m, b := p.size()
		messages, bytes = messages+m, bytes+b
		if n > 0 && (messages > crossingMessages || bytes > crossingBytes) {
			break
		}
		n++
	}
	aboard = append(aboard, state.waiting[:n]...)
	state.waiting = slices.Delete(state.waiting, 0, n)
	return aboard
}

// close lets those under way arrive and takes no more.
func (c *crossing) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.ferry.Wait()
}
