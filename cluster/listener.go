package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// livenessPath is where a Listener answers who it is.
	livenessPath = "/liveness"
	// livenessProtocol is the token of the Upgrade header on both sides.
	livenessProtocol = "carillon-liveness"
	// readHeaderTimeout bounds the head of a request, against clients that never finish one.
	readHeaderTimeout = 5 * time.Second
	// drainTimeout is how long Serve lets requests finish that are under way when it ends.
	drainTimeout = 2 * time.Second
)

// Identity is what a Listener says about its process.
type Identity struct {
	Node string `json:"node"`
	Boot string `json:"boot"`
	// Term is the term the node leads under, or 0; of several groups, that of group 0.
	Term int64 `json:"term"`
	// Terms are those of all groups, by their numbers; empty where there is only one.
	Terms []int64 `json:"terms,omitempty"`
}

// leads returns the term under which the node leads a group, or 0.
func (i Identity) leads(group int) int64 {
	switch {
	case group < len(i.Terms):
		return i.Terms[group]
	case group == 0:
		return i.Term
	}
	return 0
}

// Listener is a node's port. It serves liveness connections, and whatever HTTP is mounted beside.
//
// That its connections end without a farewell and a redial is refused is taken as proof that the
// process is gone, and with it all that ran in it. Serve says farewell however it ends.
type Listener struct {
	net net.Listener
	mux *http.ServeMux

	mu     sync.Mutex
	open   map[net.Conn]struct{} // liveness connections; nil once Serve is ending
	serves sync.WaitGroup        // their goroutines
}

// Listen opens addr, "host:port" with port 0 for a free one. Connections wait until Serve is called.
// The caller ends it with Serve, or with Close if Serve is never called.
func Listen(addr string) (*Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cluster: listen: %w", err)
	}
	return &Listener{net: l, mux: http.NewServeMux(), open: map[net.Conn]struct{}{}}, nil
}

// Address returns "host:port" as it was bound, with the port that was chosen for port 0.
func (l *Listener) Address() string { return l.net.Addr().String() }

// Handle mounts h beside the liveness path; pattern is as for http.ServeMux. It panics for a
// pattern that is taken, and must not be called once Serve was.
func (l *Listener) Handle(pattern string, h http.Handler) { l.mux.Handle(pattern, h) }

// Close frees the port of a Listener that will not Serve. After Serve it does nothing.
func (l *Listener) Close() error {
	if err := l.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("cluster: close listener: %w", err)
	}
	return nil
}

// Serve answers until ctx ends, then frees the port, cuts the liveness connections, lets other
// requests finish for up to two seconds, and returns nil. identity is asked at each handshake, from
// several goroutines. An error means that serving ended by itself.
func (l *Listener) Serve(ctx context.Context, identity func() Identity) error {
	l.mux.Handle("GET "+livenessPath, l.liveness(identity))
	server := &http.Server{Handler: l.mux, ReadHeaderTimeout: readHeaderTimeout}
	var err, served error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		served = server.Serve(l.net)
	}()
	select {
	case <-ended:
		err = fmt.Errorf("cluster: serve: %w", served)
	case <-ctx.Done():
	}
	l.cut()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if server.Shutdown(drain) != nil {
		_ = server.Close() // cuts what did not finish in time
	}
	<-ended
	l.cut() // handshakes that were under way
	l.serves.Wait()
	return err
}

// cut closes all liveness connections, with a word that tells it from a process that dies, and lets
// no new ones begin.
func (l *Listener) cut() {
	_ = l.net.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.open {
		_, _ = conn.Write([]byte(farewellLine)) // whoever does not hear it learns less, and nothing wrong
		conn.Close()
	}
	l.open = nil
}

// liveness turns a request into a connection that says one line and stays open.
func (l *Listener) liveness(identity func() Identity) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != livenessProtocol {
			w.Header().Set("Upgrade", livenessProtocol)
			http.Error(w, "this path speaks "+livenessProtocol+" only", http.StatusUpgradeRequired)
			return
		}
		line, err := json.Marshal(identity())
		if err != nil {
			http.Error(w, "no identity", http.StatusInternalServerError)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, "connection cannot be kept open", http.StatusInternalServerError)
			return
		}
		if !l.register(conn) {
			conn.Close()
			return
		}
		defer l.serves.Done()
		defer l.drop(conn)
		converse(conn, line)
	})
}

// register notes conn and reports whether it may live.
func (l *Listener) register(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return false
	}
	l.open[conn] = struct{}{}
	l.serves.Add(1)
	return true
}

func (l *Listener) drop(conn net.Conn) {
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
}

// converse completes the handshake with the identity line and returns when either side has ended the
// connection. What the peer sends is thrown away.
func converse(conn net.Conn, line []byte) {
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return
	}
	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + livenessProtocol + "\r\n\r\n"
	if _, err := conn.Write(append([]byte(head), append(line, '\n')...)); err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, conn)
}
