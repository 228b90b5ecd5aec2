package report

import (
	"math"
	"slices"
)

// mostRatio bounds a ratio: better than that is not told apart, and a division by zero is that.
const mostRatio = 1000

// Row is a figure of Carillon held against another one, and the bar that their ratio has to reach.
type Row struct {
	Name     string  `json:"name"`
	Carillon float64 `json:"carillon"`      // in Unit
	Against  float64 `json:"against"`       // in Unit: a peer's figure, Carillon's own at another size, or a limit
	Ratio    float64 `json:"ratio"`         // how many times better Carillon is; at most 1000
	Bar      float64 `json:"bar"`           // the ratio that is asked for
	OK       bool    `json:"ok"`            // the ratio is at least the bar
	Aim      float64 `json:"aim,omitempty"` // the ratio that is aimed at; zero for none
	Unit     string  `json:"unit"`
	Than     string  `json:"than"` // what it is held against, in words
}

// Higher is a row of figures of which more is better.
func Higher(name, unit string, carillon float64, than string, against, bar float64) Row {
	return judged(Row{Name: name, Unit: unit, Carillon: carillon, Than: than, Against: against, Bar: bar}, carillon, against)
}

// Lower is a row of figures of which less is better.
func Lower(name, unit string, carillon float64, than string, against, bar float64) Row {
	return judged(Row{Name: name, Unit: unit, Carillon: carillon, Than: than, Against: against, Bar: bar}, against, carillon)
}

// Within is a row of a figure that must not exceed a limit.
func Within(name, unit string, carillon, limit float64) Row {
	return Lower(name, unit, carillon, "limit", limit, 1)
}

// AimingAt returns the row with the ratio that is aimed at.
func (r Row) AimingAt(ratio float64) Row {
	r.Aim = ratio
	return r
}

// Verdict is "short" below the bar, "pass" at it, "aim met" at the aim.
func (r Row) Verdict() string {
	switch {
	case !r.OK:
		return "short"
	case r.Aim > 0 && r.Ratio >= r.Aim:
		return "aim met"
	}
	return "pass"
}

func judged(r Row, better, worse float64) Row {
	r.Ratio = mostRatio
	if worse > 0 {
		r.Ratio = min(better/worse, mostRatio)
	}
	r.OK = r.Ratio >= r.Bar
	return r
}

// Median is the middle value, or the mean of the two middle ones. Of nothing it is NaN.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
