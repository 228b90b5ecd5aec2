package executor

import (
	"context"
	"runtime"
	"sync"
)

// slots counts the free places for handlers.
type slots struct {
	mu    sync.Mutex
	free  int
	freed chan struct{} // closed and forgotten when places come free; nil when nobody waits
}

// available waits until there is a free place and returns how many there are, or 0 when ctx has
// ended. Others may take them first.
func (s *slots) available(ctx context.Context) int {
	for ctx.Err() == nil {
		s.mu.Lock()
		free := s.free
		if free == 0 && s.freed == nil {
			s.freed = make(chan struct{})
		}
		freed := s.freed
		s.mu.Unlock()
		if free > 0 {
			return free
		}
		select {
		case <-ctx.Done():
		case <-freed:
			runtime.Gosched() // handlers that are about to return give their places first
		}
	}
	return 0
}

// none reports whether every place is taken.
func (s *slots) none() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free == 0
}

// ample reports whether a quarter of all places is free.
func (s *slots) ample(all int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 4*s.free >= all
}

// take takes up to n places and returns how many it got.
func (s *slots) take(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.free)
	s.free -= n
	return n
}

// give returns n places.
func (s *slots) give(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	if s.freed != nil {
		close(s.freed)
		s.freed = nil
	}
}

// tally counts what Run must wait for: readers, and attempts until they are settled. Readers count
// from the beginning and attempts come from readers or from other attempts, so it reaches zero
// once.
type tally struct {
	mu   sync.Mutex
	n    int
	zero chan struct{}
}

func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += n
}

func (t *tally) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 {
		close(t.zero)
	}
}
