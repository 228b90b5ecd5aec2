// Package apscheduler_test replays what APScheduler was observed to do, 38 scenarios of due runs,
// through Carillon, and compares. Every place where Carillon means to differ is listed by name with
// its reason; a difference that is not listed fails the test, and so does a listed one that is gone.
package apscheduler_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scenario is one line of the file: what was done to APScheduler, and what it did.
type scenario struct {
	Name   string `json:"name"`
	Why    string `json:"why"`
	Config struct {
		Defaults map[string]string `json:"job_defaults"`
	} `json:"config"`
	Steps []step `json:"steps"`
}

type step struct {
	At     time.Time       `json:"at"`
	Op     string          `json:"op"`
	Args   map[string]any  `json:"args"`
	Events []observedEvent `json:"events"`
	Runs   []struct {
		Tag string `json:"tag"`
	} `json:"runs"`
	Jobs  map[string]string `json:"jobs"` // next run times, "" for none
	Error string            `json:"error"`
}

type observedEvent struct {
	Event string      `json:"event"`
	Job   string      `json:"job"`
	Time  time.Time   `json:"run_time"`
	Times []time.Time `json:"run_times"`
}

func load(t *testing.T) []scenario {
	t.Helper()
	f, err := os.Open("testdata/apscheduler_due_runs.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var all []scenario
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s scenario
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("line %d: %v", len(all)+1, err)
		}
		all = append(all, s)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// text is a string argument of a step.
func (s step) text(name string) string {
	v, _ := s.Args[name].(string)
	return v
}
