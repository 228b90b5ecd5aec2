package store_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

var word = rapid.StringMatching(`[a-z0-9{}é@._:-]{1,20}`)

func drawMessage(t *rapid.T) store.Message {
	count := rapid.IntRange(0, 1<<31-1)
	m := store.Message{
		Attempt: count.Draw(t, "attempt"), Max: count.Draw(t, "max"), Lost: count.Draw(t, "lost"), Failed: count.Draw(t, "failed"),
		Grace:   rapid.OneOf(rapid.Just(job.GraceNone), rapid.Custom(drawGrace)).Draw(t, "grace"),
		Overlap: rapid.SampledFrom([]job.Overlap{"", job.OverlapSkip, job.OverlapQueue}).Draw(t, "overlap"),
		OnLost:  rapid.SampledFrom([]job.OnLost{"", job.OnLostRerun, job.OnLostDrop}).Draw(t, "on_lost"),
		UID:     word.Draw(t, "uid"), JobID: word.Draw(t, "job"), Executor: word.Draw(t, "executor"),
		Slot: word.Draw(t, "slot"), Task: word.Draw(t, "task"),
		Timeout: time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "timeout")) * time.Millisecond,
	}
	if n := rapid.IntRange(0, 100).Draw(t, "attempts"); n > 1 {
		m.Retry = job.Retry{MaxAttempts: n, Backoff: job.Backoff{Initial: 5, Factor: rapid.Float64Range(1, 100).Draw(t, "factor")}}
	}
	for range rapid.IntRange(1, 4).Draw(t, "runs") {
		m.Runs = append(m.Runs, store.MessageRun{
			ID: rapid.StringMatching(`[0-9a-f-]{1,36}`).Draw(t, "run"), Scheduled: rapid.Int64().Draw(t, "scheduled"), Due: rapid.Int64().Draw(t, "due"),
		})
	}
	if args := rapid.String().Draw(t, "args"); args != "" {
		m.Args = json.RawMessage(args)
	}
	return m
}

func drawGrace(t *rapid.T) job.Grace {
	return job.Grace(time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "ms")) * time.Millisecond)
}

func TestMessageComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		got, err := store.DecodeMessage(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestMessageRoundsShortTimesUp(t *testing.T) {
	m := valid()
	m.Timeout, m.Grace = time.Microsecond, job.Grace(1500*time.Microsecond)
	got, err := store.DecodeMessage(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if got.Timeout != time.Millisecond || got.Grace != job.Grace(2*time.Millisecond) {
		t.Errorf("timeout %v, grace %v", got.Timeout, time.Duration(got.Grace))
	}
}

func valid() store.Message {
	return store.Message{
		Attempt: 1, Max: 1, Grace: job.GraceNone, Overlap: job.OverlapSkip, UID: "u", JobID: "j", Executor: "e", Slot: "s", Task: "t",
		OnLost: job.OnLostRerun, Runs: []store.MessageRun{{ID: "r", Scheduled: 1, Due: 2}}, Args: json.RawMessage("{}"),
	}
}

func TestMessageRefusesWhatItCannotRead(t *testing.T) {
	good := valid().Encode()
	replace := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	cases := []struct {
		name, body string
		want       error
	}{
		{"empty", "", store.ErrUnreadable},
		{"no runs line", "1\t1", store.ErrUnreadable},
		{"no args line", "1\t1\nr@1@2", store.ErrUnreadable},
		{"no format", "garbage\nr@1@2\n", store.ErrUnreadable},
		{"older", replace("1\t", "0\t"), store.ErrUnreadable},
		{"newer, in one line", "2\tx", store.ErrNewerFormat},
		{"newer", replace("1\t", "2\t"), store.ErrNewerFormat},
		{"a field more", replace("\t\n", "\tx\t\n"), store.ErrUnreadable},
		{"text after the last field", replace("\t\n", "\tx\n"), store.ErrUnreadable},
		{"negative attempt", replace("1\t1\t", "1\t-1\t"), store.ErrUnreadable},
		{"plus sign", replace("1\t1\t", "1\t+1\t"), store.ErrUnreadable},
		{"leading zero", replace("1\t1\t", "1\t01\t"), store.ErrUnreadable},
		{"huge attempt", replace("1\t1\t", "1\t99999999999\t"), store.ErrUnreadable},
		{"grace zero", replace("\t-1\t", "\t0\t"), store.ErrUnreadable},
		{"grace -2", replace("\t-1\t", "\t-2\t"), store.ErrUnreadable},
		{"timeout too long", replace("\t0\t\n", "\t9223372036854775807\t\n"), store.ErrUnreadable},
		{"overlap that scripts cannot read", replace("skip", "s-p"), store.ErrUnreadable},
		{"retry is no JSON", replace("rerun\t\t", "rerun\t{\t"), store.ErrUnreadable},
		{"no runs", replace("r@1@2", ""), store.ErrUnreadable},
		{"run without an id", replace("r@1@2", "@1@2"), store.ErrUnreadable},
		{"run without due", replace("r@1@2", "r@1"), store.ErrUnreadable},
		{"run with too many parts", replace("r@1@2", "r@1@2@3"), store.ErrUnreadable},
		{"comma at the end", replace("r@1@2", "r@1@2,"), store.ErrUnreadable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := store.DecodeMessage(c.body); !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
		})
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add(valid().Encode())
	f.Add("1\t2\t0\t500\tqueue\t\t@t\te\t1\t2\t\tt\tdrop\t{\"max_attempts\":3}\t1000\t\na@1@2,b@-3@4\n{\"x\":\n1}")
	f.Add("2\tnewer\n\n")
	f.Fuzz(func(t *testing.T, body string) {
		m, err := store.DecodeMessage(body)
		if err != nil {
			if !errors.Is(err, store.ErrUnreadable) && !errors.Is(err, store.ErrNewerFormat) {
				t.Errorf("error %v has no sentinel", err)
			}
			return
		}
		again, err := store.DecodeMessage(m.Encode())
		if err != nil {
			t.Fatalf("%q was read, and then not: %v", body, err)
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Error(d)
		}
		if m.Retry.MaxAttempts == 0 && !strings.Contains(body, "{") && m.Encode() != body {
			t.Errorf("%q became %q", body, m.Encode())
		}
	})
}

func BenchmarkDecodeMessage(b *testing.B) {
	m := store.Message{
		Attempt: 1, Max: 1, Grace: job.GraceNone, Overlap: job.OverlapSkip, UID: "c1f4f9a0-6f6e-4e0e-9d2b-0d8f5b1a7c11", JobID: "job-000001",
		Executor: "default", Slot: "job-000001", Task: "noop", OnLost: job.OnLostRerun, Args: []byte(`{"tenant":42}`),
		Runs: []store.MessageRun{{ID: "7b0c2f52-4a9b-5a63-8f7e-3f1d0a9c2b44", Scheduled: 1_763_850_000_000, Due: 1_763_850_000_000}},
	}
	body := m.Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.DecodeMessage(body); err != nil {
			b.Fatal(err)
		}
	}
}
