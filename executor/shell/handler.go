package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Defaults of Config.
const (
	DefaultOutputCap = 64 << 10
	DefaultKillGrace = 5 * time.Second
)

// excerptLimit bounds what an error quotes of the output, in bytes.
const excerptLimit = 256

// Config says which programs run and how they end. The zero value works and refuses every program.
type Config struct {
	// Allow names programs by absolute path or by bare name in SearchPath. See the package comment
	// for what a symbolic link opens.
	Allow []string
	// OutputCap is how many bytes of output are kept, the last ones of standard output and standard
	// error together. Zero means DefaultOutputCap; less is refused.
	OutputCap int
	// KillGrace is the time between SIGTERM and SIGKILL. Zero means DefaultKillGrace; less is
	// refused.
	KillGrace time.Duration
}

// Request is one attempt of a run.
type Request struct {
	Store, JobID, RunID string
	ScheduledTime       time.Time
	Attempt             int
	// Args are {"argv","env","cwd"}; all but argv are optional.
	Args json.RawMessage
}

// Result is what a program left behind.
type Result struct {
	// Output is the end of standard output and standard error together, as valid UTF-8.
	Output string `json:"output"`
	// Dropped counts the bytes of output before that.
	Dropped int64 `json:"dropped,omitempty"`
}

// ExitError is in the chain of the error of a program that ran and did not exit with 0.
type ExitError struct {
	// Code is the exit code, -1 if a signal ended the program.
	Code int
	// State tells the exit code or the signal in words.
	State string
	// Excerpt is the end of the output, valid UTF-8 and at most 256 bytes.
	Excerpt string
}

// Error tells how the program ended and quotes the excerpt, if there is one.
func (e *ExitError) Error() string {
	if e.Excerpt == "" {
		return e.State
	}
	return fmt.Sprintf("%s: %q", e.State, e.Excerpt)
}

// Handler runs attempts. It is safe for concurrent use.
type Handler struct {
	allow     allowList
	outputCap int
	killGrace time.Duration
}

// New returns a handler, or an error that reports every fault of config at once: an entry of Allow
// that leads to no program, a negative bound, a system without process groups.
func New(config Config) (*Handler, error) {
	allow, err := newAllowList(config.Allow)
	faults := []error{supported(), err}
	if config.OutputCap < 0 {
		faults = append(faults, fmt.Errorf("output cap %d is negative", config.OutputCap))
	}
	if config.KillGrace < 0 {
		faults = append(faults, fmt.Errorf("kill grace %s is negative", config.KillGrace))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("shell: configure: %w", err)
	}
	h := &Handler{allow: allow, outputCap: config.OutputCap, killGrace: config.KillGrace}
	if h.outputCap == 0 {
		h.outputCap = DefaultOutputCap
	}
	if h.killGrace == 0 {
		h.killGrace = DefaultKillGrace
	}
	return h, nil
}

// Do runs the program of req and returns what it left behind, which is also filled in when the
// program failed. The error wraps ErrInvalidArgs, ErrNotAllowed, an *ExitError, or the error of ctx
// when ctx ended before the program; else the program could not be started.
func (h *Handler) Do(ctx context.Context, req Request) (Result, error) {
	args, err := parseArguments(req.Args)
	if err != nil {
		return Result{}, fmt.Errorf("shell: read arguments: %w", err)
	}
	program, err := h.allow.resolve(args.Argv[0])
	if err != nil {
		return Result{}, fmt.Errorf("shell: find program: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("shell: run: %s: %w", program, err)
	}
	if args.Cwd == "" {
		args.Cwd = "/"
	}
	output := &tail{limit: h.outputCap}
	err = h.run(ctx, &command{
		program: program, argv: args.Argv, dir: args.Cwd, env: environment(req, args.Env), output: output,
	})
	result := Result{Output: output.text(), Dropped: output.dropped()}
	if err != nil {
		return result, fmt.Errorf("shell: run: %s: %w", program, err)
	}
	return result, nil
}

// command is one program to run, with everything decided.
type command struct {
	program string
	argv    []string
	dir     string
	env     []string
	output  *tail
}

// excerpt is the end of an output, short enough for an error.
func excerpt(output string) string {
	if len(output) > excerptLimit {
		output = strings.ToValidUTF8(output[len(output)-excerptLimit:], "")
	}
	return strings.TrimSpace(output)
}
