package devstack_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/carillon-project/carillon/internal/devstack"
)

func startRedis(t *testing.T, cfg devstack.RedisConfig) *devstack.Redis {
	t.Helper()
	r, err := devstack.StartRedis(patience(t), cfg)
	if errors.Is(err, devstack.ErrNoRedisServer) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestRedisKeepsItsDataThroughKillAndRestart(t *testing.T) {
	r := startRedis(t, devstack.RedisConfig{AppendOnly: true})
	c := connect(t, r.URL())
	if err := c.Set(patience(t), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	pid := r.Pid()
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Restart(patience(t)); err != nil {
		t.Fatal(err)
	}
	if r.Pid() == pid {
		t.Error("the process is the same")
	}
	if got, err := c.Get(patience(t), "k").Result(); err != nil || got != "v" {
		t.Errorf("k holds %q, %v", got, err)
	}
	if err := r.Restart(patience(t)); err != nil {
		t.Errorf("restart of a running server: %v", err)
	}
	if got, err := c.Get(patience(t), "k").Result(); err != nil || got != "v" {
		t.Errorf("k holds %q, %v", got, err)
	}
}

func TestRedisIsSetUpForTheStore(t *testing.T) {
	r := startRedis(t, devstack.RedisConfig{Args: []string{"--maxmemory", "64mb"}})
	c := connect(t, r.URL())
	for key, want := range map[string]string{"maxmemory-policy": "noeviction", "save": "", "appendonly": "no", "bind": "127.0.0.1", "maxmemory": "67108864"} {
		got, err := c.ConfigGet(patience(t), key).Result()
		if err != nil || got[key] != want {
			t.Errorf("%s is %q, %v, want %q", key, got[key], err, want)
		}
	}
}

func TestRedisIsOutOfReachOfTheTerminal(t *testing.T) {
	r := startRedis(t, devstack.RedisConfig{})
	group, err := syscall.Getpgid(r.Pid())
	if err != nil || group == syscall.Getpgrp() {
		t.Errorf("redis is in process group %d, %v; this is %d", group, err, syscall.Getpgrp())
	}
}

func TestRedisSaysWhyItDidNotStart(t *testing.T) {
	_, err := devstack.StartRedis(patience(t), devstack.RedisConfig{Args: []string{"--appendonly", "perhaps"}})
	if errors.Is(err, devstack.ErrNoRedisServer) {
		t.Skip(err)
	}
	if err == nil || !strings.Contains(err.Error(), "ended at once") {
		t.Errorf("got %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := devstack.StartRedis(patience(t), devstack.RedisConfig{}); !errors.Is(err, devstack.ErrNoRedisServer) {
		t.Errorf("without redis-server: got %v", err)
	}
}

func TestRedisEndsInTimeAndSaysSo(t *testing.T) {
	r := startRedis(t, devstack.RedisConfig{})
	done := r.Done()
	if err := syscall.Kill(r.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-done
	if err := r.Close(); err != nil {
		t.Errorf("close of an ended server: %v", err)
	}
}

func TestRedisDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only the Linux kernel promises it")
	}
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"=redis-parent", "DIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the child said %q", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for patience(t).Err() == nil {
		if ended(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond) // polls another process
	}
	t.Errorf("redis %d outlived its parent", pid)
}

// ended reports whether process pid is gone or only waits to be reaped.
func ended(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func TestRedisTakesARelativeDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	r := startRedis(t, devstack.RedisConfig{Dir: "data", AppendOnly: true})
	if err := connect(t, r.URL()).Set(t.Context(), "a", "b", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join("data", "redis.log")); err != nil {
		t.Error(err)
	}
}
