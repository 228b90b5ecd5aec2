package executor

import "sync"

// startLimit bounds the start calls of a line: one that the store works on, and one that is ready to follow.
const startLimit = 2

// starts are the start calls of a line that are under way beside its reader. The store is asked in the order
// in which they began, so that what was fetched first is judged first.
type starts struct {
	mu    sync.Mutex
	n     int
	err   error         // the first since somebody asked
	ended chan struct{} // closed and forgotten when one ends; nil when nobody waits
	last  chan struct{} // closed when the store has answered the latest; nil before the first
}

// begin runs f beside the caller, who must wait for it in the end. f asks the store between the end of
// earlier and its call of answered.
func (s *starts) begin(f func(earlier <-chan struct{}, answered func()) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	earlier, mine := s.last, make(chan struct{})
	if earlier == nil {
		earlier = make(chan struct{})
		close(earlier)
	}
	s.last = mine
	go func() { s.end(f(earlier, sync.OnceFunc(func() { close(mine) }))) }()
}

func (s *starts) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n--
	if s.err == nil {
		s.err = err
	}
	if s.ended != nil {
		close(s.ended)
		s.ended = nil
	}
}

// wait waits until no more than n are under way, and returns the first error since it was last called. They
// all end within a lease.
func (s *starts) wait(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.n > n {
		if s.ended == nil {
			s.ended = make(chan struct{})
		}
		ended := s.ended
		s.mu.Unlock()
		<-ended
		s.mu.Lock()
	}
	err := s.err
	s.err = nil
	return err
}
