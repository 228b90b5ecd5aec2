package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestProofNeedsABrokenConnectionAndARefusedOrReplacedRedial(t *testing.T) {
	reset := fmt.Errorf("read: %w", syscall.ECONNRESET)
	tests := []struct {
		name         string
		found        finding
		end          error
		left, proves bool
	}{
		{"killed", refused, io.EOF, true, true},
		{"killed with something unread", refused, reset, true, true},
		{"killed and started again", replaced, io.EOF, true, true},
		{"ended its listener in peace", refused, ErrFarewell, true, false},
		{"ended in peace and started again", replaced, ErrFarewell, true, false},
		{"cut network, then a refusal", refused, syscall.ETIMEDOUT, true, false},
		{"deadline, then a refusal", refused, os.ErrDeadlineExceeded, true, false},
		{"closed by us", refused, net.ErrClosed, true, false},
		{"reset on the way", answers, reset, false, false},
		{"silence", unknown, reset, false, false},
		{"an address that leads to several nodes", taken, reset, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			end := fmt.Errorf("cluster: liveness: %w", tt.end)
			if left, proves := tt.found.left(), tt.found.proves(end); left != tt.left || proves != tt.proves {
				t.Errorf("left %v, proves %v; want %v, %v", left, proves, tt.left, tt.proves)
			}
		})
	}
}

// listening serves an identity until the test ends and returns its address.
func listening(t *testing.T, id Identity) string {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx, func() Identity { return id }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Address()
}

// dropping takes connections and drops them, so many, and is gone then.
func dropping(t *testing.T, times int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer l.Close()
		for range times {
			if conn, err := l.Accept(); err == nil {
				conn.Close()
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

func TestRedialSaysWhoIsThere(t *testing.T) {
	silent, err := Listen("127.0.0.1:0") // takes connections, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	tests := []struct {
		name, address string
		want          finding
	}{
		{"the same process", listening(t, Identity{Node: "a", Boot: "1"}), answers},
		{"the node, started again", listening(t, Identity{Node: "a", Boot: "2"}), replaced},
		{"another node", listening(t, Identity{Node: "b", Boot: "3"}), taken},
		{"nobody", dropping(t, 0), refused},
		{"a process that is being torn down", dropping(t, 3), refused},
		{"silence", silent.Address(), unknown},
		{"no such host", "host.invalid:1", unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := redial(t.Context(), Member{Name: "a", Boot: "1", Address: tt.address}); got != tt.want {
				t.Errorf("found %d, want %d", got, tt.want)
			}
		})
	}
}
