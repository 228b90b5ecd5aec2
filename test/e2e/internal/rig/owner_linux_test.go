package rig

import (
	"net"
	"syscall"
	"testing"
)

// Two processes may each have a connection that begins at one port: the one that leads to the witness
// tells who called it.
func TestInodeIsThatOfTheConnectionNotOfThePort(t *testing.T) {
	reuse := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
	}}
	var inodes []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		c, err := reuse.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		reuse.LocalAddr = c.LocalAddr()
		inodes = append(inodes, inodeOf(c.LocalAddr().(*net.TCPAddr).Port, l.Addr().(*net.TCPAddr).Port))
	}
	if inodes[0] == "" || inodes[1] == "" || inodes[0] == inodes[1] {
		t.Errorf("inodes of two connections from one port are %q", inodes)
	}
}
