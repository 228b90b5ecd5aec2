package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vector is one known answer of a trigger.
type vector struct {
	Name    string          `json:"name"`
	Trigger json.RawMessage `json:"trigger"`
	From    string          `json:"from"`
	Count   int             `json:"count"`
	Times   []string        `json:"times"`
	Error   bool            `json:"error"`
}

func TestNextGivesTheKnownAnswers(t *testing.T) {
	file, err := os.Open("../../trigger/testdata/trigger_vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := 0
	for lines := bufio.NewScanner(file); lines.Scan(); seen++ {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		t.Run(v.Name, func(t *testing.T) {
			args := []string{"next", "--from", v.From, "--count", strconv.Itoa(v.Count)}
			if v.Error {
				environment{}.refused(t, 2, nil, string(v.Trigger), args...)
				return
			}
			r := environment{}.call(t, string(v.Trigger), args...)
			var got struct{ Times []string }
			if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != 0 {
				t.Fatalf("%s: %d, %q, %q", v.Trigger, r.code, r.out, r.err)
			}
			if diff := cmp.Diff(v.Times, got.Times); diff != "" {
				t.Errorf("%s (-want +got):\n%s", v.Trigger, diff)
			}
		})
	}
	if seen != 486 {
		t.Errorf("read %d vectors, want 486", seen)
	}
}

func TestNextReadsFilesAndFlags(t *testing.T) {
	file := t.TempDir() + "/trigger.yaml"
	if err := os.WriteFile(file, []byte("# weekly\ntype: cron\nexpr: 0 3 * * mon\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"file", []string{"-f", file}, `{"times":["2026-01-05T03:00:00Z"]}`},
		{"cron", []string{"--cron", "0 3 * * mon"}, `{"times":["2026-01-05T03:00:00Z"]}`},
		{"zone", []string{"--cron", "0 3 * * mon", "--timezone", "Europe/Vienna"}, `{"times":["2026-01-05T02:00:00Z"]}`},
		{"interval", []string{"--every", "90"}, `{"times":["2026-01-01T00:01:30Z"]}`},
		{"from is inclusive", []string{"--at", "2026-01-01T00:00:00Z"}, `{"times":["2026-01-01T00:00:00Z"]}`},
		{"exhausted", []string{"--at", "2025-12-31T23:59:59Z"}, `{"times":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := environment{}.call(t, "", append([]string{"next", "--from", "2026-01-01T00:00:00Z", "--count", "1"}, tt.args...)...)
			if r.code != 0 || r.out != tt.want+"\n" || r.err != "" {
				t.Errorf("%d, %q, %q, want %s", r.code, r.out, r.err, tt.want)
			}
		})
	}
}
