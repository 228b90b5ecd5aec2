package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// columns is how wide text output gets at most.
const columns = 80

// orderly lets several goroutines write to one writer, a call at a time.
type orderly struct {
	mu sync.Mutex
	w  io.Writer
}

// Write writes p in one piece.
func (o *orderly) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// answer writes v as one line of JSON, or what text writes.
func (a *app) answer(v any, text func(w io.Writer)) error {
	if a.output == "json" {
		return a.line(v)
	}
	var b strings.Builder
	text(&b)
	return a.write(b.String())
}

// line writes v as one line of JSON.
func (a *app) line(v any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

func (a *app) write(text string) error {
	if _, err := io.WriteString(a.stdout, text); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// writeTable writes rows under a title row. Columns are as wide as their texts, each at most its
// limit; the last takes what is left of the line. Longer texts are cut. A row of one text
// has the whole line.
func writeTable(w io.Writer, titles []string, limits []int, rows [][]string) {
	rows = append([][]string{titles}, rows...)
	widths := make([]int, len(titles))
	for _, row := range rows {
		for i, text := range row[:len(row)-1] {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for i, limit := range limits {
		widths[i] = min(widths[i], limit)
	}
	for _, row := range rows {
		var b strings.Builder
		left := columns
		for i, text := range row {
			if i == len(row)-1 {
				b.WriteString(cut(text, left))
				break
			}
			text = cut(text, widths[i])
			b.WriteString(text)
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
			left -= widths[i] + 2
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// cut shortens a text to so many characters on one line.
func cut(text string, width int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	return string([]rune(text)[:width-1]) + "…"
}
