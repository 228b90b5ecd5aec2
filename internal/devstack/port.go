package devstack

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// portAttempts is how often a server is started anew when its port was taken between choosing it
// and binding it.
const portAttempts = 5

// FreeAddrs returns n different loopback addresses "127.0.0.1:port" that were free when it looked.
// Nothing reserves them: whoever binds one must be ready to ask again.
func FreeAddrs(n int) ([]string, error) {
	addrs := make([]string, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("devstack: choose port: %w", err)
		}
		// Closed only when all are chosen, so that none is handed out twice.
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// portTaken reports whether err says that an address is in use. etcd wraps some of these errors
// without keeping the chain, hence the look at the text.
func portTaken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "address already in use")
}
