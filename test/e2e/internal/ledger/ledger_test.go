package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/ledger"
)

const (
	key    = "{default:0}:"
	runs   = "r1@1000@1000,r2@2000@2000"
	second = "r2@2000@2000"
)

// body is a stored message of job a.
func body(attempt int, runs string) string {
	return fmt.Sprintf("1\t%d\t2\t-1\tskip\tuid\ta\tdefault\t0\t0\ta\thttp\trerun\t\t0\t\n%s\n{}", attempt, runs)
}

func event(ms int, lines ...string) []string {
	return []string{"XADD", key + "events", "MAXLEN", "=", "900", fmt.Sprintf("%d-0", ms), "e", strings.Join(lines, "\n")}
}

// file writes steps as Redis does: scripts between MULTI and EXEC, with notes of the time.
func file(steps ...[][]string) string {
	var b strings.Builder
	write := func(command ...string) {
		fmt.Fprintf(&b, "*%d\r\n", len(command))
		for _, word := range command {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
		}
	}
	b.WriteString("#TS:1628217470\r\n")
	write("SELECT", "0")
	for _, step := range steps {
		write("MULTI")
		for _, command := range step {
			write(command...)
		}
		write("EXEC")
	}
	return b.String()
}

// life is two runs in one message: dispatched, started by n1, the first lost, sent again as attempt
// 2 with the second behind it, started by n2, the first ended and the second with it.
func life() [][][]string {
	held := func(owner string, attempt int, runs string) string {
		return fmt.Sprintf("%s/b/1\t1100\t%d\ta\tdefault\t0\n%s", owner, attempt, body(attempt, runs))
	}
	return [][][]string{
		{{"HSET", key + "fence", "epoch", "e", "term", "7"}, event(500)},
		{
			{"XADD", key + "stream:default", "1000-0", "m", body(1, runs)},
			event(1000, "job_submitted\ta\tr1\t1000\t1\tn1\t7\t", "job_submitted\ta\tr2\t2000\t1\tn1\t7\t"),
		},
		{
			{"INCR", key + "slots:a"},
			{"HSET", key + "running", "r1", held("n1", 1, runs)},
			{"ZADD", key + "leases", "4100", "r1"},
			{"XADD", key + "events", "1100-0", "e", "job_started\ta\tr1\t1000\t1\tn1\t\t"},
			{"XACK", key + "stream:default", "g", "1000-0"},
			{"XDEL", key + "stream:default", "1000-0"},
		},
		{
			{"HDEL", key + "running", "r1"},
			{"ZREM", key + "leases", "r1"},
			{"XADD", key + "stream:default", "4200-0", "m", body(2, runs)},
			{"DECR", key + "slots:a"}, {"DEL", key + "slots:a"},
			event(4200, "job_lost\ta\tr1\t1000\t1\tn1\t7\tlease expired"),
		},
		{
			{"MSET", key + "slots:a", "1", key + "slots:b", "4"},
			{"HSET", key + "running", "r1", held("n2", 2, runs)},
			{"ZADD", key + "leases", "7300", "r1"},
			{"XDEL", key + "stream:default", "4200-0"},
			event(4300, "job_started\ta\tr1\t1000\t2\tn2\t\t"),
		},
		{
			{"HDEL", key + "running", "r1"}, {"ZREM", key + "leases", "r1"},
			{"LPUSH", key + "history:a", "4300\t4400\texecuted\tr1\t1000\t2\tn2\t1\t\t\t\t"},
			{"HSET", key + "running", "r2", held("n2", 1, second)},
			{"ZADD", key + "leases", "7400", "r2"},
			event(4400, "job_executed\ta\tr1\t1000\t2\tn2\t\t", "job_started\ta\tr2\t2000\t1\tn2\t\t"),
		},
	}
}

// A row counts wherever it is written: into a list, or into the day of jobs that are gone.
func TestFoldReadsRows(t *testing.T) {
	row := func(run string) string { return "1\t2\texecuted\t" + run + "\t1000\t1\tn\t1\t\t\t\t" }
	got := ledger.Fold(parse(t, file(
		[][]string{{"LPUSH", key + "history:a", row("a1"), row("a2")}, {"LPUSHX", key + "history:b", row("b1")}},
		[][]string{{"HSET", key + "past:20000", "c", row("c1"), "d", row("d1")}, {"EXPIRE", key + "past:20000", "9"}},
	)))
	var rows []string
	for _, r := range got.Rows {
		rows = append(rows, r.JobID+" "+r.RunID+" "+r.Outcome)
	}
	want := []string{"a a1 executed", "a a2 executed", "b b1 executed", "c c1 executed", "d d1 executed"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func parse(t *testing.T, text string) []ledger.Step {
	t.Helper()
	steps, err := ledger.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func TestFold(t *testing.T) {
	got := ledger.Fold(parse(t, file(life()...)))
	r1 := func(m history.Move) history.Move {
		m.RunID, m.JobID, m.Scheduled, m.Due, m.Max, m.Fence = "r1", "a", at(1000), at(1000), 2, 7
		return m
	}
	r2 := func(m history.Move) history.Move {
		m.RunID, m.JobID, m.Scheduled, m.Due, m.Max, m.Fence = "r2", "a", at(2000), at(2000), 2, 7
		return m
	}
	want := []history.Move{
		r1(history.Move{Step: 2, At: at(1000), To: "stream", Attempt: 1, Node: "n1", Term: 7}),
		r2(history.Move{Step: 2, At: at(1000), To: "stream", Node: "n1", Term: 7}),
		r1(history.Move{Step: 3, At: at(1100), From: "stream", To: "running", Attempt: 1, Node: "n1", Held: 1, Counter: 1}),
		r2(history.Move{Step: 3, At: at(1100), From: "stream", To: "behind", Node: "n1", Held: 1, Counter: 1}),
		r1(history.Move{Step: 4, At: at(4200), From: "running", To: "stream", Attempt: 2, Node: "n1", Lease: at(4100), Lost: true}),
		r2(history.Move{Step: 4, At: at(4200), From: "behind", To: "stream", Node: "n1"}),
		r1(history.Move{Step: 5, At: at(4300), From: "stream", To: "running", Attempt: 2, Node: "n2", Held: 1, Counter: 1}),
		r2(history.Move{Step: 5, At: at(4300), From: "stream", To: "behind", Node: "n1", Held: 1, Counter: 1}),
		r1(history.Move{Step: 6, At: at(4400), From: "running", Attempt: 2, Node: "n2", Lease: at(7300), Held: 1, Counter: 1, Outcomes: []string{"executed"}}),
		r2(history.Move{Step: 6, At: at(4400), From: "behind", To: "running", Attempt: 1, Node: "n2", Held: 1, Counter: 1}),
	}
	if diff := cmp.Diff(want, got.Moves, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(got.Rows) != 1 || got.Rows[0].RunID != "r1" || got.Rows[0].Attempt != 2 || len(got.Fences) != 1 || got.Fences[0].Term != 7 {
		t.Errorf("rows %+v, fences %+v", got.Rows, got.Fences)
	}
}

func TestFoldSeesWhatMustNotBe(t *testing.T) {
	twice := life()[:2]
	twice = append(twice, [][]string{{"XADD", key + "stream:default", "1001-0", "m", body(1, runs)}})
	kept := life()[:3]
	kept[2] = kept[2][:len(kept[2])-1] // the entry is not deleted
	tests := []struct {
		name  string
		steps [][][]string
		want  string
	}{
		{"two entries of one run", twice, "stream+stream"},
		{"started, and still in the stream", kept, "running+stream"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			moves := ledger.Fold(parse(t, file(tt.steps...))).Moves
			if last := moves[len(moves)-2]; last.To != tt.want {
				t.Errorf("the run is in %q, want %q", last.To, tt.want)
			}
		})
	}
}

func TestParseKeepsWholeSteps(t *testing.T) {
	whole := file(life()...)
	want := len(parse(t, whole))
	for _, cut := range []int{1, 10, 40, 120} {
		if got := len(parse(t, whole[:len(whole)-cut])); got != want-1 {
			t.Errorf("cut by %d bytes it has %d steps, want %d", cut, got, want-1)
		}
	}
	for _, text := range []string{"REDIS0010", "SET a b\r\n", "*0\r\n"} {
		if _, err := ledger.Parse([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
