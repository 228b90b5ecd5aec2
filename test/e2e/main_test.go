package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/rig"
)

// binary is the carillon command, built once.
var binary string

func TestMain(m *testing.M) {
	if code, child := rig.Child(); child {
		os.Exit(code)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "carillon-e2e-")
	if err == nil {
		defer os.RemoveAll(dir)
		binary, err = rig.Build(context.Background(), dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// scene is a stack with the client of one test.
type scene struct {
	*rig.Stack
	client *carillon.Client
	dir    string
	seed   uint64
	random *rand.Rand
}

// begin starts a stack with the given number of etcd members (0 = one inside this process) and
// three ready nodes. When the test ends all is stopped; when it failed the evidence is kept.
func begin(t *testing.T, members int, nodes ...string) *scene {
	t.Helper()
	return beginWith(t, rig.Config{Members: members}, nodes...)
}

// beginWith is begin with a stack of another kind; it fills in the binary and the directory.
func beginWith(t *testing.T, cfg rig.Config, nodes ...string) *scene {
	t.Helper()
	ctx := within(t, 60*time.Second)
	sc := &scene{dir: artifacts(t), seed: seed(t)}
	sc.random = rand.New(rand.NewPCG(sc.seed, 0))
	t.Logf("seed %d", sc.seed)
	var err error
	cfg.Binary, cfg.Dir = binary, sc.dir
	sc.Stack, err = rig.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sc.end(t) })
	if err := sc.StartNodes(ctx, nodes...); err != nil {
		t.Fatal(err)
	}
	if sc.client, err = sc.Client(ctx); err != nil {
		t.Fatal(err)
	}
	return sc
}

// end stops everything, and keeps the evidence of a failed test.
func (sc *scene) end(t *testing.T) {
	if t.Failed() && sc.client != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		h, err := sc.History(ctx, sc.client, t.Name(), sc.seed)
		if err == nil {
			err = h.Write(filepath.Join(sc.dir, "history.json"))
		}
		if err != nil {
			t.Error(err)
		}
	}
	if sc.client != nil {
		sc.client.Close()
	}
	if err := sc.Close(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Logf("history and logs are in %s", sc.dir)
		return
	}
	if err := os.RemoveAll(sc.dir); err != nil {
		t.Error(err)
	}
}

// artifacts is a new directory for the logs of a test.
func artifacts(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("artifacts", t.Name()))
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("CARILLON_E2E_SEED")
	if text == "" {
		return rand.Uint64()
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// within is a context for something that must be over in time.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// must fails the test at once.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// judge pauses the schedule, waits until nothing is left in the store, and returns the history with
// every breach reported.
func (sc *scene) judge(t *testing.T) history.History {
	t.Helper()
	must(t, sc.Settled(within(t, 15*time.Second)))
	must(t, sc.Pause(within(t, 5*time.Second), sc.client))
	must(t, sc.Drained(within(t, 15*time.Second)))
	h, err := sc.History(within(t, 10*time.Second), sc.client, t.Name(), sc.seed)
	must(t, err)
	bad := history.Check(h)
	for i, b := range bad {
		if i == 20 {
			t.Errorf("and %d more", len(bad)-i)
			break
		}
		t.Error(b)
	}
	t.Log(history.Count(h))
	return h
}

// stopAll ends every node in peace, all at once.
func (sc *scene) stopAll(t *testing.T) {
	t.Helper()
	all := sc.Running()
	for _, n := range all {
		sc.Tell(n)
	}
	for _, n := range all {
		if err := sc.Ended(within(t, 15*time.Second), n); err != nil {
			t.Error(err)
		}
	}
}
