package executor

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// slots counts the free places for handlers.
type slots struct {
	mu    sync.Mutex
	free  int
	want  int           // how many whoever wants least of those who wait wants
	freed chan struct{} // closed and forgotten when so many are free; nil when nobody waits
}

// available waits until there is a free place and returns how many there are, or 0 when ctx has
// ended. Others may take them first.
func (s *slots) available(ctx context.Context) int { return s.wait(ctx, 1, nil) }

// await is available for n places, but no longer than limit: then it returns how many are free, be it none.
func (s *slots) await(ctx context.Context, n int, limit time.Duration) int {
	if free, _ := s.look(n); free >= n {
		return free
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	return s.wait(ctx, n, timer.C)
}

// wait waits until n places are free, enough is heard of, or ctx ends.
func (s *slots) wait(ctx context.Context, n int, enough <-chan time.Time) int {
	for over := false; ctx.Err() == nil; {
		free, freed := s.look(n)
		if free >= n || over {
			return free
		}
		select {
		case <-ctx.Done():
		case <-enough:
			over = true
		case <-freed:
			runtime.Gosched() // handlers that are about to return give their places first
		}
	}
	return 0
}

// look returns how many places are free and, if these are fewer than n, what closes when so many are.
func (s *slots) look(n int) (free int, freed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free >= n {
		return s.free, nil
	}
	if s.freed == nil {
		s.freed, s.want = make(chan struct{}), n
	}
	s.want = min(s.want, n)
	return s.free, s.freed
}

// none reports whether every place is taken.
func (s *slots) none() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free == 0
}

// has reports whether n places are free.
func (s *slots) has(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free >= n
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
	if s.freed != nil && s.free >= s.want {
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
