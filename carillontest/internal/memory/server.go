package memory

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Server is a Redis without a network. Make it with New. Its methods are safe for concurrent use.
type Server struct {
	now   func() time.Time
	conns sync.WaitGroup

	mu       sync.Mutex
	values   map[string]any       // *string, hash, zset, set, *list, *stream
	expiries map[string]time.Time // of the keys that have one
	scripts  map[string]*lua.FunctionProto
	state    *lua.LState
	open     map[*conn]bool
	changed  chan struct{} // closed and made anew when a stream grows
	released chan struct{} // likewise, when blocked reads shall return
	closed   bool
}

// New makes an empty server. Close it when nothing uses it any more.
func New() *Server {
	s := &Server{
		now: time.Now, values: map[string]any{}, expiries: map[string]time.Time{}, scripts: map[string]*lua.FunctionProto{},
		open: map[*conn]bool{}, changed: make(chan struct{}), released: make(chan struct{}),
	}
	s.state = s.newState()
	return s
}

// ErrClosed is the error of Dial after Close.
var ErrClosed = errors.New("memory: the server is closed")

// Dial connects to the server, whatever the address. It has the form that store.Config.Dial wants.
func (s *Server) Dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	if !s.Serve(far) {
		return nil, errors.Join(ErrClosed, near.Close())
	}
	return near, nil
}

// Serve answers on a connection until either side closes it, in a goroutine that Close waits for.
// It reports false, and closes the connection, when the server is closed.
func (s *Server) Serve(nc net.Conn) bool {
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.hangUp()
		return false
	}
	s.open[c] = true
	s.conns.Go(c.serve)
	return true
}

// Release makes every read that waits for a stream return, as if its time were over.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.released)
	s.released = make(chan struct{})
}

// Close ends all connections and waits for their goroutines. It may be called again.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.released)
		for c := range s.open {
			c.hangUp()
		}
	}
	s.mu.Unlock()
	s.conns.Wait()
}

// Keys returns the keys that begin with a prefix, in no order.
func (s *Server) Keys(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keysLike(prefix + "*")
}

// Fields returns the fields of a hash, in no order; none if there is no such hash.
func (s *Server) Fields(key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, _ := s.value(key).(hash)
	return slices.Collect(maps.Keys(h))
}

// grown wakes the reads that wait for a stream.
func (s *Server) grown() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// forget drops a connection that has ended.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}
