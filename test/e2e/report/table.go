package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
)

// What the table stands between in the page.
const (
	begins = "<!-- the table of faults begins; make reliability writes it -->"
	ends   = "<!-- the table of faults ends -->"
)

// replace puts the table between the marks of the page.
func replace(page, table string) (string, error) {
	head, rest, ok := strings.Cut(page, begins)
	_, tail, closed := strings.Cut(rest, ends)
	if !ok || !closed {
		return "", errors.New("it lacks the marks of the table: " + begins + " and " + ends)
	}
	return head + begins + "\n\n" + table + "\n" + ends + tail, nil
}

// table is one row per result, as markdown.
func table(results []matrix.Result) string {
	var b strings.Builder
	b.WriteString("| what is done | what is promised | times | due | lost | doubled | run again | takeover p50, max | held |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		held := "yes"
		if len(r.Breaches) > 0 {
			held = "**no**"
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d | %s | %s |\n",
			cell(r.Says), cell(r.Promise), r.Strikes, r.Tally.Due, r.Tally.Lost, r.Tally.Doubled, r.Tally.Reruns, takeover(r.Takeovers), held)
	}
	return b.String()
}

// cell keeps text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// takeover is the median and the longest, or a dash when nobody took over.
func takeover(sorted []time.Duration) string {
	if len(sorted) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s, %s", brief(history.Median(sorted)), brief(sorted[len(sorted)-1]))
}

// brief is a duration for people: milliseconds below a second, tenths above.
func brief(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
