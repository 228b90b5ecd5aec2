package memory

import (
	"bufio"
	"net"
	"strconv"
	"strings"
	"sync"
)

// conn is one client's connection.
type conn struct {
	server *Server
	nc     net.Conn
	r      *bufio.Reader

	queued     [][]string // between MULTI and EXEC
	collecting bool

	writing  sync.Mutex
	out      []byte          // not sent yet
	channels map[string]bool // subscribed to; under the server's lock
	pushes   chan []any      // to a subscriber
}

// pushLimit is how many messages a subscriber may be behind before it loses some.
const pushLimit = 10_000

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{
		server: s, nc: nc, r: bufio.NewReaderSize(nc, 16<<10), channels: map[string]bool{},
	}
}

// hangUp ends the connection; serve returns then.
func (c *conn) hangUp() { _ = c.nc.Close() } // the other side may have been faster

// serve answers commands until the connection ends.
func (c *conn) serve() {
	defer c.server.forget(c)
	defer c.hangUp()
	var pusher sync.WaitGroup
	defer pusher.Wait()
	defer func() {
		if c.pushes != nil {
			c.server.unsubscribe(c)
			close(c.pushes)
		}
	}()
	for {
		args, err := readCommand(c.r)
		if err != nil {
			return
		}
		if len(args) == 0 {
			continue
		}
		if strings.EqualFold(args[0], "SUBSCRIBE") && c.pushes == nil {
			c.pushes = make(chan []any, pushLimit)
			pusher.Go(c.push)
		}
		if c.send(c.answer(args), c.r.Buffered() == 0) != nil {
			return
		}
	}
}

// push writes what is published to a subscriber.
func (c *conn) push() {
	for message := range c.pushes {
		if c.send(message, true) != nil {
			c.hangUp()
		}
	}
}

func (c *conn) send(reply any, flush bool) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.out = appendReply(c.out, reply)
	if !flush {
		return nil
	}
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err
}

// answer carries out one command of this connection.
func (c *conn) answer(args []string) any {
	switch name := strings.ToUpper(args[0]); {
	case name == "MULTI":
		c.collecting, c.queued = true, nil
		return ok
	case name == "EXEC":
		return c.exec()
	case name == "DISCARD":
		c.collecting = false
		return ok
	case c.collecting:
		c.queued = append(c.queued, args)
		return status("QUEUED")
	case name == "SUBSCRIBE":
		return c.server.subscribe(c, args[1:])
	case name == "UNSUBSCRIBE":
		c.server.unsubscribe(c)
		return []any{"unsubscribe", nil, int64(0)}
	case name == "PING" && c.pushes != nil:
		return []any{"pong", strings.Join(args[1:], "")}
	case name == "XREAD" || name == "XREADGROUP":
		return c.server.read(args)
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.server.do(args)
}

func (c *conn) exec() any {
	if !c.collecting {
		return fault("EXEC without MULTI")
	}
	c.collecting = false
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	replies := make([]any, len(c.queued))
	for i, args := range c.queued {
		replies[i] = c.server.do(args)
	}
	return replies
}

// subscribe adds channels; one reply array holds what Redis sends for the only channel, and several
// replies are written for several.
func (s *Server) subscribe(c *conn, channels []string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all several
	for _, name := range channels {
		c.channels[name] = true
		all = append(all, []any{"subscribe", name, int64(len(c.channels))})
	}
	return all
}

func (s *Server) unsubscribe(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(c.channels)
}

// publish hands a message to the subscribers of a channel. It needs the lock.
func (s *Server) publish(channel, text string) int64 {
	n := int64(0)
	for c := range s.open {
		if !c.channels[channel] {
			continue
		}
		n++
		select {
		case c.pushes <- []any{"message", channel, text}:
		default: // Redis too drops a subscriber that does not read
		}
	}
	return n
}

// readCommand reads an array of bulk strings.
func readCommand(r *bufio.Reader) ([]string, error) {
	n, err := readLength(r, '*')
	if err != nil || n < 0 {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		length, err := readLength(r, '$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, length+2)
		for done := 0; done < len(b); {
			n, err := r.Read(b[done:])
			if err != nil {
				return nil, err
			}
			done += n
		}
		args[i] = string(b[:length])
	}
	return args, nil
}

func readLength(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" || line[0] != kind {
		return 0, fault("protocol error at " + strconv.Quote(line))
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n < 0 || n > 512<<20 {
		return 0, fault("protocol error at " + strconv.Quote(line))
	}
	return n, nil
}
