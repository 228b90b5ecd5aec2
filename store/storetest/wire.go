package storetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is a plain connection to the server: the suite's own view of what is stored, which shares
// no code with the store.
type wire struct {
	t    testing.TB
	mu   sync.Mutex
	conn net.Conn
	r    *bufio.Reader
}

// serverError is a reply that begins with "-".
type serverError string

func (e serverError) Error() string { return string(e) }

const wirePatience = 20 * time.Second

func dialWire(t testing.TB, rawURL string) *wire {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, wirePatience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w := &wire{t: t, conn: conn, r: bufio.NewReader(conn)}
	if db := strings.Trim(u.Path, "/"); db != "" && db != "0" {
		w.do("SELECT", db)
	}
	return w
}

// do sends a command and fails the test if the server refuses it. The answer is a string, an
// int64, nil, or a []any of these.
func (w *wire) do(args ...any) any {
	w.t.Helper()
	reply, err := w.try(args...)
	if err != nil {
		w.t.Fatalf("%v: %v", args, err)
	}
	return reply
}

func (w *wire) try(args ...any) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		s := fmt.Sprint(a)
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(s), s)
	}
	_ = w.conn.SetDeadline(time.Now().Add(wirePatience)) //nolint:forbidigo // a deadline of a socket, not a decision
	if _, err := io.WriteString(w.conn, b.String()); err != nil {
		return nil, err
	}
	return readReply(w.r)
}

func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("empty reply")
	}
	switch rest := line[1:]; line[0] {
	case '+':
		return rest, nil
	case '-':
		return nil, serverError(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '$':
		return readBulk(r, rest)
	case '*':
		return readArray(r, rest)
	}
	return nil, fmt.Errorf("reply %q is not understood", line)
}

func readBulk(r *bufio.Reader, length string) (any, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return nil, err
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return string(b[:n]), nil
}

func readArray(r *bufio.Reader, length string) (any, error) {
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return nil, err
	}
	list := make([]any, n)
	for i := range list {
		if list[i], err = readReply(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// texts is do for commands that answer a list of strings.
func (w *wire) texts(args ...any) []string {
	w.t.Helper()
	list, _ := w.do(args...).([]any)
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = fmt.Sprint(v)
	}
	return all
}

// text is do for commands that answer one string or number; "" when there is none.
func (w *wire) text(args ...any) string {
	w.t.Helper()
	if v := w.do(args...); v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// number is do for commands that answer a number, or a string that holds one; 0 when there is none.
func (w *wire) number(args ...any) int64 {
	w.t.Helper()
	s := w.text(args...)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		w.t.Fatalf("%v: %v", args, err)
	}
	return n
}

// scan returns every key that matches.
func (w *wire) scan(match string) []string {
	w.t.Helper()
	var all []string
	for cursor := "0"; ; {
		reply, _ := w.do("SCAN", cursor, "MATCH", match, "COUNT", 1000).([]any)
		if len(reply) != 2 {
			w.t.Fatalf("SCAN answered %v", reply)
		}
		keys, _ := reply[1].([]any)
		for _, k := range keys {
			all = append(all, fmt.Sprint(k))
		}
		if cursor = fmt.Sprint(reply[0]); cursor == "0" {
			return all
		}
	}
}
