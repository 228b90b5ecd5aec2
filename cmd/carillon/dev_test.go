package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDevFiresItsFirstJobSoonAndEndsClean(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dev := environment{}.start(t, "dev", "--nodes", "2", "--data", dir)
	dev.await(t, 10*time.Second, "fired on node-")

	text, err := os.ReadFile(filepath.Join(dir, endpointsFile))
	if err != nil {
		t.Fatal(err)
	}
	var e endpoints
	if err := json.Unmarshal(text, &e); err != nil || len(e.Etcd) != 1 || len(e.HTTP) != 2 || !strings.HasPrefix(e.Redis, "redis://") {
		t.Fatalf("%s: %s: %v", endpointsFile, text, err)
	}
	env := environment{"CARILLON_ETCD": e.Etcd[0], "CARILLON_REDIS": e.Redis}
	var list []document
	env.must(t, &list, "job", "list")
	if len(list) != len(sampleJobs()) {
		t.Errorf("it has %d jobs", len(list))
	}
	if r := env.call(t, "", "health", "--ready", "--address", strings.TrimPrefix(e.HTTP[1], "http://")); r.code != 0 {
		t.Errorf("health: %+v", r)
	}
	environment{}.refused(t, 1, []string{"another carillon dev"}, "", "dev", "--data", dir)
	joined := env.start(t, "node", "--name", "guest", "--log-level", "off")
	joined.await(t, patient, "ready name=guest")
	if r := joined.end(t); r.code != 0 {
		t.Errorf("the guest ended with %+v", r)
	}

	if r := dev.end(t); r.code != 0 || r.err != "" {
		t.Errorf("dev ended with %+v", r)
	}
	if _, err := os.Stat(filepath.Join(dir, endpointsFile)); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", endpointsFile, err)
	}
}

func TestDevKeepsItsDataAndPrintsJSON(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("without redis-server nothing is kept")
	}
	dir := t.TempDir()
	begin := func() (endpoints, *background) {
		dev := environment{}.start(t, "dev", "--nodes", "1", "--data", dir, "-o", "json")
		var e endpoints
		if err := json.Unmarshal([]byte(dev.await(t, patient, `"etcd"`)), &e); err != nil {
			t.Fatal(err)
		}
		return e, dev
	}
	e, dev := begin()
	env := environment{"CARILLON_REDIS": e.Redis}
	env.must(t, nil, "job", "add", "--id", "kept", "--task", "log", "--every", "1h")
	if r := dev.end(t); r.code != 0 {
		t.Fatalf("dev ended with %+v", r)
	}
	e, dev = begin()
	env = environment{"CARILLON_REDIS": e.Redis}
	env.must(t, nil, "job", "get", "kept")
	dev.await(t, patient, `"job_started"`, "hello-every-2s")
	if r := dev.end(t); r.code != 0 {
		t.Fatalf("dev ended with %+v", r)
	}
}

func TestDevWithoutRedisServerSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	dev := environment{}.start(t, "dev", "--nodes", "1")
	dev.await(t, patient, "in memory", "end with this process")
	dev.await(t, patient, "fired on node-1")
	if r := dev.end(t); r.code != 0 || r.err != "" {
		t.Errorf("dev ended with %+v", r)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDevStoppedWhileItStarts(t *testing.T) {
	t.Parallel()
	dev := environment{}.start(t, "dev")
	if r := dev.end(t); r.code != 0 || r.err != "" {
		t.Errorf("dev ended with %+v", r)
	}
}
