package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/internal/devstack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is what one command line gave.
type result struct {
	code     int
	out, err string
}

// environment is a process environment for run.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// call runs one command line in an environment.
func (e environment) call(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code := run(ctx, args, e.get, strings.NewReader(stdin), &out, &err)
	return result{code, out.String(), err.String()}
}

// must runs a command line that has to succeed and decodes its JSON into v, if v is not nil.
func (e environment) must(t *testing.T, v any, args ...string) {
	t.Helper()
	r := e.call(t, "", append(args, "-o", "json")...)
	if r.code != 0 || r.err != "" {
		t.Fatalf("carillon %s = %d, stderr %q", strings.Join(args, " "), r.code, r.err)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(r.out), v); err != nil {
		t.Fatalf("carillon %s: %v in %q", strings.Join(args, " "), err, r.out)
	}
}

// refused checks that a command line fails with the code and one line that holds the words.
func (e environment) refused(t *testing.T, code int, words []string, stdin string, args ...string) {
	t.Helper()
	r := e.call(t, stdin, args...)
	if r.code != code {
		t.Errorf("carillon %s = %d, want %d; stderr %q", strings.Join(args, " "), r.code, code, r.err)
	}
	if strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "carillon: ") {
		t.Errorf("carillon %s: stderr is not one line: %q", strings.Join(args, " "), r.err)
	}
	for _, word := range words {
		if !strings.Contains(r.err, word) {
			t.Errorf("carillon %s: stderr %q lacks %q", strings.Join(args, " "), r.err, word)
		}
	}
	if r.out != "" {
		t.Errorf("carillon %s: stdout is %q", strings.Join(args, " "), r.out)
	}
}

// startServers starts an etcd and a Redis and returns an environment that names them.
func startServers(t *testing.T) environment {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	etcd, err := devstack.StartEtcd(ctx, devstack.EtcdConfig{UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, etcd) })
	return environment{"CARILLON_ETCD": etcd.Endpoints()[0], "CARILLON_REDIS": startRedis(ctx, t)}
}

func startRedis(ctx context.Context, t *testing.T) string {
	t.Helper()
	redis, err := devstack.StartRedis(ctx, devstack.RedisConfig{})
	if errors.Is(err, devstack.ErrNoRedisServer) {
		memory, err := devstack.StartMemory(ctx)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closed(t, memory) })
		return memory.URL()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, redis) })
	return redis.URL()
}

func closed(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// background runs a command line until the test or stop ends it. Each line of its standard output
// comes through lines, which closes at the end.
type background struct {
	lines chan string
	stop  context.CancelFunc
	hurry context.CancelFunc
	ended chan result
}

func (e environment) start(t *testing.T, args ...string) *background {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	hurry, force := context.WithCancel(context.Background())
	b := &background{lines: make(chan string, 10_000), stop: stop, hurry: force, ended: make(chan result, 1)}
	read, write := io.Pipe()
	go func() {
		defer close(b.lines)
		split(read, b.lines)
	}()
	go func() {
		var err bytes.Buffer
		code := run(withHurry(ctx, hurry), args, e.get, strings.NewReader(""), write, &err)
		write.Close()
		b.ended <- result{code: code, err: err.String()}
	}()
	t.Cleanup(func() {
		stop()
		force()
		for range b.lines {
		}
	})
	return b
}

// split sends the lines of a stream as they come.
func split(r io.Reader, lines chan<- string) {
	text := make([]byte, 0, 4096)
	buffer := make([]byte, 4096)
	for {
		n, err := r.Read(buffer)
		text = append(text, buffer[:n]...)
		for {
			line, rest, found := bytes.Cut(text, []byte("\n"))
			if !found {
				break
			}
			lines <- string(line)
			text = rest
		}
		if err != nil {
			return
		}
	}
}

// await returns the first line from now on that holds all the words.
func (b *background) await(t *testing.T, within time.Duration, words ...string) string {
	t.Helper()
	limit := time.After(within)
	var seen []string
	for {
		select {
		case line, open := <-b.lines:
			if !open {
				t.Fatalf("ended without a line with %q: %q; %+v", words, seen, <-b.ended)
			}
			seen = append(seen, line)
			if holdsAll(line, words) {
				return line
			}
		case <-limit:
			t.Fatalf("no line with %q within %s: %q", words, within, seen)
		}
	}
}

func holdsAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// end stops the command and returns how it ended.
func (b *background) end(t *testing.T) result {
	t.Helper()
	b.stop()
	select {
	case r := <-b.ended:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("it did not end")
		return result{}
	}
}
