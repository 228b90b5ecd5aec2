package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/carillon-project/carillon/bench/internal/report"
)

// TestMain is the program itself in the processes that it starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == etcdCommand || os.Args[1] == nodeCommand) {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestQuickRunMeasures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rows.json")
	env := map[string]string{"BENCH_JSON": file}
	var out, talk strings.Builder
	args := []string{"-quick", "-rounds", "1", "-only", "enqueue,idle"}
	if err := run(t.Context(), args, func(name string) string { return env[name] }, nil, &out, &talk); err != nil {
		t.Fatalf("%v\n%s", err, talk.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got report.Report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 4 {
		t.Fatalf("%d rows, want two of each measurement:\n%s", len(got.Rows), out.String())
	}
	for _, r := range got.Rows {
		if r.Carillon <= 0 || r.Against <= 0 || r.Ratio <= 0 || !strings.Contains(out.String(), r.Name) {
			t.Errorf("row %+v is not measured, or not in the table:\n%s", r, out.String())
		}
	}
}

func TestBurstIsProfiled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	args := []string{"-quick", "-rounds", "1", "-only", "burst", "-profile", dir}
	var talk strings.Builder
	if err := run(t.Context(), args, func(string) string { return "" }, nil, io.Discard, &talk); err != nil {
		t.Fatalf("%v\n%s", err, talk.String())
	}
	const gzip = "\x1f\x8b"
	for _, f := range []struct{ name, holds string }{
		{cpuFile, gzip}, {allocatedBefore, gzip}, {allocatedFile, gzip}, {redisFile, "cmdstat_evalsha:"},
		{redisFile, "latency_percentiles_usec_evalsha:"}, {redisFile, "processor of this process"},
	} {
		if text, err := os.ReadFile(filepath.Join(dir, f.name)); err != nil || !bytes.Contains(text, []byte(f.holds)) {
			t.Errorf("%s: %v; it does not hold %q:\n%.200q", f.name, err, f.holds, text)
		}
	}
}

func TestWhatIsMeasured(t *testing.T) {
	for _, tt := range []struct {
		name string
		only []string
		want bool
	}{
		{"burst", nil, true},
		{"scale", nil, false},
		{"scale", []string{"idle", "scale"}, true},
		{"burst", []string{"idle", "scale"}, false},
	} {
		if got := chosen(tt.name, tt.only); got != tt.want {
			t.Errorf("%s is measured when %v are named: %v, want %v", tt.name, tt.only, got, tt.want)
		}
	}
}

func TestFlagsAreRefused(t *testing.T) {
	tests := []struct {
		name string
		args string
		word string
	}{
		{"unknown measurement", "-only burst,nothing", "nothing"},
		{"no rounds", "-rounds 0", "-rounds"},
		{"quick and full", "-quick -full", "not both"},
		{"argument", "burst", "burst"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parse(strings.Fields(tt.args), io.Discard); err == nil || !strings.Contains(err.Error(), tt.word) {
				t.Errorf("parse(%s) = %v, want an error that says %q", tt.args, err, tt.word)
			}
		})
	}
}

func TestFlagsChooseSizes(t *testing.T) {
	usual, err := parse([]string{"-rounds", "3", "-only", "burst,idle"}, io.Discard)
	if err != nil || usual.sizes.burst != 100_000 || usual.sizes.rounds != 3 || !cmp.Equal(usual.only, []string{"burst", "idle"}) {
		t.Errorf("%+v, %v", usual, err)
	}
	quick, err := parse([]string{"-quick"}, io.Discard)
	if err != nil || quick.sizes.burst >= usual.sizes.burst || quick.sizes.rounds != 5 || !quick.quick {
		t.Errorf("%+v, %v", quick, err)
	}
	full, err := parse([]string{"-full"}, io.Discard)
	if err != nil || full.sizes.steadyFor <= usual.sizes.steadyFor {
		t.Errorf("%+v, %v", full, err)
	}
}

func TestLedgerCountsEachDueTime(t *testing.T) {
	began := time.Unix(1000, 0)
	l := newLedger(began, 2, 2*time.Second)
	run := func(job int, due time.Duration, late time.Duration) {
		l.note(job, began.Add(due), began.Add(due+late))
	}
	run(0, -time.Millisecond, 0)                     // before what counts
	run(0, 2*time.Second, 0)                         // after it
	run(0, 0, time.Millisecond)                      // once
	run(0, time.Second, 3*time.Millisecond)          // once
	run(1, 500*time.Millisecond, 2*time.Millisecond) // twice
	run(1, 500*time.Millisecond, time.Minute)
	r := l.round()
	if r.due != 4 || r.once != 2 {
		t.Errorf("due %d, once %d; want 4 and 2", r.due, r.once)
	}
	if p50, most := r.late.at(50), r.late.at(100); p50 < 1.9 || p50 > 2.1 || most < 2.9 || most > 3.1 {
		t.Errorf("lateness p50 %v ms, most %v ms; want 2 and 3: the second run of a time has none", p50, most)
	}
}

func TestPlaygroundCountsMissingAndDoubled(t *testing.T) {
	first := time.Unix(1000, 0)
	p := &playground{runs: map[childRun]int{}}
	ran := func(job string, second int64, attempt int) {
		p.ran(message{Run: &childRun{Job: job, Scheduled: (1000 + second) * 1000, Attempt: attempt}})
	}
	ran("ticker-0", 0, 1)
	ran("ticker-0", 0, 2) // explained by a node that died
	ran("ticker-0", 1, 1)
	ran("ticker-0", 1, 1)         // doubled
	p.ran(message{Done: tickers}) // says nothing of a run
	got := p.count(first, first.Add(2*time.Second))
	want := account{due: 2 * tickers, missing: 2*tickers - 2, doubled: 1}
	if got != want {
		t.Errorf("count = %+v, want %+v", got, want)
	}
	if once := got.once(); once != 1 {
		t.Errorf("once = %d, want 1", once)
	}
}

func TestInTimeGivesMoreRoom(t *testing.T) {
	b := &bench{room: 1, talk: io.Discard}
	calls := 0
	err := b.inTime(func() error {
		if calls++; calls < 3 {
			return tooLate(7)
		}
		return nil
	})
	if err != nil || calls != 3 || b.room != 4 {
		t.Errorf("%v after %d calls with %d times the room; want 3 and 4", err, calls, b.room)
	}
	err = b.inTime(func() error { return tooLate(7) })
	if !errors.Is(err, errTooLate) || b.room != mostRoom {
		t.Errorf("%v with %d times the room; want it to give up at %d", err, b.room, mostRoom)
	}
	calls = 0
	if err := b.inTime(func() error { calls++; return io.EOF }); !errors.Is(err, io.EOF) || calls != 1 {
		t.Errorf("%v after %d calls; another failure is no reason to try again", err, calls)
	}
}

func TestRedisUsageIsRead(t *testing.T) {
	got, err := parseInfo("# Stats\r\ntotal_commands_processed:42\r\n\r\nused_memory:1000\r\nused_cpu_sys:0.5\r\nused_cpu_user:1.25\r\n")
	want := redisUsed{commands: 42, memory: 1000, cpu: 1750 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := parseInfo("total_commands_processed:42\r\n"); err == nil {
		t.Error("an answer without memory was taken")
	}
}

func TestCopiesDifferInIDAndUIDOnly(t *testing.T) {
	s := stored{value: "1 u-u 0\n{\"job\":{\"id\":\"" + template + "\",\"task\":\"noop\"}}", uid: "u-u"}
	one, two := s.copyAs("job-1"), s.copyAs("job-2")
	if one == two || strings.Contains(one, template) || strings.Contains(one, "u-u") {
		t.Errorf("copies %q and %q", one, two)
	}
	if !strings.HasSuffix(one, "\n{\"job\":{\"id\":\"job-1\",\"task\":\"noop\"}}") {
		t.Errorf("copy %q", one)
	}
}

func TestWholeRunsAloneWriteThePage(t *testing.T) {
	r := &report.Report{}
	r.Add(report.Within("x", "ms", 1, 2))
	r.Plots = append(r.Plots, report.Bars("burst", "Burst", "runs/s"))
	dir := t.TempDir()
	page := filepath.Join(dir, "benchmarks.md")
	for _, partial := range []options{{docs: dir, quick: true}, {docs: dir, only: []string{"burst"}}} {
		if err := write(r, partial, io.Discard); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(page); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%+v wrote the page: %v", partial, err)
		}
	}
	file := filepath.Join(dir, "rows.json")
	if err := write(r, options{docs: dir, json: file}, io.Discard); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil || !bytes.Contains(text, []byte("](benchmarks/burst.svg)")) || !bytes.Contains(text, []byte("make bench")) {
		t.Errorf("page: %v\n%s", err, text)
	}
	if _, err := os.Stat(filepath.Join(dir, "benchmarks", "burst.svg")); err != nil {
		t.Error(err)
	}
	var rows struct{ Rows []report.Row }
	if text, err = os.ReadFile(file); err == nil {
		err = json.Unmarshal(text, &rows)
	}
	if err != nil || len(rows.Rows) != 1 || !rows.Rows[0].OK {
		t.Errorf("JSON: %+v, %v", rows, err)
	}
}

func TestShareDoesEachPieceOnce(t *testing.T) {
	var did [100]int32
	_, err := share(t.Context(), 1, len(did), func(_ context.Context, i int) error { did[i]++; return nil })
	for i, times := range did {
		if times != 1 {
			t.Errorf("piece %d was done %d times", i, times)
		}
	}
	if err != nil {
		t.Error(err)
	}
	if _, err := share(t.Context(), 4, 1000, func(context.Context, int) error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("the failure of a piece is lost: %v", err)
	}
}
