package matrix_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/test/e2e/internal/history"
	"github.com/carillon-project/carillon/test/e2e/internal/matrix"
)

func TestTableIsWhole(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	drawn := 0
	for _, f := range matrix.Table() {
		if !name.MatchString(f.Name) || seen[f.Name] {
			t.Errorf("the name %q is no name of a file, or is taken", f.Name)
		}
		seen[f.Name] = true
		if f.Says == "" || f.Promise == "" || f.Strike == nil {
			t.Errorf("%s: says %q, promises %q", f.Name, f.Says, f.Promise)
		}
		if f.Chaos {
			drawn++
		}
	}
	if drawn < 10 {
		t.Errorf("chaos has %d faults to draw from", drawn)
	}
}

// sample is the result of a play that went wrong.
func sample() matrix.Result {
	r := matrix.Result{
		Name: "chaos", Seed: 7, Strikes: 2, Seconds: 61.2,
		Tally:    history.Tally{Due: 100, Ran: 99, Skipped: 3, Lost: 1, Doubled: 2, Reruns: 4, Kills: 5, Terms: 6},
		Figures:  map[string]string{"leader-sigkill": "2"},
		Breaches: []string{"lost: a due 12:00:00.000: never ran"},
	}
	for i := range 200 {
		r.Takeovers = append(r.Takeovers, time.Duration(i+1)*time.Millisecond)
	}
	return r
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	sample().Print(&out)
	want := `chaos: seed 7, 2 strikes in 61 s
  leader-sigkill                           2
runs due 100, executed 96, recorded as skipped 3, missed 1, doubled 2, reruns explained 4
kills 5, terms 6; latest first start 0s after it was due
200 takeovers: p50 100ms, p99 198ms, max 200ms
BREACH lost: a due 12:00:00.000: never ran
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	out.Reset()
	matrix.Result{Name: "calm"}.Print(&out)
	if !strings.HasSuffix(out.String(), "every rule held\n") {
		t.Errorf("without a breach it ends as %q", out.String())
	}
}

func TestResultsAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := sample().Write(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "chaos.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got matrix.Result
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
}
