package cluster

import (
	"context"
	"sync"
)

// contacts are the processes of other nodes to which an open connection is held, by name. The zero
// value is ready.
type contacts struct {
	mu    sync.Mutex
	conns map[string]int
}

func (c *contacts) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		c.conns = map[string]int{}
	}
	c.conns[name]++
}

func (c *contacts) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns[name]--; c.conns[name] == 0 {
		delete(c.conns, name)
	}
}

func (c *contacts) has(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conns[name] > 0
}

func (c *contacts) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns)
}

// shared is something that runs while anybody needs it. The zero value is ready.
type shared struct {
	mu    sync.Mutex
	users int
	end   func()
}

// use has run going until ctx ends; run is given another context than ctx, which ends with its last
// user or with all. It returns when ctx has ended and, for the last user, run has.
func (s *shared) use(ctx, all context.Context, run func(context.Context)) {
	s.mu.Lock()
	if s.users++; s.users == 1 {
		running, cancel := context.WithCancel(all)
		var wg sync.WaitGroup
		wg.Go(func() { run(running) })
		s.end = func() { cancel(); wg.Wait() }
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.end()
	}
}
