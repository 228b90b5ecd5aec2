package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// explain runs `carillon job explain` in an environment.
func (e environment) explain(t *testing.T, args ...string) result {
	t.Helper()
	var out, talk bytes.Buffer
	a := &app{getenv: e.get, stdin: strings.NewReader(""), stdout: &out, stderr: &talk, now: time.Now}
	root := a.root()
	root.SetArgs(append([]string{"job", "explain"}, args...))
	root.SetOut(&out)
	root.SetErr(&talk)
	if err := root.ExecuteContext(t.Context()); err != nil {
		return result{exitCode(err), out.String(), errorLine(err)}
	}
	return result{0, out.String(), talk.String()}
}

func TestExplainRefusals(t *testing.T) {
	tests := []struct {
		name string
		args []string
		code int
		word string
	}{
		{"no id", nil, 2, "ID is missing"},
		{"no time", []string{"j", "--at", "noon"}, 2, `--at: "noon"`},
		{"no server", []string{"j", "--at", "2026-01-01T00:00:00Z"}, 1, "127.0.0.1:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := nowhere.explain(t, test.args...)
			if r.code != test.code || !strings.Contains(r.err, test.word) || r.out != "" {
				t.Errorf("explain %q: %+v", test.args, r)
			}
		})
	}
}

func TestExplainCommand(t *testing.T) {
	t.Parallel()
	env := startServers(t)
	node := env.start(t, "node", "--name", "n1", "--log-level", "off")
	node.await(t, patient, "ready name=n1")
	env.must(t, nil, "job", "add", "--id", "j", "--task", "log", "--every", "1h")
	env.must(t, nil, "job", "pause", "j", "--reason", "holiday")

	r := env.explain(t, "j", "-o", "json", "--at", "2001-01-01T00:00:00Z")
	var got struct {
		Store, Verdict string
		JobID          string `json:"job_id"`
		Job            []string
		Times          []struct {
			Time, Verdict string
			Sentences     []string
		}
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != 0 {
		t.Fatalf("%+v: %v", r, err)
	}
	if got.JobID != "j" || got.Store != "default" || len(got.Job) != 1 || !strings.Contains(got.Job[0], "paused (holiday)") {
		t.Errorf("explanation is %+v", got)
	}
	if len(got.Times) != 1 || got.Times[0].Verdict != "not_a_time" || got.Times[0].Time != "2001-01-01T00:00:00.000Z" || len(got.Times[0].Sentences) != 1 {
		t.Errorf("times are %+v", got.Times)
	}
	r = env.explain(t, "j")
	if r.code != 0 || !strings.HasPrefix(r.out, "Job j is paused (holiday) since ") || !strings.Contains(r.out, "Z  paused\n  The job is paused") {
		t.Errorf("in words: %+v", r)
	}
	if r := env.explain(t, "nobody"); r.code != 1 || !strings.Contains(r.err, "nobody") {
		t.Errorf("an unknown job: %+v", r)
	}
	if r := node.end(t); r.code != 0 {
		t.Errorf("the node ended with %+v", r)
	}
}

func TestWriteExplanation(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	long := strings.Repeat("wörd ", 40) + strings.Repeat("x", 200)
	var b bytes.Buffer
	writeExplanation(&b, carillon.Explanation{
		Job:   []string{"Job j is active."},
		Times: []carillon.ExplainedTime{{Time: at, Verdict: carillon.Verdict(job.Executed), Sentences: []string{"It ran.", long}}},
	})
	head, rest, _ := strings.Cut(b.String(), "wörd")
	if diff := cmp.Diff(fmt.Sprintf("Job j is active.\n\n%s  executed\n  It ran.\n  ", job.FormatTime(at)), head); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(rest, "wörd") + 1; n != 40 {
		t.Errorf("%d words are left of 40", n)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}
