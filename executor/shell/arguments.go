package shell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// scheduledLayout is RFC 3339 in UTC with milliseconds.
const scheduledLayout = "2006-01-02T15:04:05.000Z"

// arguments are what a job of the task shell gives.
type arguments struct {
	Argv []string          `json:"argv"`
	Env  map[string]string `json:"env"`
	Cwd  string            `json:"cwd"`
}

// Names in env that make the loader or an interpreter run other code than the allowed program's.
// Some are families that share a prefix.
var (
	steeringNames = map[string]bool{
		"BASHOPTS": true, "BASH_ENV": true, "ENV": true, "GCONV_PATH": true, "GLIBC_TUNABLES": true,
		"IFS": true, "JAVA_TOOL_OPTIONS": true, "NODE_OPTIONS": true, "PATH": true, "PERL5DB": true,
		"PERL5LIB": true, "PERL5OPT": true, "PS4": true, "PYTHONHOME": true, "PYTHONINSPECT": true,
		"PYTHONPATH": true, "PYTHONSTARTUP": true, "RUBYLIB": true, "RUBYOPT": true, "SHELLOPTS": true,
	}
	steeringFamilies = []string{"BASH_FUNC_", "DYLD_", "LD_"}
)

// parseArguments decodes and checks raw. Unknown names, trailing text and whatever no program could
// be given are errors that wrap ErrInvalidArgs; nothing is repaired.
func parseArguments(raw json.RawMessage) (arguments, error) {
	var args arguments
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&args); err != nil {
		return args, fmt.Errorf("%w: %w", ErrInvalidArgs, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return args, fmt.Errorf("%w: text after the arguments", ErrInvalidArgs)
	}
	if err := args.check(); err != nil {
		return args, fmt.Errorf("%w: %w", ErrInvalidArgs, err)
	}
	return args, nil
}

// check never repeats a value, which may be secret.
func (a arguments) check() error {
	if len(a.Argv) == 0 {
		return errors.New("argv: missing or empty")
	}
	for i, arg := range a.Argv {
		if strings.ContainsRune(arg, 0) {
			return fmt.Errorf("argv: NUL in element %d", i)
		}
	}
	for name, value := range a.Env {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			return fmt.Errorf("env: %q is not a name", name)
		case Refuses(name):
			return fmt.Errorf("env: %s cannot be set by a job", name)
		case strings.ContainsRune(value, 0):
			return fmt.Errorf("env: NUL in the value of %s", name)
		}
	}
	if a.Cwd != "" && (!filepath.IsAbs(a.Cwd) || strings.ContainsRune(a.Cwd, 0)) {
		return errors.New("cwd: not an absolute path")
	}
	return nil
}

// Refuses reports whether no job may set the variable of this name: it makes a loader or an
// interpreter run other code than the program's. PATH is one of them; those that the handler sets,
// CARILLON_…, are not, though what a job gives them is overwritten.
func Refuses(name string) bool {
	if steeringNames[name] {
		return true
	}
	for _, family := range steeringFamilies {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
}

// environment is all that the program gets, sorted; the run's own names win.
func environment(req Request, given map[string]string) []string {
	merged := make(map[string]string, len(given)+6)
	for name, value := range given {
		merged[name] = value
	}
	merged["PATH"] = SearchPath
	merged["CARILLON_STORE"] = req.Store
	merged["CARILLON_JOB_ID"] = req.JobID
	merged["CARILLON_RUN_ID"] = req.RunID
	merged["CARILLON_SCHEDULED_TIME"] = req.ScheduledTime.UTC().Format(scheduledLayout)
	merged["CARILLON_ATTEMPT"] = strconv.Itoa(req.Attempt)
	list := make([]string, 0, len(merged))
	for name, value := range merged {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
