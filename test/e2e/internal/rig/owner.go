package rig

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
)

// ownerOf returns which of the processes holds the far end of a loopback connection, or "" if none
// of them does any more or this system has no /proc. names is by process id.
func ownerOf(c net.Conn, names map[int]string) string {
	far, ok := c.RemoteAddr().(*net.TCPAddr)
	near, ok2 := c.LocalAddr().(*net.TCPAddr)
	if !ok || !ok2 {
		return ""
	}
	inode := inodeOf(far.Port, near.Port)
	if inode == "" {
		return ""
	}
	for pid, name := range names {
		if holds(pid, "socket:["+inode+"]") {
			return name
		}
	}
	return ""
}

// inodeOf finds the socket that is connected from one local port to another: several connections may
// begin at the same port, as long as they lead to different ones.
func inodeOf(from, to int) string {
	at := func(port int) string { return fmt.Sprintf("0100007F:%04X", port) } // 127.0.0.1 as little-endian machines print it
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[1] == at(from) && fields[2] == at(to) && fields[9] != "0" {
			return fields[9]
		}
	}
	return ""
}

// holds reports whether a process has the file open.
func holds(pid int, file string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	open, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, entry := range open {
		if target, err := os.Readlink(dir + "/" + entry.Name()); err == nil && target == file {
			return true
		}
	}
	return false
}
