package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// devEndpoints is what `carillon dev` writes for those who want to join.
type devEndpoints struct {
	Etcd  []string `json:"etcd"`
	Redis string   `json:"redis"`
	HTTP  []string `json:"http"`
}

// dev is a `carillon dev` process.
type dev struct {
	*rig.Process
	dir   string
	fired chan string // the line of the first firing
}

func startDev(t *testing.T) *dev {
	t.Helper()
	d := &dev{dir: artifacts(t), fired: make(chan string, 1)}
	must(t, os.MkdirAll(d.dir, 0o755))
	var err error
	d.Process, err = rig.Spawn("dev", filepath.Join(d.dir, "dev.log"), nil, []string{binary, "dev", "--data", filepath.Join(d.dir, "data")}, func(line string) {
		if strings.Contains(line, " fired on ") {
			select {
			case d.fired <- line:
			default:
			}
		}
	})
	must(t, err)
	t.Cleanup(func() {
		d.Kill()
		if t.Failed() {
			t.Logf("logs are in %s", d.dir)
		} else {
			must(t, os.RemoveAll(d.dir))
		}
	})
	return d
}

// endpoints reads endpoints.json.
func (d *dev) endpoints(t *testing.T) devEndpoints {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "data", "endpoints.json"))
	must(t, err)
	var e devEndpoints
	must(t, json.Unmarshal(text, &e))
	if len(e.Etcd) == 0 || e.Redis == "" || len(e.HTTP) != 3 {
		t.Fatalf("endpoints are %+v, want etcd, Redis and three nodes", e)
	}
	return e
}

// TestDevFirstFiring is the first minute of a new user: the sample jobs fire soon, a node of one's
// own can join and gets work, and Ctrl-C leaves nothing behind.
func TestDevFirstFiring(t *testing.T) {
	began := time.Now()
	d := startDev(t)
	select {
	case line := <-d.fired:
		t.Logf("first firing %s after the start: %s", round(time.Since(began)), line)
	case <-d.Done():
		t.Fatalf("dev ended with code %d", d.ExitCode())
	case <-time.After(10 * time.Second):
		t.Fatal("no sample job has fired within 10 s")
	}
	d.join(t, d.endpoints(t))

	children := rig.Children(d.Pid())
	if len(children) == 0 {
		t.Error("dev has no child, not even a redis-server")
	}
	d.Signal(os.Interrupt)
	code, err := d.Wait(within(t, 20*time.Second))
	if err != nil || code != 0 {
		t.Errorf("asked to end, dev ended with code %d, %v", code, err)
	}
	if left := slices.DeleteFunc(children, func(pid int) bool { return !rig.Alive(pid) }); len(left) > 0 {
		t.Errorf("processes %v outlived dev", left)
	}
}

// join starts a further node, which alone serves an executor, has it run a job, and ends it.
func (d *dev) join(t *testing.T, e devEndpoints) {
	t.Helper()
	ready := make(chan struct{}, 1)
	node, err := rig.Spawn("guest", filepath.Join(d.dir, "guest.log"), nil, []string{
		binary, "node", "--name", "guest", "--etcd", strings.Join(e.Etcd, ","), "--redis", e.Redis, "--executor", "guests=4",
	}, func(line string) {
		if strings.HasPrefix(line, "ready name=guest address=") {
			ready <- struct{}{}
		}
	})
	must(t, err)
	defer node.Kill()
	select {
	case <-ready:
	case <-node.Done():
		t.Fatalf("the guest ended with code %d", node.ExitCode())
	case <-time.After(20 * time.Second):
		t.Fatal("the guest is not ready")
	}
	must(t, runsOnGuest(within(t, 10*time.Second), e.Redis))
	node.Signal(os.Interrupt)
	if code, err := node.Wait(within(t, 15*time.Second)); err != nil || code != 0 {
		t.Errorf("asked to end, the guest ended with code %d, %v", code, err)
	}
}

// runsOnGuest adds a job for the guest's executor and waits until the guest has run it.
func runsOnGuest(ctx context.Context, redis string) error {
	client, err := carillon.NewClient(ctx, carillon.ClientConfig{Redis: redis, Namespace: "default"})
	if err != nil {
		return err
	}
	defer client.Close()
	ran := errors.New("ran on the guest")
	following, found := context.WithCancelCause(ctx)
	defer found(nil)
	_, err = client.AddJob(ctx, carillon.Job{
		ID: "for-the-guest", Task: "log", Executor: "guests", Trigger: carillon.Every(200 * time.Millisecond),
		Args: carillon.Args(map[string]string{"message": "hello, guest"}),
	})
	if err != nil {
		return err
	}
	err = client.Subscribe(following, carillon.Mask(carillon.JobExecuted), func(e carillon.Event) {
		if e.JobID == "for-the-guest" && e.Node == "guest" {
			found(ran)
		}
	})
	if !errors.Is(context.Cause(following), ran) {
		return fmt.Errorf("no run on the guest: %w", err)
	}
	return client.RemoveJob(ctx, "for-the-guest")
}
