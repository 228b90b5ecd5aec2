package devstack

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

var (
	// errPortTaken means that somebody else answers on, or holds, the port chosen for Redis.
	errPortTaken = errors.New("port taken by another process")
	// errEnded means that redis-server ended before it answered; its log knows why.
	errEnded = errors.New("redis-server ended at once")
)

// askEvery is the pause between two questions whether Redis is ready.
const askEvery = 5 * time.Millisecond

// waitOnThread starts cmd and waits for it on one operating system thread of its own.
func waitOnThread(cmd *exec.Cmd, started chan<- error, done chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err == nil {
		_ = cmd.Wait() // how it ended is known from who ended it
	}
	close(done)
}

// waitRedis returns once the process c answers PING on addr. A server that is still loading its
// data does not count, and neither does somebody else's.
func waitRedis(ctx context.Context, addr string, c *child) error {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		if err := askRedis(ctx, addr, c.pid); err == nil || errors.Is(err, errPortTaken) {
			return err
		}
		select {
		case <-ticker.C:
		case <-c.done:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", ctx.Err())
		}
	}
}

// askRedis asks whether the server on addr is ready and is process pid.
func askRedis(ctx context.Context, addr string, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write([]byte("INFO server\r\nPING\r\n")); err != nil {
		return err
	}
	ours := false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "process_id:"):
			if line != fmt.Sprintf("process_id:%d", pid) {
				return errPortTaken
			}
			ours = true
		case line == "+PONG" && ours:
			return nil
		case strings.HasPrefix(line, "-"):
			return errors.New(line[1:])
		}
	}
	return errors.New("connection closed")
}

// logSize returns how much redis-server has logged in this directory so far.
func (r *Redis) logSize() int64 {
	info, err := os.Stat(filepath.Join(r.dir, redisLog))
	if err != nil {
		return 0
	}
	return info.Size()
}

// whyEnded reads the reason from what redis-server logged beyond the first skip bytes.
func (r *Redis) whyEnded(skip int64) error {
	text, err := os.ReadFile(filepath.Join(r.dir, redisLog))
	if err != nil {
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	text = bytes.TrimSpace(text[min(int64(len(text)), skip):])
	if bytes.Contains(text, []byte("Address already in use")) {
		return errPortTaken
	}
	last := text[bytes.LastIndexByte(text, '\n')+1:]
	return fmt.Errorf("%w: %s", errEnded, last)
}
