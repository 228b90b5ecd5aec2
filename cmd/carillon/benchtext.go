package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

// benchResult is what a benchmark found: fields that do not apply are left out.
type benchResult struct {
	Work     string      `json:"work"`
	Jobs     int         `json:"jobs,omitempty"`
	OneByOne *benchRate  `json:"one_by_one,omitempty"`
	Bulk     *benchRate  `json:"bulk,omitempty"`
	Stored   *benchRate  `json:"stored,omitempty"`
	Ran      *benchRate  `json:"ran,omitempty"`
	Steady   *benchDelay `json:"lateness,omitempty"`
}

// benchRate is how long so many of something took.
type benchRate struct {
	Count     int     `json:"count"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

func rateOf(n int, took time.Duration) *benchRate {
	seconds := max(took, time.Microsecond).Seconds()
	return &benchRate{Count: n, Seconds: seconds, PerSecond: float64(n) / seconds}
}

// benchDelay is how late runs started, in ms, and how many never did.
type benchDelay struct {
	Due     int     `json:"due"`
	Missing int     `json:"missing"`
	P50     float64 `json:"p50_ms"`
	P90     float64 `json:"p90_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
}

func steadyOf(due int, late []time.Duration) *benchDelay {
	sorted := slices.Sorted(slices.Values(late))
	at := func(percent float64) float64 {
		if len(sorted) == 0 {
			return 0
		}
		rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
		return float64(sorted[max(rank, 1)-1].Microseconds()) / 1000
	}
	return &benchDelay{Due: due, Missing: due - len(late), P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}

// table writes the result for people.
func (r benchResult) table(w io.Writer) {
	var rows [][]string
	rate := func(what string, b *benchRate) {
		if b != nil {
			rows = append(rows, []string{what, strconv.Itoa(b.Count), fmt.Sprintf("%.2f s", b.Seconds), fmt.Sprintf("%.0f/s", b.PerSecond)})
		}
	}
	rate("runs enqueued one by one", r.OneByOne)
	rate("runs enqueued in bulk", r.Bulk)
	rate("jobs stored", r.Stored)
	rate("runs, from resume to the last end", r.Ran)
	if rows != nil {
		writeTable(w, []string{"WORK", "COUNT", "TIME", "RATE"}, []int{40, 12, 12, 12}, rows)
	}
	if d := r.Steady; d != nil {
		fmt.Fprintf(w, "%d jobs, each due once a second: %d due times, %d missing\n", r.Jobs, d.Due, d.Missing)
		ms := func(v float64) string { return fmt.Sprintf("%.1f ms", v) }
		writeTable(w, []string{"LATE", "P50", "P90", "P99", "MAX"}, []int{10, 14, 14, 14, 14},
			[][]string{{"", ms(d.P50), ms(d.P90), ms(d.P99), ms(d.Max)}})
	}
}

// progressEvery is how often a terminal shows how far a work is.
const progressEvery = 200 * time.Millisecond

// showProgress shows on a terminal how far a work is until stop is called; elsewhere, and beside JSON, nothing.
func (a *app) showProgress(what string, of int, done func() int) (stop func()) {
	if a.output != "text" || !onTerminal(a.stderr) {
		return func() {}
	}
	ended := make(chan struct{})
	var shower sync.WaitGroup
	shower.Go(func() {
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fmt.Fprint(a.stderr, "\r"+progress(what, done(), of))
			case <-ended:
				fmt.Fprint(a.stderr, "\r\x1b[K")
				return
			}
		}
	})
	return func() { close(ended); shower.Wait() }
}

// onTerminal reports whether somebody sees what is written.
func onTerminal(w io.Writer) bool {
	if o, ok := w.(*orderly); ok {
		w = o.w
	}
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// progressCells is how wide the bar of a progress is.
const progressCells = 30

// progress is a bar and figures in one line.
func progress(what string, done, of int) string {
	full := progressCells
	if of > 0 {
		full = min(progressCells, progressCells*done/of)
	}
	return fmt.Sprintf("%-10s [%s%s] %d of %d", what, strings.Repeat("#", full), strings.Repeat(".", progressCells-full), done, of)
}
