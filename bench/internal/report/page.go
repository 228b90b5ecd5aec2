package report

import (
	"fmt"
	"io"
	"strings"
)

// Section is a heading and its text, in Markdown, without a newline at the end.
type Section struct{ Title, Text string }

// WritePage writes the report as a page in Markdown: the sections before, the table, what was measured
// beside, the plots from the directory plots (relative to the page), where it was measured, and the
// sections after.
func (r *Report) WritePage(w io.Writer, title, plots string, before, after []Section) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", title)
	sections(&b, before)
	b.WriteString("\n## The table\n\n")
	markdownRow(&b, columns)
	b.WriteString(strings.Repeat("|---", len(columns)) + "|\n")
	for _, row := range r.Rows {
		markdownRow(&b, cells(row))
	}
	if len(r.Beside) > 0 {
		b.WriteString("\n## Beside it\n\n| figure | value |\n|---|---|\n")
		for _, f := range r.Beside {
			markdownRow(&b, []string{f.Name, Number(f.Value) + " " + f.Unit})
		}
	}
	if len(r.Plots) > 0 {
		b.WriteString("\n## Plots\n")
		for _, p := range r.Plots {
			fmt.Fprintf(&b, "\n![%s](%s/%s.svg)\n", p.Title, plots, p.Name)
		}
	}
	if len(r.Facts) > 0 {
		b.WriteString("\n## Measured on\n\n| | |\n|---|---|\n")
		for _, f := range r.Facts {
			markdownRow(&b, []string{f.Name, f.Text})
		}
	}
	sections(&b, after)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("report: write the page: %w", err)
	}
	return nil
}

func sections(b *strings.Builder, all []Section) {
	for _, s := range all {
		if s.Title != "" {
			fmt.Fprintf(b, "\n## %s\n", s.Title)
		}
		fmt.Fprintf(b, "\n%s\n", s.Text)
	}
}

func markdownRow(b *strings.Builder, cells []string) {
	for _, cell := range cells {
		b.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
	}
	b.WriteString("|\n")
}
