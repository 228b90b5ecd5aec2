package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// stopPatience is how long Close waits for Redis to end by itself before it is killed.
const stopPatience = 5 * time.Second

// redisLog is the log file of redis-server in its directory.
const redisLog = "redis.log"

// ErrNoRedisServer means that no redis-server was found on the PATH. [StartMemory] does without.
var ErrNoRedisServer = errors.New("devstack: redis-server is not installed or not on the PATH")

// RedisConfig says what Redis to start. The zero value keeps nothing on disk.
type RedisConfig struct {
	// Dir is the working directory, with the append-only file and a redis.log. Empty means a
	// temporary directory that Close removes.
	Dir string
	// AppendOnly keeps the append-only file, so that a restart finds the data.
	AppendOnly bool
	// Args are further redis-server arguments, which win over the ones set here.
	Args []string
	// Log is told of starts and ends, at debug level. Nil means none.
	Log hclog.Logger
}

// Redis is a redis-server run as a child process. Its methods may be called from several
// goroutines; those that start or stop the server wait for one another.
type Redis struct {
	cfg     RedisConfig
	binary  string
	dir     string
	ownsDir bool
	addr    string

	mu    sync.Mutex
	child *child
}

// StartRedis starts redis-server on a free loopback port and returns once it answers, or ctx ends.
// The caller ends it with Close. ctx governs the start only. Without redis-server on the PATH the
// error is ErrNoRedisServer.
func StartRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoRedisServer, err)
	}
	dir, owns, err := dataDir(cfg.Dir, "carillon-redis-")
	if err != nil {
		return nil, fmt.Errorf("devstack: redis: data directory: %w", err)
	}
	r := &Redis{cfg: cfg, binary: binary, dir: dir, ownsDir: owns}
	for attempt := 1; ; attempt++ {
		err := r.startAnywhere(ctx)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, errPortTaken) || attempt == portAttempts {
			return nil, errors.Join(err, r.removeDir())
		}
	}
}

// URL returns the address as go-redis and the --redis flag take it. It survives Restart.
func (r *Redis) URL() string { return redisURL(r.addr) }

// Addr returns "127.0.0.1:port". It survives Restart.
func (r *Redis) Addr() string { return r.addr }

// Pid returns the process id of the running, or else of the last, redis-server.
func (r *Redis) Pid() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.child.pid
}

// Done returns a channel that closes when the present redis-server has ended, for whatever reason.
func (r *Redis) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.child.done
}

// Kill ends redis-server with SIGKILL and waits until it is gone. Restart brings it back.
func (r *Redis) Kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.child.kill()
}

// Restart starts redis-server again on the same port and directory and waits until it answers; a
// running one is shut down first. Data is kept as far as AppendOnly keeps it.
func (r *Redis) Restart(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.child.shutdown(stopPatience); err != nil {
		return err
	}
	return r.startAt(ctx, r.addr)
}

// Close shuts redis-server down, which writes out what it has, and kills it if it does not end in
// five seconds. It may be called again.
func (r *Redis) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.child.shutdown(stopPatience), r.removeDir())
}

func (r *Redis) removeDir() error {
	if !r.ownsDir {
		return nil
	}
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("devstack: redis: remove data directory: %w", err)
	}
	return nil
}

func (r *Redis) startAnywhere(ctx context.Context) error {
	addrs, err := FreeAddrs(1)
	if err != nil {
		return err
	}
	r.addr = addrs[0]
	return r.startAt(ctx, r.addr)
}

func (r *Redis) startAt(ctx context.Context, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("devstack: redis: start: %w", err)
	}
	logged := r.logSize()
	c, err := startChild(r.command(port))
	if err != nil {
		return fmt.Errorf("devstack: redis: start: %w", err)
	}
	err = waitRedis(ctx, addr, c)
	if errors.Is(err, errEnded) {
		err = r.whyEnded(logged)
	}
	if err != nil {
		return fmt.Errorf("devstack: redis: start on %s: %w", addr, errors.Join(err, c.kill()))
	}
	r.cfg.Log.Debug("redis started", "address", addr, "pid", c.pid)
	r.child = c
	return nil
}

func (r *Redis) command(port string) *exec.Cmd {
	appendOnly := "no"
	if r.cfg.AppendOnly {
		appendOnly = "yes"
	}
	args := append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", r.dir, "--daemonize", "no",
		"--logfile", redisLog, "--save", "", "--appendonly", appendOnly,
		"--maxmemory-policy", "noeviction",
	}, r.cfg.Args...)
	cmd := exec.Command(r.binary, args...)
	cmd.Dir = r.dir
	cmd.SysProcAttr = childAttr()
	return cmd
}

// child is a process that somebody waits for.
type child struct {
	pid  int
	proc *os.Process
	done chan struct{} // closed when it has ended
}

// startChild starts cmd from a thread that lives as long as the process: the kernel's promise to
// kill a child with its parent looks at the parent's thread.
func startChild(cmd *exec.Cmd) (*child, error) {
	started, done := make(chan error, 1), make(chan struct{})
	go waitOnThread(cmd, started, done)
	if err := <-started; err != nil {
		return nil, err
	}
	return &child{pid: cmd.Process.Pid, proc: cmd.Process, done: done}, nil
}

func (c *child) kill() error {
	if err := c.proc.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("devstack: kill process %s: %w", strconv.Itoa(c.pid), err)
	}
	<-c.done
	return nil
}

// shutdown asks the process to end, as SHUTDOWN would but without needing a connection.
func (c *child) shutdown(patience time.Duration) error {
	if err := c.proc.Signal(syscall.SIGTERM); err != nil {
		return c.kill() // ended already, or no such signal here
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
		return c.kill()
	}
}
