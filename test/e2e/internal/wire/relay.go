package wire

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Relay relays connections to one server. Its methods may be called from several goroutines.
type Relay struct {
	listener net.Listener
	target   string
	scripts  *Scripts // nil = bytes are passed unread
	wg       sync.WaitGroup

	mu       sync.Mutex
	severed  bool
	thawed   chan struct{} // closed while nothing is frozen
	delay    time.Duration
	conns    map[net.Conn]struct{}
	catches  []*Catch
	holds    map[string]chan struct{} // closed when calls of that script may go on
	refusals int
}

// Listen relays a free loopback port to target, "127.0.0.1:port". The caller closes it.
func Listen(target string) (*Relay, error) { return listen(target, nil) }

// ListenRedis is Listen for a Redis server, whose scripts are learned into the given set, which
// relays of one server share.
func ListenRedis(target string, scripts *Scripts) (*Relay, error) { return listen(target, scripts) }

func listen(target string, scripts *Scripts) (*Relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("wire: relay to %s: %w", target, err)
	}
	r := &Relay{listener: l, target: target, scripts: scripts, conns: map[net.Conn]struct{}{}, thawed: make(chan struct{})}
	close(r.thawed)
	r.wg.Go(r.accept)
	return r, nil
}

// Addr is "127.0.0.1:port" of the relay.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Sever resets all connections and refuses new ones until Mend.
func (r *Relay) Sever() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.severed = true
	for c := range r.conns {
		reset(c)
	}
}

// Freeze keeps all connections, also new ones, and passes nothing on until Mend: what a silent
// network looks like.
func (r *Relay) Freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.thawed:
		r.thawed = make(chan struct{})
	default:
	}
}

// Delay holds each piece of what passes for d, in both directions, until Mend.
func (r *Relay) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// Mend ends Sever, Freeze and Delay.
func (r *Relay) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.severed, r.delay = false, 0
	select {
	case <-r.thawed:
	default:
		close(r.thawed)
	}
}

// Close ends all connections and waits for all goroutines.
func (r *Relay) Close() error {
	err := r.listener.Close()
	r.Sever()
	r.mu.Lock()
	catches := r.catches
	r.mu.Unlock()
	for _, c := range catches {
		c.Drop()
	}
	r.letGo()
	r.mu.Lock()
	select {
	case <-r.thawed:
	default:
		close(r.thawed)
	}
	r.mu.Unlock()
	r.wg.Wait()
	return err
}

func (r *Relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.connect(near) })
	}
}

// connect relays one connection to its end.
func (r *Relay) connect(near net.Conn) {
	if !r.track(near) {
		reset(near)
		return
	}
	defer r.drop(near)
	far, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	if !r.track(far) {
		far.Close()
		return
	}
	defer r.drop(far)
	talk := &talk{relay: r, near: near, far: far}
	var back sync.WaitGroup
	back.Go(func() {
		talk.replies()
		near.Close()
		far.Close()
	})
	talk.requests()
	near.Close()
	far.Close()
	back.Wait()
}

// track remembers a connection, unless all are severed.
func (r *Relay) track(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.severed {
		r.conns[c] = struct{}{}
	}
	return !r.severed
}

func (r *Relay) drop(c net.Conn) {
	c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// pass waits until a piece may pass.
func (r *Relay) pass() {
	r.mu.Lock()
	delay, thawed := r.delay, r.thawed
	r.mu.Unlock()
	if delay > 0 {
		<-time.NewTimer(delay).C
	}
	<-thawed
}

// reset closes a connection so that its peer notices at once.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a connection that has ended needs none
	}
	c.Close()
}

// copyAll passes bytes unread.
func (r *Relay) copyAll(to, from net.Conn) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			r.pass()
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
