package trigger_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/trigger"
)

// vector is one known answer. from is inclusive, and fewer times than count means exhausted.
type vector struct {
	Name    string          `json:"name"`
	Trigger json.RawMessage `json:"trigger"`
	From    time.Time       `json:"from"`
	Count   int             `json:"count"`
	Times   []time.Time     `json:"times"`
	Error   bool            `json:"error"`
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	file, err := os.Open("testdata/trigger_vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var vectors []vector
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func TestVectors(t *testing.T) {
	vectors := readVectors(t)
	if len(vectors) != 486 {
		t.Fatalf("read %d vectors, want 486", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			resolved, err := trigger.Resolve(v.Trigger, v.From)
			if v.Error {
				if !errors.Is(err, trigger.ErrInvalid) {
					t.Fatalf("Resolve(%s) = %s, %v; want ErrInvalid", v.Trigger, resolved, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := trigger.Parse(resolved)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.Times, trigger.Times(got, v.From, v.Count)); diff != "" {
				t.Errorf("%s\ntimes from %s differ (-want +got):\n%s", v.Trigger, v.From, diff)
			}
		})
	}
}
