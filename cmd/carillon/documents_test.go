package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestReadDocuments(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
		list       bool
	}{
		{"one", `{"a":1}`, []string{`{"a":1}`}, false},
		{"byte order mark", "\ufeff{\"a\":1}", []string{`{"a":1}`}, false},
		{"list", `[{"a":1},{"a":2}]`, []string{`{"a":1}`, `{"a":2}`}, true},
		{"list of one", `[{"a":1}]`, []string{`{"a":1}`}, true},
		{"empty list", `[]`, nil, true},
		{"lines", "{\"a\":1}\n\n{\"a\":2}\n", []string{`{"a":1}`, `{"a":2}`}, true},
		{"args stay as they are", `{"args":{"n":1.0,"s":"<&>"}}`, []string{`{"args":{"n":1.0,"s":"<&>"}}`}, false},
		{"yaml", "a: 1\n", []string{`{"a":1}`}, false},
		{"yaml with a mark", "---\na: 1\n", []string{`{"a":1}`}, false},
		{"yaml with comments", "# jobs\n---\na: 1\n---\n# none\n", []string{`{"a":1}`}, false},
		{"yaml stream", "a: 1\n---\na: 2\n", []string{`{"a":1}`, `{"a":2}`}, true},
		{"yaml list", "- a: 1\n- a: 2\n", []string{`{"a":1}`, `{"a":2}`}, true},
		{"yaml keeps dates as they are written", "start_date: 2026-01-01\n", []string{`{"start_date":"2026-01-01"}`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs, list, err := readDocuments([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range docs {
				got = append(got, string(d.text))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || list != tt.list {
				t.Errorf("list %v (-want +got):\n%s", list, diff)
			}
		})
	}
}

func TestReadDocumentsRefuses(t *testing.T) {
	for _, text := range []string{"", " \n", "---\n---\n", `{"a":1`, `{"a":1}]`, "a: 1\na: 2\n", "a: [\n", "\x00"} {
		if docs, _, err := readDocuments([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, docs)
		}
	}
}

func TestDocumentsHaveLines(t *testing.T) {
	tests := []struct {
		name, text string
		want       []int
	}{
		{"lines", "\n{\"a\":1}\n\n{\"a\":\n2}  {}\n", []int{2, 4, 5}},
		{"list", "[\n{\"a\":1},\n  {\"a\":2}]\n", []int{2, 3}},
		{"yaml stream", "# jobs\n---\na: 1\n\n---\n\na: 2\n", []int{3, 6}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs, _, err := readDocuments([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, d := range docs {
				got = append(got, d.line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for text, where := range map[string]string{
		"{}\n{\n\"a\":x}":       "document 2, line 3",
		"{}\n\n{\"a\":1,\n":     "document 2, line 3: it ends",
		"a: 1\n---\n\nb: [\n":   "document 2",
		"a: 1\n---\n\n\tb: 1\n": "line 4",
	} {
		if _, _, err := readDocuments([]byte(text)); err == nil || !strings.Contains(err.Error(), where) {
			t.Errorf("%q: %v, want %q", text, err, where)
		}
	}
}

// What is read is JSON, whatever the text; and a list comes back as its members.
func TestReadDocumentsGivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]byte("{}[]\",:- \na1#'&*!|>\t")), 0, 30).Draw(t, "text")
		docs, list, err := readDocuments(text)
		if err != nil {
			return
		}
		for _, d := range docs {
			if !json.Valid(d.text) {
				t.Fatalf("%q gave %q", text, d.text)
			}
		}
		if !list && len(docs) != 1 {
			t.Fatalf("%q gave %d documents and is no list", text, len(docs))
		}
	})
}

func TestCutAndTable(t *testing.T) {
	for text, want := range map[string]string{"": "", "abc": "abc", "abcd": "ab…", "é\n": "é ", "aäöü": "aä…"} {
		if got := cut(text, 3); got != want {
			t.Errorf("cut(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"list", "lst", 1}, {"store", "sotre", 2}, {"kitten", "sitting", 3}} {
		if got := distance(tt.a, tt.b); got != tt.want || distance(tt.b, tt.a) != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestTriggerOfADocumentIsRefusedInPlainWords(t *testing.T) {
	for _, c := range []struct{ name, trigger, want string }{
		{"unknown zone", `{"type":"cron","expr":"* * * * *","timezone":"Nowhere/City"}`, "invalid job: trigger: invalid: timezone: "},
		{"never fires", `{"type":"cron","expr":"0 0 30 2 *"}`, "invalid job: trigger: invalid: it never fires"},
		{"disjoint and", `{"type":"and","triggers":[{"type":"cron","expr":"0 9 * * *"},{"type":"cron","expr":"0 10 * * *"}]}`, "invalid job: trigger: invalid: it never fires"},
		{"rrule on no day", `{"type":"rrule","rule":"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31"}`, "invalid job: trigger: invalid: it never fires"},
		{"excludes itself", `{"type":"cron","expr":"0 0 * * *","exclude":[{"type":"cron","expr":"0 0 * * *"}]}`, "invalid job: trigger: invalid: it never fires"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decodeJob(json.RawMessage(`{"task":"log","trigger":`+c.trigger+`}`), time.Now())
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("it says %v, want %s…", err, c.want)
			}
		})
	}
}

// Nothing listens at the address: an impossible trigger is refused before anything is contacted.
func TestImpossibleTriggerIsRefusedInOneLine(t *testing.T) {
	environment{"CARILLON_REDIS": "redis://127.0.0.1:1"}.refused(t, 2, []string{"it never fires"}, "", "job", "add", "--task", "log", "--cron", "0 0 31 2 *")
}
