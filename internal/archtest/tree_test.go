package archtest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/internal/archtest"
)

const module = "github.com/carillon-project/carillon"

func TestTreeHoldsItsShape(t *testing.T) {
	root := os.DirFS("../..")
	tree, err := archtest.Load(root, module)
	if err != nil {
		t.Fatal(err)
	}
	// A walk that saw nothing would find nothing wrong.
	for _, dir := range []string{".", "job", "trigger", "store", "scheduler", "executor/shell", "cluster", "internal/archtest"} {
		if tree.Packages[dir] == nil {
			t.Errorf("package %s was not seen", dir)
		}
	}
	if faults := archtest.Check(tree); len(faults) > 0 {
		t.Errorf("%d rules are broken:\n%s", len(faults), strings.Join(faults, "\n"))
	}
}
