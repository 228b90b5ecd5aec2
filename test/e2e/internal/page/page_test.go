package page_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/test/e2e/internal/page"
)

var m = page.Faults

func between(table string) string {
	return "head\n" + m.Begins + "\n\n" + table + "\n\n" + m.Ends + "\ntail\n"
}

func TestSet(t *testing.T) {
	got, err := m.Set("head\n"+m.Begins+"\nold\n"+m.Ends+"\ntail\n", "new\n")
	if err != nil || got != between("new") {
		t.Errorf("%q, %v", got, err)
	}
	again, err := m.Set(got, "new\n")
	if err != nil || again != got {
		t.Errorf("a second time it is %q, %v", again, err)
	}
}

func TestAdd(t *testing.T) {
	table := "| seed | due |\n|---|---|\n| 7 | 1 |\n| 77 | 2 |"
	tests := []struct{ name, row, want string }{
		{"another", "| 8 | 3 |", table + "\n| 8 | 3 |"},
		{"one that is there", "| 7 | 9 |", "| seed | due |\n|---|---|\n| 77 | 2 |\n| 7 | 9 |"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := m.Add(between(table), tt.row)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(between(tt.want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPagesWithoutMarksAreRefused(t *testing.T) {
	for _, bad := range []string{"", m.Begins, m.Ends, m.Ends + m.Begins, page.Chaos.Begins + page.Chaos.Ends} {
		if _, err := m.Set(bad, "new"); err == nil {
			t.Errorf("%q has no place for a table and was accepted", bad)
		}
		if _, err := m.Add(bad, "| new |"); err == nil {
			t.Errorf("%q has no place for a row and was accepted", bad)
		}
	}
}

func TestWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	if err := page.Write(file, func(p string) (string, error) { return p, nil }); err == nil {
		t.Error("a page that is not there was written")
	}
	if err := os.WriteFile(file, []byte(between("old")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := page.Write(file, func(p string) (string, error) { return page.Chaos.Set(p, "new") }); err == nil {
		t.Error("a page without the marks was written")
	}
	if err := page.Write(file, func(p string) (string, error) { return m.Set(p, page.Cell("a|b")) }); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != between("a\\|b") {
		t.Errorf("%q, %v", got, err)
	}
}
