package shell_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/carillon-project/carillon/executor/shell"
)

func TestTailKeepsTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		writes := rapid.SliceOf(rapid.StringMatching(`[a-z]{0,60}`)).Draw(t, "writes")
		whole := strings.Join(writes, "")
		want := whole[max(0, len(whole)-limit):]
		got, dropped := shell.TailOf(limit, writes...)
		if got != want || dropped != int64(len(whole)-len(want)) {
			t.Errorf("kept %q, dropped %d of %q, want %q", got, dropped, whole, want)
		}
	})
}

func TestTailIsValidText(t *testing.T) {
	if got, _ := shell.TailOf(3, "éé"); got != "é" {
		t.Errorf("kept %q, want one whole character", got)
	}
	if got, _ := shell.TailOf(9, "a\xffb"); got != "ab" {
		t.Errorf("kept %q, want ab", got)
	}
}
