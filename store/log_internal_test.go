package store

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/job"
)

func TestClean(t *testing.T) {
	long := strings.Repeat("é", cleanLimit)
	cases := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "lease expired", "lease expired"},
		{"tabs and line ends", "a\tb\r\nc", "a b ⏎ c"},
		{"invalid UTF-8", "a\xffb", "a�b"},
		{"just short enough", strings.Repeat("x", cleanLimit), strings.Repeat("x", cleanLimit)},
		{"too long", strings.Repeat("x", cleanLimit+1), strings.Repeat("x", cleanLimit-3) + "…"},
		{"too long, cut between runes", long, long[:cleanLimit-4] + "…"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, clean(c.in)); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\tb\n\xff")
	f.Add(strings.Repeat("\n", 3000))
	f.Add(strings.Repeat("é", 1999))
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if len(got) > cleanLimit || strings.ContainsAny(got, "\t\n\r") || !utf8.ValidString(got) {
			t.Errorf("%q became %q", s, got)
		}
		if again := clean(got); again != got {
			t.Errorf("%q is clean, and became %q", got, again)
		}
	})
}

var fieldText = rapid.StringMatching(`[a-z0-9 é@_-]{0,20}`)

func drawTime(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, "no "+name) {
		return time.Time{}
	}
	return time.UnixMilli(rapid.Int64Range(-1<<45, 1<<45).Draw(t, name)).UTC()
}

func TestEventComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(5).UTC()
		e := job.Event{
			Kind: rapid.SampledFrom(job.EventKinds()).Draw(t, "kind"), Time: at, Store: "s", JobID: fieldText.Draw(t, "job"),
			RunID: fieldText.Draw(t, "run"), ScheduledTime: drawTime(t, "scheduled"), Attempt: rapid.IntRange(0, 9).Draw(t, "attempt"),
			Node: fieldText.Draw(t, "node"), Term: rapid.Int64Range(0, 1<<53).Draw(t, "term"), Cause: fieldText.Draw(t, "cause"),
		}
		got, err := decodeEvent("s", at, EventLine(e))
		if d := cmp.Diff(e, got); err != nil || d != "" {
			t.Fatal(err, d)
		}
	})
}

func TestRowComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := job.Row{
			Outcome: job.Executed, RunID: fieldText.Draw(t, "run"), ScheduledTime: drawTime(t, "scheduled"),
			Attempt: rapid.IntRange(0, 9).Draw(t, "attempt"), Node: fieldText.Draw(t, "node"), Started: drawTime(t, "started"),
			Finished: drawTime(t, "finished"), Count: rapid.IntRange(0, 9).Draw(t, "count"), Until: drawTime(t, "until"),
			Cause: fieldText.Draw(t, "cause"), Error: fieldText.Draw(t, "error"),
		}
		got, err := decodeRow(HistoryRow(r))
		if d := cmp.Diff(r, got); err != nil || d != "" {
			t.Fatal(err, d)
		}
	})
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add("job_started\tj\tr\t1000\t2\tn\t7\tcause")
	f.Add("\t\t\t\t\t\t\t")
	f.Fuzz(func(t *testing.T, line string) {
		e, err := decodeEvent("s", time.Time{}, line)
		if err != nil {
			if !errors.Is(err, ErrUnreadable) {
				t.Errorf("error %v has no sentinel", err)
			}
			return
		}
		again, err := decodeEvent("s", time.Time{}, EventLine(e))
		if d := cmp.Diff(EventLine(e), EventLine(again)); err != nil || d != "" {
			t.Errorf("%q: %v %s", line, err, d)
		}
	})
}

func FuzzDecodeRow(f *testing.F) {
	f.Add("1000\t1005\texecuted\tr\t1000\t1\tn\t1\t\tcause\terror")
	f.Add("\t2\tcoalesced\t\t1\t\t\t9\t3\t\t")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := decodeRow(line)
		if err != nil {
			if !errors.Is(err, ErrUnreadable) {
				t.Errorf("error %v has no sentinel", err)
			}
			return
		}
		again, err := decodeRow(HistoryRow(r))
		if d := cmp.Diff(HistoryRow(r), HistoryRow(again)); err != nil || d != "" {
			t.Errorf("%q: %v %s", line, err, d)
		}
	})
}

func FuzzDecodeRunning(f *testing.F) {
	f.Add("n/b/x\t1000\t2\tslot\te\t1\n1\t1\t1\t-1\tskip\tu\tj\te\t0\t0\ts\tt\trerun\t\t0\t\nr@1@2\n{}")
	f.Fuzz(func(t *testing.T, value string) {
		r, err := decodeRunning(value)
		if err != nil {
			return
		}
		if len(r.Runs) == 0 || r.Attempt < 0 || !strings.HasPrefix(r.Owner, r.Node) {
			t.Errorf("%q became %+v", value, r)
		}
	})
}
