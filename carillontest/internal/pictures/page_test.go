package pictures_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/internal/timeline"
	"github.com/carillon-project/carillon/job"
)

var update = flag.Bool("update", false, "draw the pictures anew, and write what is so into the page")

const (
	page   = "../../../docs/semantics.md"
	images = "../../../docs/pictures"
)

// shown is a picture in the page: the image, the jobs it is of, and what `job explain` says of the
// times that are named, if any.
var shown = regexp.MustCompile("(?s)!\\[([^\\]]*)\\]\\(pictures/([a-z-]+)\\.svg\\)\n\n```json\n(.*?)```\n(\n```explain\n(.*?)```\n)?")

// TestPicturesShowWhatIsSo plays every scene with the example of the page, draws it, and compares
// image, description and explanations with what is committed.
func TestPicturesShowWhatIsSo(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	told := bytes.Clone(text)
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			block := blockOf(t, text, s.name)
			perform(t, s, documents(t, block[3]), func(st *stage) {
				svg, err := timeline.Render(st.picture())
				if err != nil {
					t.Fatal(err)
				}
				wellFormed(t, svg)
				same(t, filepath.Join(images, s.name+".svg"), svg)
				told = bytes.Replace(told, block[0], st.tell(block), 1)
			})
		})
	}
	same(t, page, told)
}

// TestEveryPictureHasAScene finds images that nothing draws any more, or that the page does not show.
func TestEveryPictureHasAScene(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(images, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var drawn, kept, seen []string
	for _, s := range scenes {
		drawn = append(drawn, s.name)
	}
	for _, f := range files {
		kept = append(kept, strings.TrimSuffix(filepath.Base(f), ".svg"))
	}
	for _, block := range shown.FindAllSubmatch(text, -1) {
		seen = append(seen, string(block[2]))
	}
	slices.Sort(drawn)
	slices.Sort(kept)
	slices.Sort(seen)
	if diff := cmp.Diff(drawn, kept); diff != "" {
		t.Errorf("-scenes +files:\n%s", diff)
	}
	if diff := cmp.Diff(drawn, seen); diff != "" {
		t.Errorf("-scenes +shown in the page:\n%s", diff)
	}
}

// same compares a file with what it should be, or writes it with -update.
func same(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what happens; look at it, then run make pictures (-so it is +committed):\n%s", filepath.Base(file), diff)
	}
}

// blockOf is the picture's place in the page.
func blockOf(t *testing.T, text []byte, name string) [][]byte {
	t.Helper()
	for _, block := range shown.FindAllSubmatch(text, -1) {
		if string(block[2]) == name {
			return block
		}
	}
	t.Fatalf("the page does not show pictures/%s.svg with a json block of its jobs beneath", name)
	return nil
}

func documents(t *testing.T, block []byte) []carillon.Job {
	t.Helper()
	var jobs []carillon.Job
	for docs := json.NewDecoder(bytes.NewReader(block)); ; {
		var doc json.RawMessage
		err := docs.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return jobs
		}
		if err != nil {
			t.Fatalf("%s: %v", block, err)
		}
		j, err := job.Decode(doc)
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		jobs = append(jobs, j)
	}
}

// tell is the picture's block with the true description and explanations.
func (s *stage) tell(block [][]byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "![%s](pictures/%s.svg)\n\n```json\n%s```\n", s.scene.desc, s.scene.name, block[3])
	if len(block[4]) == 0 {
		return b.Bytes()
	}
	b.WriteString("\n```explain\n")
	for line := range strings.Lines(string(block[5])) {
		if strings.HasPrefix(line, " ") {
			continue
		}
		at, err := time.Parse(time.RFC3339, strings.Fields(line)[0])
		s.must(err)
		b.WriteString(s.explain(at))
	}
	b.WriteString("```\n")
	return b.Bytes()
}

var runID = regexp.MustCompile(` Run [0-9a-f-]{36}\.`)

// explain is what `carillon job explain` says of a due time, without the id of the run.
func (s *stage) explain(at time.Time) string {
	answer, err := s.Client().Explain(s.t.Context(), s.docs[0].ID, at)
	s.must(err)
	said := answer.Times[0]
	text := said.Time.Format(time.RFC3339) + "  " + string(said.Verdict) + "\n"
	for _, sentence := range said.Sentences {
		text += wrap(runID.ReplaceAllString(sentence, ""))
	}
	return text
}

// wrap breaks a sentence into indented lines.
func wrap(sentence string) string {
	var b strings.Builder
	line := " "
	for _, word := range strings.Fields(sentence) {
		if len(line)+len(word) > 100 {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for doc := xml.NewDecoder(bytes.NewReader(svg)); ; {
		_, err := doc.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
}
