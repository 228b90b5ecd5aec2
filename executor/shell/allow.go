package shell

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SearchPath is where programs are looked up, and the PATH they run with. The node's own PATH plays
// no part.
const SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ErrNotAllowed is in the chain of the error for a program that the allow list does not open.
var ErrNotAllowed = errors.New("program not allowed")

// ErrInvalidArgs is in the chain of the error for arguments that no attempt can run.
var ErrInvalidArgs = errors.New("invalid arguments")

// allowList maps the real path of a program file to the names it may be called by. A nil set means
// any name: the file itself was allowed, not a link to it.
type allowList map[string]map[string]bool

// newAllowList resolves the entries, each an absolute path or a bare name. Its error reports every
// entry that leads to no program.
func newAllowList(entries []string) (allowList, error) {
	list := make(allowList, len(entries))
	var faults []error
	for _, entry := range entries {
		found, real, err := lookup(entry)
		if err != nil {
			faults = append(faults, fmt.Errorf("allow %q: %w", entry, err))
			continue
		}
		name := filepath.Base(found)
		names, known := list[real]
		switch {
		case name == filepath.Base(real):
			list[real] = nil
		case !known:
			list[real] = map[string]bool{name: true}
		case names != nil:
			names[name] = true
		}
	}
	return list, errors.Join(faults...)
}

// resolve returns the real path of the program that argv0 names, if it is allowed.
func (l allowList) resolve(argv0 string) (string, error) {
	if len(l) == 0 {
		return "", fmt.Errorf("%w: no program is, until --allow-shell names it: %q", ErrNotAllowed, argv0)
	}
	found, real, err := lookup(argv0)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrInvalidArgs, argv0, err)
	}
	names, ok := l[real]
	if !ok {
		return "", fmt.Errorf("%w: %q is %s, which --allow-shell does not name", ErrNotAllowed, argv0, real)
	}
	if names != nil && !names[filepath.Base(found)] {
		return "", fmt.Errorf("%w: %q is %s, which --allow-shell opens under another name only", ErrNotAllowed, argv0, real)
	}
	return real, nil
}

// lookup finds a program by absolute path or by bare name in SearchPath, and returns where it was
// found and, with all symbolic links followed, which file that is.
func lookup(program string) (found, real string, err error) {
	switch {
	case program == "":
		return "", "", errors.New("empty program name")
	case strings.ContainsRune(program, 0):
		return "", "", errors.New("NUL in the program name")
	case filepath.IsAbs(program):
		real, err = executable(program)
		return filepath.Clean(program), real, err
	case strings.Contains(program, "/"):
		return "", "", errors.New("neither an absolute path nor a bare name")
	}
	for _, dir := range filepath.SplitList(SearchPath) {
		found = filepath.Join(dir, program)
		if real, err = executable(found); err == nil {
			return found, real, nil
		}
	}
	return "", "", fmt.Errorf("not found in %s: %w", SearchPath, fs.ErrNotExist)
}

// executable follows the links of path to a regular file that someone may execute.
func executable(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("%s is not an executable file", real)
	}
	return real, nil
}
