package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
	"github.com/carillon-project/carillon/test/e2e/internal/page"
)

// table is one row per result, as markdown.
func table(results []matrix.Result) string {
	var b strings.Builder
	b.WriteString("| row | what is done | what is promised | times | due | ran | lost | doubled | run again | takeover p50, p99, max | held |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d | %d | %d | %d | %d | %d | %s | %s |\n", page.Cell(r.Name),
			page.Cell(r.Says), page.Cell(r.Promise), r.Strikes, r.Tally.Due, r.Tally.Ran, r.Tally.Lost, r.Tally.Doubled, r.Tally.Reruns, takeover(r.Takeovers), held(r))
	}
	return b.String()
}

// trials is one row per result, as markdown.
func trials(results []matrix.Result) string {
	var b strings.Builder
	b.WriteString("| what is done | what is promised | times | due | lost | doubled | run again | p50 | p99 | max | held |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		p50, p99, most := "–", "–", "–"
		if took := r.Takeovers; len(took) > 0 {
			p50, p99, most = brief(history.Median(took)), brief(matrix.Percentile(took, 99)), brief(took[len(took)-1])
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d | %s | %s | %s | %s |\n", page.Cell(r.Says), page.Cell(r.Promise),
			r.Strikes, r.Tally.Due, r.Tally.Lost, r.Tally.Doubled, r.Tally.Reruns, p50, p99, most, held(r))
	}
	return b.String()
}

func held(r matrix.Result) string {
	if len(r.Breaches) > 0 {
		return "**no**"
	}
	return "yes"
}

// takeover is the median, the 99th percentile and the longest, or a dash when nobody took over.
func takeover(sorted []time.Duration) string {
	if len(sorted) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s, %s, %s", brief(history.Median(sorted)), brief(matrix.Percentile(sorted, 99)), brief(sorted[len(sorted)-1]))
}

// brief is a duration for people: milliseconds below a second, tenths above.
func brief(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
