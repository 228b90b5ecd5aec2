package cluster_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is a TCP relay in front of one etcd member that can be cut and frozen.
type proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu     sync.Mutex
	cut    bool
	frozen chan struct{} // non-nil while frozen; closed to thaw
	conns  map[net.Conn]struct{}
}

// startProxy relays to target, "127.0.0.1:port", until the test ends.
func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.thaw()
		l.Close()
		p.sever()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

// sever resets all connections and refuses new ones until mend.
func (p *proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// freeze keeps all connections and passes nothing on: what a silent network looks like.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.track(near) {
			near.Close()
			continue
		}
		far, err := net.Dial("tcp", p.target)
		if err != nil {
			p.drop(near)
			continue
		}
		if !p.track(far) {
			p.drop(near)
			far.Close()
			continue
		}
		p.wg.Go(func() { p.relay(near, far) })
		p.wg.Go(func() { p.relay(far, near) })
	}
}

func (p *proxy) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut {
		p.conns[c] = struct{}{}
	}
	return !p.cut
}

func (p *proxy) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *proxy) relay(from, to net.Conn) {
	defer p.drop(from)
	defer p.drop(to)
	_, _ = io.Copy(to, gated{from, p})
}

// gated holds back what was read while the proxy is frozen.
type gated struct {
	net.Conn
	p *proxy
}

func (g gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	g.p.mu.Lock()
	frozen := g.p.frozen
	g.p.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	return n, err
}
