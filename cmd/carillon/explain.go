package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon"
)

func (a *app) jobExplainCommand() *cobra.Command {
	var text string
	c := &cobra.Command{
		Use: "explain ID [--at TIME]", Short: "Say why a job ran or did not run", Args: takes("ID"),
		Long: "Says how a job stands and what became of its last times and its next, or of\n" +
			"one due time, from history, pauses and what is dispatched. A time in whole\n" +
			"seconds means the due time within that second.",
		Example: "  carillon job explain nightly\n  carillon job explain nightly --at 2026-01-05T03:00:00Z",
	}
	c.Flags().StringVar(&text, "at", "", "the due `TIME` to explain, RFC 3339 (default the last ones and the next)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var at time.Time
		if text != "" {
			var err error
			if at, err = instant("--at", text); err != nil {
				return usage(err)
			}
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			e, err := c.Explain(cmd.Context(), args[0], at, in...)
			if err != nil {
				return err
			}
			return a.answer(e, func(w io.Writer) { writeExplanation(w, e) })
		})
	}
	return c
}

func writeExplanation(w io.Writer, e carillon.Explanation) {
	for _, s := range e.Job {
		writeFolded(w, "", s)
	}
	for _, t := range e.Times {
		fmt.Fprintf(w, "\n%s  %s\n", moment(t.Time), t.Verdict)
		for _, s := range t.Sentences {
			writeFolded(w, "  ", s)
		}
	}
}

// writeFolded writes a text in lines of at most columns characters, broken between words; a word
// that is longer is cut.
func writeFolded(w io.Writer, indent, text string) {
	line := indent
	for word := range strings.FieldsSeq(text) {
		word = cut(word, columns-len(indent))
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			fmt.Fprintln(w, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, line)
}
