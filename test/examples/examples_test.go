package examples_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/carillon-project/carillon/internal/devstack"
)

const module = "github.com/carillon-project/carillon"

// build makes the program of an example.
func build(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", program, module+"/examples/"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", name, err, out)
	}
	return program
}

// servers starts etcd and Redis, and returns the flags that say where they are.
func servers(t *testing.T) (flags []string) {
	t.Helper()
	etcd, err := devstack.StartEtcd(t.Context(), devstack.EtcdConfig{Dir: t.TempDir(), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = etcd.Close() })
	redis, err := devstack.StartRedis(t.Context(), devstack.RedisConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Close() })
	return []string{"-etcd", strings.Join(etcd.Endpoints(), ","), "-redis", redis.URL()}
}

// process is a running example.
type process struct {
	cmd   *exec.Cmd
	lines chan string // what it prints, until it ends
}

func start(t *testing.T, program string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, lines: make(chan string, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s %v ended with %v", filepath.Base(program), args, err)
		}
	})
	return p
}

// next waits for a line that contains what, and returns it.
func (p *process) next(t *testing.T, what string) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("it ended without printing %q", what)
			}
			if strings.Contains(line, what) {
				return line
			}
		case <-deadline:
			t.Fatalf("not within 20 s: a line with %q", what)
		}
	}
}

// rest waits for the end, and returns all that is printed until then.
func (p *process) rest(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	deadline := time.After(60 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return all.String()
			}
			all.WriteString(line + "\n")
		case <-deadline:
			t.Fatalf("it did not end within 60 s; it printed\n%s", all.String())
		}
	}
}

func TestQuickstart(t *testing.T) {
	program, flags := build(t, "quickstart"), servers(t)
	for _, scene := range []struct {
		name    string
		flags   []string
		matches []string // each must be found
		atLeast map[string]int
	}{
		{"first", []string{"-every", "1s", "-for", "6s"}, []string{
			`(?m)^added: interval_func_test in store redis, coalesce=all max_instances=8$`,
			`(?m)^added again: .*conflicting job id: "interval_func_test" is taken`,
			`(?m)^interval_func: runs every 1s$`, `(?m)^long_func begins: runs every 1s$`, `(?m)^long_func ends$`,
		}, map[string]int{"job executed: interval_func_test redis": 4, "job executed: long_func_test redis": 2}},
		{"lookup", nil, []string{
			`(?m)^an id of its own: [0-9a-f]{8}-[0-9a-f]{4}-`, `(?m)^got: [0-9a-f-]{36} redis$`, `(?m)^removed: .*job not found`,
		}, nil},
		{"backlog", []string{"-every", "1s", "-for", "20s"}, []string{
			`(?m)^backlog_all: map\[executed:\d+\]$`, `(?m)^backlog_one: map\[coalesced:[3-9] executed:\d+\]$`, `(?m)^backlog_missed: map\[.*missed:\d+\]$`,
		}, map[string]int{"job executed: backlog_all redis": 4, "job executed: backlog_one redis": 1}},
		{"pause", []string{"-every", "1s", "-for", "20s"}, []string{
			`(?m)^paused for 2s: nothing fires\nresumed: the backlog runs$`,
		}, map[string]int{"job executed: paused_job redis": 2}},
		{"shutdown", []string{"-every", "1s"}, []string{
			`(?s)shutdown with wait=true.*long_func begins: enqueued.*long_func ends.*shutdown with wait=false.*long_func is told to stop`,
		}, nil},
	} {
		t.Run(scene.name, func(t *testing.T) {
			t.Parallel()
			args := append(append([]string{"-namespace", scene.name}, flags...), scene.flags...)
			out := start(t, program, append(args, scene.name)...).rest(t)
			for _, m := range scene.matches {
				if !regexp.MustCompile(m).MatchString(out) {
					t.Errorf("%s is not in\n%s", m, out)
				}
			}
			for line, n := range scene.atLeast {
				if got := strings.Count(out, line); got < n {
					t.Errorf("%q was printed %d times, want %d at least, in\n%s", line, got, n, out)
				}
			}
		})
	}
}

// A later start adds nothing and consumes what is stored.
func TestQuickstartLater(t *testing.T) {
	t.Parallel()
	program, flags := build(t, "quickstart"), servers(t)
	flags = append(flags, "-every", "1s", "-for", "30s")
	start(t, program, append(flags, "later")...).next(t, "play it, then this one")
	first := start(t, program, append(flags, "first")...)
	first.next(t, "job executed: interval_func_test redis")
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	first.rest(t)
	later := start(t, program, append(flags, "later")...)
	later.next(t, "stored jobs: 2")
	later.next(t, "interval_func_test next at ")
	later.next(t, "job executed: interval_func_test redis")
}

func TestWebapp(t *testing.T) {
	t.Parallel()
	program, flags := build(t, "webapp"), servers(t)
	var addresses []string
	for range 2 {
		p := start(t, program, append(flags, "-listen", "127.0.0.1:0")...)
		addresses = append(addresses, strings.TrimPrefix(p.next(t, "listening on "), "listening on "))
	}
	// A minute that ends between the two requests is the one case in which they are two runs.
	var ids [2]string
	for range 2 {
		minute := time.Now().Minute()
		for i, address := range addresses {
			var answer struct {
				RunID string `json:"run_id"`
			}
			ask(t, http.MethodPost, address, &answer)
			ids[i] = answer.RunID
		}
		if time.Now().Minute() == minute {
			break
		}
	}
	if ids[0] == "" || ids[0] != ids[1] {
		t.Fatalf("two requests within a minute gave the runs %v, want one", ids)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		var rows []struct {
			RunID   string `json:"run_id"`
			Outcome string `json:"outcome"`
		}
		ask(t, http.MethodGet, addresses[0], &rows)
		n := 0
		for _, r := range rows {
			if r.RunID == ids[0] && r.Outcome == "executed" {
				n++
			}
		}
		if n == 1 {
			return
		}
		if time.Now().After(deadline) || n > 1 {
			t.Fatalf("the run stands %d times in the history %+v, want once", n, rows)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func ask(t *testing.T, method, address string, into any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+"/reports", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, address, resp.StatusCode, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
}
