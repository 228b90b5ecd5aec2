package memory_test

import (
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/carillontest/internal/memory"
	"github.com/carillon-project/carillon/store"
	"github.com/carillon-project/carillon/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The store cannot tell the server from Redis: its whole conformance suite passes.
func TestStoreConformance(t *testing.T) {
	url := listen(t)
	storetest.Run(t, func(*testing.T) store.Config { return store.Config{URL: url} })
}

// listen puts a server on a port, for a suite that looks at what is stored over a socket.
func listen(t *testing.T) (url string) {
	t.Helper()
	server := memory.New()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			server.Serve(conn)
		}
	}()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-accepting
		server.Close()
	})
	return "redis://" + l.Addr().String() + "/0"
}
