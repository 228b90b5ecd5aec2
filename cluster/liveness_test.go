package cluster_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/carillon-project/carillon/cluster"
)

// serve starts a Listener and returns it with a function that ends it and waits.
func serve(t *testing.T, identity func() cluster.Identity) (*cluster.Listener, func()) {
	t.Helper()
	l, err := cluster.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Handle("/other", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx, identity) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return l, stop
}

func dialLiveness(t *testing.T, addr string) *cluster.Liveness {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l, err := cluster.DialLiveness(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLivenessTellsIdentityAtEachHandshake(t *testing.T) {
	term := int64(0)
	l, _ := serve(t, func() cluster.Identity {
		term++
		return cluster.Identity{Node: "a", Boot: "b", Term: term}
	})
	for want := int64(1); want <= 2; want++ {
		live := dialLiveness(t, l.Address())
		if got := live.Identity(); !reflect.DeepEqual(got, cluster.Identity{Node: "a", Boot: "b", Term: want}) {
			t.Errorf("handshake %d: got %+v", want, got)
		}
		if err := live.Err(); err != nil {
			t.Errorf("open connection has error %v", err)
		}
	}
}

func TestLivenessEndsWithTheListenerAndRedialIsRefused(t *testing.T) {
	l, stop := serve(t, func() cluster.Identity { return cluster.Identity{Node: "a", Boot: "b"} })
	live := dialLiveness(t, l.Address())
	stop()
	<-live.Done()
	if !errors.Is(live.Err(), cluster.ErrFarewell) {
		t.Errorf("ended with %v", live.Err())
	}
	if _, err := cluster.DialLiveness(t.Context(), l.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("redial: %v", err)
	}
}

func TestLivenessCloseEndsBothSides(t *testing.T) {
	l, stop := serve(t, func() cluster.Identity { return cluster.Identity{Node: "a", Boot: "b"} })
	live := dialLiveness(t, l.Address())
	if err := live.Close(); err != nil {
		t.Error(err)
	}
	<-live.Done()
	if !errors.Is(live.Err(), net.ErrClosed) {
		t.Errorf("ended with %v", live.Err())
	}
	if err := live.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	stop() // hangs if the server's side was left open
}

func TestListenerServesHTTPBesideAndRefusesPlainRequests(t *testing.T) {
	l, _ := serve(t, func() cluster.Identity { return cluster.Identity{Node: "a", Boot: "b"} })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]int{"/other": 200, "/liveness": http.StatusUpgradeRequired, "/none": 404} {
		resp, err := client.Get("http://" + l.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
}

// answer accepts one connection after another and says text on each, then closes it.
func answer(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, text)
			io.Copy(io.Discard, io.LimitReader(conn, 1))
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestDialLivenessTellsStrangersFromSilence(t *testing.T) {
	const upgraded = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: carillon-liveness\r\n\r\n"
	tests := []struct {
		name, says string
		stranger   bool
	}{
		{"says nothing", "", false},
		{"cut in the head", "HTTP/1.1 101 Swi", false},
		{"cut in the line", upgraded + `{"node":"a"`, false},
		{"another protocol", "-ERR unknown command\r\n", true},
		{"plain HTTP", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true},
		{"another upgrade", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n{}\n", true},
		{"not JSON", upgraded + "hello\n", true},
		{"nobody", upgraded + `{"node":"","boot":""}` + "\n", true},
		{"endless", upgraded + strings.Repeat(" ", 1<<20), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cluster.DialLiveness(t.Context(), answer(t, tt.says))
			if err == nil {
				t.Fatal("accepted")
			}
			if got := errors.Is(err, cluster.ErrNotLiveness); got != tt.stranger {
				t.Errorf("stranger: %v, want %v (%v)", got, tt.stranger, err)
			}
		})
	}
}

func TestDialLivenessHeedsItsContext(t *testing.T) {
	l, err := cluster.Listen("127.0.0.1:0") // accepts, never serves
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := cluster.DialLiveness(ctx, l.Address())
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add(`{"node":"a","boot":"b","term":7}`)
	f.Add(`{"node":"a"}`)
	f.Fuzz(func(t *testing.T, line string) {
		id, err := cluster.ParseIdentity([]byte(line))
		if err == nil && (id.Node == "" || id.Boot == "") {
			t.Errorf("%q was taken for %+v", line, id)
		}
		if err != nil && !errors.Is(err, cluster.ErrNotLiveness) {
			t.Errorf("%q: %v", line, err)
		}
	})
}
