package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func TestHeaderComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := store.Header{
			UID: rapid.StringMatching(`[0-9a-f-]{36}`).Draw(t, "uid"), Version: rapid.Int64().Draw(t, "version"),
			Last: rapid.Int64().Draw(t, "last"), Next: rapid.Int64().Draw(t, "next"), Runs: rapid.Int64().Draw(t, "runs"),
			State:  rapid.SampledFrom([]store.State{store.Active, store.Paused, store.Parked}).Draw(t, "state"),
			Reason: rapid.String().Draw(t, "reason"),
		}
		line := h.Encode()
		if strings.Count(line, "\n") != 1 {
			t.Fatalf("%q is not one line", line)
		}
		for _, form := range []string{line, strings.TrimSuffix(line, "\n")} {
			if got, err := store.DecodeHeader(form); err != nil || got != h {
				t.Fatalf("%q became %+v, %v", form, got, err)
			}
		}
	})
}

func TestHeaderRefusesWhatItCannotRead(t *testing.T) {
	cases := []struct {
		name, line string
		want       error
	}{
		{"empty", "", store.ErrUnreadable},
		{"newer", "2 u 1 0 0 0 a ", store.ErrNewerFormat},
		{"older", "0 u 1 0 0 0 a ", store.ErrUnreadable},
		{"a field less", "1 u 1 0 0 0 a", store.ErrUnreadable},
		{"a field more", "1 u 1 0 0 0 a x y", store.ErrUnreadable},
		{"not a number", "1 u x 0 0 0 a ", store.ErrUnreadable},
		{"not as it is written", "1 u 01 0 0 0 a ", store.ErrUnreadable},
		{"reason not as it is written", "1 u 1 0 0 0 a %20", store.ErrUnreadable},
		{"reason not escaped", "1 u 1 0 0 0 a %zz", store.ErrUnreadable},
		{"two lines", "1 u 1 0 0 0 a x\ny", store.ErrUnreadable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := store.DecodeHeader(c.line); !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
		})
	}
}

func FuzzDecodeHeader(f *testing.F) {
	f.Add(store.Header{UID: "u", Version: 3, Last: 1, Next: 2, Runs: 5, State: store.Paused, Reason: "a b%"}.Encode())
	f.Add("2 newer")
	f.Fuzz(func(t *testing.T, line string) {
		h, err := store.DecodeHeader(line)
		if err != nil {
			if !errors.Is(err, store.ErrUnreadable) && !errors.Is(err, store.ErrNewerFormat) {
				t.Errorf("error %v has no sentinel", err)
			}
			return
		}
		if got := h.Encode(); got != strings.TrimSuffix(line, "\n")+"\n" {
			t.Errorf("%q became %q", line, got)
		}
	})
}

func TestDocumentShowsTheNextRunTime(t *testing.T) {
	e := store.Entry{Record: store.Record{Job: job.Job{ID: "j"}}}
	if got := e.Document().NextRunTime; !got.IsPaused() {
		t.Errorf("a job without a run time is shown as %+v", got)
	}
	e.RunTime = 1500
	if got, ok := e.Document().NextRunTime.Time(); !ok || !got.Equal(time.UnixMilli(1500)) {
		t.Errorf("next run time is %v, %v", got, ok)
	}
}
