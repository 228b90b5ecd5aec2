package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// MaxLines is the most lines that a file may have.
const MaxLines = 500

// ranks order the tree: a package imports packages of its own top directory and of lower ranks. The
// top directories of one rank never import each other. What has no rank (test, examples) may import
// everything, and nothing that has one may import it.
var ranks = map[string]int{
	"internal": 0, "job": 1, "trigger": 1, "store": 2,
	"scheduler": 3, "executor": 3, "cluster": 3,
	".": 4, "api": 5, "web": 5, "carillontest": 5, "cmd": 6,
}

// public are the top directories that users of the library download and link.
var public = []string{".", "job", "trigger", "store", "scheduler", "executor", "cluster", "carillontest"}

// heavy are packages that no public package nor its tests may reach: they would enter the
// dependencies of everybody who embeds a node. A leading slash stands for the module.
var heavy = []string{
	"go.etcd.io/etcd/server", "github.com/alicebob/miniredis", "github.com/spf13/cobra",
	"github.com/knadh/koanf", "/internal/devstack",
}

// polling are the trees whose tests may sleep: they wait for other processes.
var polling = []string{"test", "internal/devstack"}

// Check returns every broken rule as one line each, sorted; none if the tree is as it should be.
func Check(tree *Tree) []string {
	var faults []string
	for _, pkg := range tree.Packages {
		faults = append(faults, tree.checkDirection(pkg)...)
		faults = append(faults, tree.checkReach(pkg)...)
		faults = append(faults, checkDoc(pkg)...)
		faults = append(faults, checkFiles(pkg)...)
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

func (t *Tree) checkDirection(pkg *Package) []string {
	from := top(pkg.Dir)
	rank, ranked := ranks[from]
	if !ranked {
		return nil
	}
	var faults []string
	for _, file := range pkg.Files {
		for _, imported := range file.Imports {
			dir, ours := t.dirOf(imported)
			to := top(dir)
			if !ours || to == from {
				continue
			}
			if lower, known := ranks[to]; !known || lower >= rank {
				faults = append(faults, fmt.Sprintf("%s: %s must not import %s: imports point downward, "+
					"cmd -> api, web -> root -> scheduler, executor, cluster -> store -> job, trigger", file.Path, from, to))
			}
		}
	}
	return faults
}

// checkReach follows the imports of a public package and its tests through the module.
func (t *Tree) checkReach(pkg *Package) []string {
	if !slices.Contains(public, top(pkg.Dir)) {
		return nil
	}
	var faults []string
	for _, file := range pkg.Files {
		for _, imported := range file.Imports {
			if chain := t.reach(imported, map[string]bool{}); chain != nil {
				faults = append(faults, fmt.Sprintf("%s: reaches %s: a public package and its tests must not; "+
					"put the test into test/", file.Path, strings.Join(chain, " -> ")))
			}
		}
	}
	return faults
}

// reach returns the way from imported to a heavy package, or nil if there is none.
func (t *Tree) reach(imported string, seen map[string]bool) []string {
	for _, ban := range heavy {
		if rest, ours := strings.CutPrefix(ban, "/"); ours {
			ban = t.Module + "/" + rest
		}
		if imported == ban || strings.HasPrefix(imported, ban+"/") {
			return []string{imported}
		}
	}
	dir, ours := t.dirOf(imported)
	if !ours || seen[dir] || t.Packages[dir] == nil {
		return nil
	}
	seen[dir] = true
	for _, file := range t.Packages[dir].Files {
		if file.Test {
			continue
		}
		for _, next := range file.Imports {
			if chain := t.reach(next, seen); chain != nil {
				return append([]string{imported}, chain...)
			}
		}
	}
	return nil
}

// checkDoc wants doc.go with a package comment wherever there is more than tests.
func checkDoc(pkg *Package) []string {
	onlyTests := true
	for _, file := range pkg.Files {
		if file.Path == "doc.go" || strings.HasSuffix(file.Path, "/doc.go") {
			if file.Documented {
				return nil
			}
			return []string{file.Path + ": no package comment: say what the package guarantees and what not"}
		}
		onlyTests = onlyTests && file.Test
	}
	if onlyTests {
		return nil
	}
	return []string{pkg.Dir + ": no doc.go: say what the package guarantees and what not"}
}

// bubbles reports whether an import says that its file's tests run in a bubble of synctest.
func bubbles(imported string) bool {
	return imported == "testing/synctest" || strings.HasSuffix(imported, "/carillontest")
}

func checkFiles(pkg *Package) []string {
	mayPoll := slices.ContainsFunc(polling, func(tree string) bool {
		return pkg.Dir == tree || strings.HasPrefix(pkg.Dir, tree+"/")
	})
	var faults []string
	for _, file := range pkg.Files {
		if file.Lines > MaxLines {
			faults = append(faults, fmt.Sprintf("%s: %d lines, more than %d: split it by what its parts are about",
				file.Path, file.Lines, MaxLines))
		}
		// In a bubble of synctest a sleep takes no time; which file has them tells its import.
		if !file.Test || mayPoll || slices.ContainsFunc(file.Imports, bubbles) {
			continue
		}
		for _, line := range file.Sleeps {
			faults = append(faults, fmt.Sprintf("%s:%d: time.Sleep in a unit test: wait for an event, or sleep in a bubble of testing/synctest",
				file.Path, line))
		}
	}
	return faults
}

// dirOf returns the directory of a package of this module, and whether it is one.
func (t *Tree) dirOf(imported string) (string, bool) {
	if imported == t.Module {
		return ".", true
	}
	return strings.CutPrefix(imported, t.Module+"/")
}

// top is the first element of a directory.
func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}
