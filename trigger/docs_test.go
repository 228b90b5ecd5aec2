package trigger_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/trigger"
)

var update = flag.Bool("update", false, "write what is so into the documentation")

// shown is a trigger document in a page, and what the page says it comes to: lines of which the first
// is "from" and a time, and the rest are its next times.
var shown = regexp.MustCompile("(?s)```json\n(\\{\"type\".*?)```\n\n```times\nfrom (\\S+)\n(.*?)```")

// ends is the line after the last time of a trigger that has no more.
const ends = "and no more\n"

// TestDocumentationTellsWhatIsSo reads the pages whose examples are triggers. Run it with -update to
// put the true times in.
func TestDocumentationTellsWhatIsSo(t *testing.T) {
	for _, page := range []string{"../docs/semantics.md", "../docs/from-cron.md", "../docs/from-apscheduler.md"} {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			examples := 0
			told := shown.ReplaceAllFunc(text, func(block []byte) []byte {
				examples++
				part := shown.FindSubmatch(block)
				lines := bytes.Count(part[3], []byte("\n")) - bytes.Count(part[3], []byte(ends))
				return fmt.Appendf(nil, "```json\n%s```\n\n```times\nfrom %s\n%s```", part[1], part[2], soIs(t, part[1], string(part[2]), lines))
			})
			if blocks := bytes.Count(text, []byte("```times")); examples != blocks || examples == 0 {
				t.Errorf("%d examples were understood, of %d", examples, blocks)
			}
			if *update {
				if err := os.WriteFile(page, told, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(told), string(text)); diff != "" {
				t.Errorf("-so it is +written:\n%s", diff)
			}
		})
	}
}

// soIs returns the first times of a document as if it were added at from, at least one line.
func soIs(t *testing.T, doc []byte, from string, lines int) string {
	t.Helper()
	start := instant(t, from)
	resolved, err := trigger.Resolve(doc, start)
	if errors.Is(err, trigger.ErrInvalid) {
		return "refused: " + err.Error() + "\n"
	}
	if err != nil {
		t.Fatal(err)
	}
	tr, err := trigger.ParseWith(resolved, kept(map[string]string{
		"holidays": `{"exclude":["2024-12-25","2024-12-26",{"from":"2024-12-31","to":"2025-01-01"}]}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	last := start.Add(-time.Nanosecond)
	for _, last = range trigger.Times(tr, start, max(lines, 1)) {
		fmt.Fprintln(&said, last.Format(time.RFC3339Nano))
	}
	if said.Len() == 0 {
		return "never\n"
	}
	if tr.Next(last).IsZero() {
		said.WriteString(ends)
	}
	return said.String()
}
