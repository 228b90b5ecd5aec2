package page

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Marks are what a table stands between.
type Marks struct{ Begins, Ends string }

// Tables that programs write into docs/reliability.md.
var (
	Faults    = marks("the table of faults", "make reliability writes it")
	Takeovers = marks("the table of takeovers", "make takeovers writes it")
	Chaos     = marks("the table of chaos", "make chaos TABLE=docs/reliability.md adds to it")
)

func marks(name, who string) Marks {
	return Marks{Begins: "<!-- " + name + " begins; " + who + " -->", Ends: "<!-- " + name + " ends -->"}
}

// Set puts the table, lines that each end, between the marks of the page.
func (m Marks) Set(page, table string) (string, error) {
	head, _, tail, err := m.cut(page)
	if err != nil {
		return "", err
	}
	return head + m.Begins + "\n\n" + strings.Trim(table, "\n") + "\n\n" + m.Ends + tail, nil
}

// Add puts one row at the end of the table, and takes out those with the same first cell.
func (m Marks) Add(page, row string) (string, error) {
	_, table, _, err := m.cut(page)
	if err != nil {
		return "", err
	}
	rows := strings.Split(strings.Trim(table, "\n"), "\n")
	rows = slices.DeleteFunc(rows, func(other string) bool { return first(other) == first(row) })
	return m.Set(page, strings.Join(append(rows, row), "\n"))
}

// Write changes a file by Set or Add of a table.
func Write(file string, change func(page string) (string, error)) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	changed, err := change(string(text))
	if err != nil {
		return fmt.Errorf("page: %s: %w", file, err)
	}
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// Cell keeps text from ending its cell.
func Cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func (m Marks) cut(page string) (head, table, tail string, err error) {
	head, rest, ok := strings.Cut(page, m.Begins)
	table, tail, closed := strings.Cut(rest, m.Ends)
	if !ok || !closed {
		return "", "", "", fmt.Errorf("it lacks the marks of the table: %s and %s", m.Begins, m.Ends)
	}
	return head, table, tail, nil
}

// first is the first cell of a row.
func first(row string) string {
	cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
	return strings.TrimSpace(cell)
}
