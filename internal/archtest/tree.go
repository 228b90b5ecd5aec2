package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Tree is the source of one module.
type Tree struct {
	// Module is the module's path.
	Module string
	// Packages are the directories that hold Go files, by slash-separated path; "." is the root.
	Packages map[string]*Package
}

// Package is one directory of Go files.
type Package struct {
	Dir   string
	Files []File
}

// File is what the rules ask about one Go file.
type File struct {
	Path    string
	Test    bool
	Lines   int
	Imports []string
	// Documented tells whether the file has a package comment.
	Documented bool
	// Sleeps are the lines that mention time.Sleep.
	Sleeps []int
}

// Load parses every Go file of the module rooted at tree. It fails on a file that is not Go.
func Load(tree fs.FS, module string) (*Tree, error) {
	loaded := &Tree{Module: module, Packages: map[string]*Package{}}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(tree, name):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		file, err := parse(tree, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if loaded.Packages[dir] == nil {
			loaded.Packages[dir] = &Package{Dir: dir}
		}
		loaded.Packages[dir].Files = append(loaded.Packages[dir].Files, file)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("archtest: load %s: %w", module, err)
	}
	return loaded, nil
}

// skipped tells the directories that the go command does not look into either, and nested modules.
func skipped(tree fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}

func parse(tree fs.FS, name string) (File, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return File{}, err
	}
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, err
	}
	file := File{
		Path: name, Test: strings.HasSuffix(name, "_test.go"),
		Lines: bytes.Count(source, []byte("\n")), Documented: syntax.Doc != nil,
	}
	clock := ""
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		file.Imports = append(file.Imports, imported)
		if imported == "time" {
			clock = localName(spec, "time")
		}
	}
	file.Sleeps = mentions(set, syntax, clock, "Sleep")
	return file, nil
}

func localName(spec *ast.ImportSpec, base string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return base
}

// mentions returns the lines where syntax names pkg.name; none if pkg is empty.
func mentions(set *token.FileSet, syntax *ast.File, pkg, name string) []int {
	var lines []int
	ast.Inspect(syntax, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if left, ok := selector.X.(*ast.Ident); ok && pkg != "" && left.Name == pkg && selector.Sel.Name == name {
			lines = append(lines, set.Position(selector.Pos()).Line)
		}
		return true
	})
	return lines
}
