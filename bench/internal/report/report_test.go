package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/bench/internal/report"
)

func sample() *report.Report {
	r := &report.Report{Facts: []report.Fact{{Name: "processor", Text: "a|b"}}}
	r.Add(report.Higher("burst", "runs/s", 52_800, "asynq", 6600, 4).AimingAt(8), report.Within("lateness p99", "ms", 25, 20))
	r.Add(report.Higher("ran once", "runs", 9999, "due", 10_000, 1))
	r.Note("gocron p99", 4.8, "ms")
	r.Plots = append(r.Plots, report.Bars("burst", "Runs per second", "runs/s", report.Bar{Name: "carillon", Value: 3}))
	return r
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"work carillon against ratio bar verdict",
		"burst 52,800 runs/s 6,600 runs/s (asynq) 8x 4x (aim 8x) aim met",
		"lateness p99 25 ms 20 ms (limit) 0.8x 1x short",
		"ran once 9,999 runs 10,000 runs (due) 0.99x 1x short",
		"", "beside", "gocron p99 4.8 ms",
	}
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The names and types of rows are read by other programs.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rows []map[string]any `json:"rows"`
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"name": "burst", "carillon": 52800.0, "against": 6600.0, "ratio": 8.0, "bar": 4.0, "ok": true, "aim": 8.0, "unit": "runs/s", "than": "asynq"},
		{"name": "lateness p99", "carillon": 25.0, "against": 20.0, "ratio": 0.8, "bar": 1.0, "ok": false, "unit": "ms", "than": "limit"},
		{"name": "ran once", "carillon": 9999.0, "against": 10000.0, "ratio": 0.9999, "bar": 1.0, "ok": false, "unit": "runs", "than": "due"},
	}
	if diff := cmp.Diff(want, got.Rows); diff != "" {
		t.Error(diff)
	}
}

func TestJSONOfNothingHasEmptyLists(t *testing.T) {
	var b bytes.Buffer
	if err := (&report.Report{}).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(b.String()), ""); got != `{"rows":[],"beside":[],"facts":[]}` {
		t.Error(got)
	}
}

func TestPage(t *testing.T) {
	var b strings.Builder
	err := sample().WritePage(&b, "Benchmarks", "pictures", []report.Section{{Text: "first"}}, []report.Section{{Title: "How", Text: "last"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Benchmarks\n\nfirst\n", "\n| burst | 52,800 runs/s | 6,600 runs/s (asynq) | 8x | 4x (aim 8x) | aim met |\n",
		"\n| gocron p99 | 4.8 ms |\n", "![Runs per second](pictures/burst.svg)", `| processor | a\|b |`, "\n## How\n\nlast\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, b.String())
		}
	}
}

func TestNumber(t *testing.T) {
	tests := []struct {
		name  string
		value float64
		want  string
	}{
		{"nothing", 0, "0"},
		{"small", 0.76923, "0.77"},
		{"whole", 4, "4"},
		{"tens", 25.04, "25"},
		{"tens with a part", 25.06, "25.1"},
		{"hundreds", 123.4, "123"},
		{"thousands", 6600, "6,600"},
		{"millions", 1_234_567, "1,234,567"},
		{"below zero", -1234, "-1,234"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := report.Number(tt.value); got != tt.want {
				t.Errorf("Number(%v) = %q, want %q", tt.value, got, tt.want)
			}
		})
	}
}
