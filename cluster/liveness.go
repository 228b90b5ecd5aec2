package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// maxHandshake bounds an answer, in bytes: a peer is not to be trusted with our memory.
const maxHandshake = 8192

// ErrNotLiveness means that something answered which is no Listener of this package. Unlike silence
// it proves that whoever listened there before does not any more.
var ErrNotLiveness = errors.New("answer is not a liveness handshake")

// ErrFarewell means that the peer ended its Listener itself. What that process began may still be
// going on in it.
var ErrFarewell = errors.New("peer said farewell")

// farewellLine is what a Listener says before it ends a connection; a process that dies cannot.
const farewellLine = "farewell\n"

// Liveness is one open connection to another node's Listener.
type Liveness struct {
	conn     net.Conn
	identity Identity
	ended    chan struct{}
	err      error // written before ended is closed
}

// DialLiveness connects to the Listener at addr and returns once it has said who it is. ctx governs
// the handshake only; the caller ends the connection with Close.
func DialLiveness(ctx context.Context, addr string) (*Liveness, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cluster: liveness: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	identity, rest, err := greet(conn, addr)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("cluster: liveness: handshake with %s: %w", addr, err)
	}
	l := &Liveness{conn: conn, identity: identity, ended: make(chan struct{})}
	go l.listen(rest)
	return l, nil
}

// Identity returns what the peer said when the connection was made. Its term may be over.
func (l *Liveness) Identity() Identity { return l.identity }

// Done returns a channel that closes when the connection has ended, by either side.
func (l *Liveness) Done() <-chan struct{} { return l.ended }

// Err returns why the connection ended: ErrFarewell if the peer said so, io.EOF if its kernel closed
// it, net.ErrClosed after Close, else what the network said. It is nil until Done is closed.
func (l *Liveness) Err() error {
	select {
	case <-l.ended:
		return l.err
	default:
		return nil
	}
}

// Close ends the connection and waits until Done is closed. It may be called again.
func (l *Liveness) Close() error {
	err := l.conn.Close()
	<-l.ended
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("cluster: liveness: close: %w", err)
	}
	return nil
}

// listen waits for the end of the connection, or the word that it comes. Nothing else is expected
// after the identity.
func (l *Liveness) listen(rest io.Reader) {
	defer close(l.ended)
	defer l.conn.Close()
	word, err := bufio.NewReader(io.LimitReader(rest, int64(len(farewellLine)))).ReadString('\n')
	switch {
	case err == nil && word == farewellLine:
		err = ErrFarewell
	case err == nil || len(word) == len(farewellLine):
		_, err = io.Copy(io.Discard, rest)
	}
	if err == nil {
		err = io.EOF
	}
	l.err = fmt.Errorf("cluster: liveness: connection to %s ended: %w", l.identity.Node, err)
}

// greet asks for the upgrade and reads the identity; what follows it comes from rest.
func greet(conn net.Conn, addr string) (id Identity, rest io.Reader, err error) {
	request := "GET " + livenessPath + " HTTP/1.1\r\nHost: " + addr + "\r\nConnection: Upgrade\r\nUpgrade: " + livenessProtocol + "\r\n\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		return Identity{}, nil, err
	}
	r := bufio.NewReader(io.LimitReader(conn, maxHandshake))
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return Identity{}, nil, unlessNetwork(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != livenessProtocol {
		return Identity{}, nil, fmt.Errorf("%w: HTTP status %s", ErrNotLiveness, resp.Status)
	}
	line, err := r.ReadBytes('\n')
	if err != nil {
		return Identity{}, nil, unlessNetwork(err)
	}
	ahead, _ := r.Peek(r.Buffered()) // what has been read already cannot fail
	id, err = parseIdentity(line)
	return id, io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), conn), err
}

// unlessNetwork marks err as ErrNotLiveness unless the connection failed, which says nothing about
// who is at its other end.
func unlessNetwork(err error) error {
	var network net.Error
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotLiveness, err)
}

// parseIdentity reads the one line that a Listener says.
func parseIdentity(line []byte) (Identity, error) {
	var id Identity
	if err := json.Unmarshal(line, &id); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrNotLiveness, err)
	}
	if id.Node == "" || id.Boot == "" {
		return Identity{}, fmt.Errorf("%w: it names no node", ErrNotLiveness)
	}
	return id, nil
}
