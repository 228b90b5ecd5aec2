package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Figure is something measured that has no bar.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Fact is a line about where and with what was measured.
type Fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Plot is a picture of the report. Name is that of its file, without the extension.
type Plot struct {
	Name  string
	Title string // in words, for those who do not see it
	SVG   []byte
}

// Report is what a run of the benchmarks found.
type Report struct {
	Rows   []Row    `json:"rows"`
	Beside []Figure `json:"beside"`
	Facts  []Fact   `json:"facts"`
	Plots  []Plot   `json:"-"`
}

// Add appends rows.
func (r *Report) Add(rows ...Row) { r.Rows = append(r.Rows, rows...) }

// Note appends a figure without a bar.
func (r *Report) Note(name string, value float64, unit string) {
	r.Beside = append(r.Beside, Figure{Name: name, Value: value, Unit: unit})
}

// WriteTable writes the rows, then the figures beside them, for a terminal.
func (r *Report) WriteTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join(columns, "\t"))
	for _, row := range r.Rows {
		fmt.Fprintln(table, strings.Join(cells(row), "\t"))
	}
	if len(r.Beside) > 0 {
		fmt.Fprintln(table, "\nbeside")
	}
	for _, f := range r.Beside {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.Name, Number(f.Value), f.Unit)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("report: write the table: %w", err)
	}
	return nil
}

// WriteJSON writes {"rows":[…],"beside":[…],"facts":[…]}. What there is none of is an empty list.
func (r *Report) WriteJSON(w io.Writer) error {
	out := *r
	out.Rows = append([]Row{}, r.Rows...)
	out.Beside = append([]Figure{}, r.Beside...)
	out.Facts = append([]Fact{}, r.Facts...)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(out); err != nil {
		return fmt.Errorf("report: write JSON: %w", err)
	}
	return nil
}

var columns = []string{"work", "carillon", "against", "ratio", "bar", "verdict"}

// cells are a row's texts under the columns.
func cells(r Row) []string {
	bar := Number(r.Bar) + "x"
	if r.Aim > 0 {
		bar += " (aim " + Number(r.Aim) + "x)"
	}
	return []string{
		r.Name, Number(r.Carillon) + " " + r.Unit, Number(r.Against) + " " + r.Unit + " (" + r.Than + ")",
		Number(math.Floor(r.Ratio*100)/100) + "x", bar, r.Verdict(), // a ratio below its bar is not printed as if it were at it
	}
}

// Number is a figure with about three digits that count, thousands parted.
func Number(v float64) string {
	size := math.Abs(v)
	switch {
	case v == 0 || math.IsNaN(v):
		return strconv.FormatFloat(v, 'f', -1, 64)
	case size < 10:
		return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".")
	case size < 100:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
