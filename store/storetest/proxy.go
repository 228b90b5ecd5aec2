package storetest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/carillon-project/carillon/store"
)

// proxy stands between a store and its server and loses replies: a script is carried out, and the
// connection ends before its reply.
type proxy struct {
	server string
	l      net.Listener
	wg     sync.WaitGroup

	mu    sync.Mutex
	armed int    // how many replies of scripts are still to be lost
	hook  func() // called once, before the next script is passed on
	conns []net.Conn
	ended bool
}

// lossy makes a rig's store reach its server through a proxy.
func lossy(t *testing.T, into **proxy) func(*store.Config) {
	return func(c *store.Config) {
		u, err := url.Parse(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		if u.Query().Has("addr") {
			t.Skip("the nodes of a Redis Cluster name themselves; a proxy cannot stand before them")
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p := &proxy{server: u.Host, l: l}
		p.wg.Go(p.accept)
		t.Cleanup(p.close)
		u.Host = l.Addr().String()
		*into, c.URL = p, u.String()
	}
}

// lose makes the next n scripts that are carried out lose their replies.
func (p *proxy) lose(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = n
}

// before calls f once, when the next script has left the store and not yet reached the server.
func (p *proxy) before(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hook = f
}

// intrude calls the hook if the request is a script.
func (p *proxy) intrude(request []byte) {
	p.mu.Lock()
	f := p.hook
	if f == nil || !isScript(request) {
		p.mu.Unlock()
		return
	}
	p.hook = nil
	p.mu.Unlock()
	f()
}

func isScript(request []byte) bool {
	return strings.Contains(strings.ToLower(string(request[:min(len(request), 30)])), "\r\neval")
}

// left is how many replies are still to be lost.
func (p *proxy) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.armed
}

func (p *proxy) close() {
	p.mu.Lock()
	p.ended = true
	_ = p.l.Close()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// keep remembers a connection for close, or ends it when close was there first.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		_ = c.Close()
		return false
	}
	p.conns = append(p.conns, c)
	return true
}

func (p *proxy) accept() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		if p.keep(client) && p.keep(server) {
			p.wg.Go(func() { p.relay(client, server) })
		}
	}
}

// relay passes one command and its reply at a time.
func (p *proxy) relay(client, server net.Conn) {
	defer func() { _, _ = client.Close(), server.Close() }()
	requests, replies := bufio.NewReader(client), bufio.NewReader(server)
	for {
		request, err := rawValue(requests)
		if err != nil {
			return
		}
		p.intrude(request)
		if _, err := server.Write(request); err != nil {
			return
		}
		reply, err := rawValue(replies)
		if err != nil || p.loses(request, reply) {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

func (p *proxy) loses(request, reply []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed == 0 || !isScript(request) || bytes.HasPrefix(reply, []byte("-NOSCRIPT")) {
		return false
	}
	p.armed--
	return true
}

// rawValue reads one value of the protocol, RESP2 or RESP3, and returns its bytes.
func rawValue(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("line %q is not understood", line)
	}
	n, each := 0, 0
	switch line[0] {
	case '$', '=', '!':
		n, err = strconv.Atoi(strings.TrimSpace(string(line[1:])))
		if err != nil || n < 0 {
			return line, err
		}
		rest := make([]byte, n+2)
		_, err = io.ReadFull(r, rest)
		return append(line, rest...), err
	case '*', '~', '>':
		each = 1
	case '%':
		each = 2
	default:
		return line, nil
	}
	if n, err = strconv.Atoi(strings.TrimSpace(string(line[1:]))); err != nil {
		return nil, err
	}
	for range n * each {
		value, err := rawValue(r)
		if err != nil {
			return nil, err
		}
		line = append(line, value...)
	}
	return line, nil
}
