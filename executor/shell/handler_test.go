//go:build unix

package shell_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/executor/shell"
)

func newHandler(t *testing.T, config shell.Config) *shell.Handler {
	t.Helper()
	if config.Allow == nil {
		config.Allow = []string{"sh", "env", "pwd"}
	}
	h, err := shell.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func request(t *testing.T, args map[string]any) shell.Request {
	t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return shell.Request{
		Store: "default", JobID: "nightly", RunID: "run-1", Attempt: 2, Args: raw,
		ScheduledTime: time.Date(2026, 3, 1, 3, 0, 0, 5_900_000, time.FixedZone("", 3600)),
	}
}

// script is a request that runs text in sh.
func script(t *testing.T, text string, args ...string) shell.Request {
	t.Helper()
	return request(t, map[string]any{"argv": append([]string{"sh", "-c", text, "sh"}, args...)})
}

func TestEnvironmentIsExactlyWhatIsPromised(t *testing.T) {
	t.Setenv("SECRET_OF_THE_NODE", "hunter2")
	result, err := newHandler(t, shell.Config{}).Do(t.Context(), request(t, map[string]any{
		"argv": []string{"env"},
		"env":  map[string]string{"GREETING": "a b=c", "CARILLON_RUN_ID": "forged"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"CARILLON_ATTEMPT=2", "CARILLON_JOB_ID=nightly", "CARILLON_RUN_ID=run-1",
		"CARILLON_SCHEDULED_TIME=2026-03-01T02:00:00.005Z", "CARILLON_STORE=default",
		"GREETING=a b=c", "PATH=" + shell.SearchPath, "",
	}, "\n")
	if diff := cmp.Diff(want, result.Output); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestArgumentsArriveUnread(t *testing.T) {
	odd := []string{"a b", "$(id)", "", "*", "'\"", ";", "-n"}
	result, err := newHandler(t, shell.Config{}).Do(t.Context(), script(t, `printf '<%s>' "$@"`, odd...))
	if err != nil {
		t.Fatal(err)
	}
	if want := "<" + strings.Join(odd, "><") + ">"; result.Output != want {
		t.Errorf("output = %q, want %q", result.Output, want)
	}
}

func TestStandardInputAndDirectory(t *testing.T) {
	dir := t.TempDir()
	h := newHandler(t, shell.Config{})
	result, err := h.Do(t.Context(), script(t, "cat; pwd; echo err >&2"))
	if err != nil || result.Output != "/\nerr\n" {
		t.Errorf("without cwd: %q, %v, want / and both outputs", result.Output, err)
	}
	result, err = h.Do(t.Context(), request(t, map[string]any{"argv": []string{"pwd"}, "cwd": dir}))
	if err != nil || result.Output != dir+"\n" {
		t.Errorf("with cwd: %q, %v, want %s", result.Output, err, dir)
	}
	_, err = h.Do(t.Context(), request(t, map[string]any{"argv": []string{"pwd"}, "cwd": dir + "/gone"}))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with a missing cwd: %v, want it to say so", err)
	}
}

func TestFailuresTellTheCodeAndTheEndOfTheOutput(t *testing.T) {
	tests := []struct {
		name, text string
		code       int
		want       string
	}{
		{"exit code", "echo disk full >&2; exit 3", 3, `exit status 3: "disk full"`},
		{"no output", "exit 1", 1, "exit status 1"},
		{"signal", "kill -9 $$", -1, "signal: killed"},
		{"long output", "printf '%01000d' 7; exit 2", 2, `exit status 2: "` + strings.Repeat("0", 255) + `7"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newHandler(t, shell.Config{}).Do(t.Context(), script(t, tt.text))
			var exit *shell.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("Do = %v, want an ExitError", err)
			}
			if exit.Code != tt.code || exit.Error() != tt.want {
				t.Errorf("Do = %d %q, want %d %q", exit.Code, exit.Error(), tt.code, tt.want)
			}
		})
	}
}

func TestHugeOutputIsCutInFront(t *testing.T) {
	h := newHandler(t, shell.Config{OutputCap: 10})
	result, err := h.Do(t.Context(), script(t, "head -c 20000000 /dev/zero | tr '\\0' x; printf the-end"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (shell.Result{Output: "xxxthe-end", Dropped: 20_000_007 - 10}); result != want {
		t.Errorf("result = %+v, want %+v", result, want)
	}
}

func TestArgumentsThatAreRefused(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"nothing", ``, "EOF"},
		{"no argv", `{}`, "argv: missing"},
		{"empty argv", `{"argv":[]}`, "argv: missing"},
		{"a string", `{"argv":"rm -rf /"}`, "cannot unmarshal"},
		{"unknown name", `{"argv":["sh"],"user":"root"}`, "user"},
		{"text behind", `{"argv":["sh"]}[]`, "text after"},
		{"NUL in argv", `{"argv":["sh","a\u0000b"]}`, "NUL in element 1"},
		{"NUL in a value", `{"argv":["sh"],"env":{"A":"hunter2\u0000"}}`, "NUL in the value of A"},
		{"two variables in one", `{"argv":["sh"],"env":{"A=hunter2;B":"x"}}`, "not a name"},
		{"nameless variable", `{"argv":["sh"],"env":{"":"x"}}`, "not a name"},
		{"loader", `{"argv":["sh"],"env":{"LD_PRELOAD":"/tmp/hunter2.so"}}`, "LD_PRELOAD cannot be set"},
		{"search path", `{"argv":["sh"],"env":{"PATH":"/tmp"}}`, "PATH cannot be set"},
		{"start file", `{"argv":["sh"],"env":{"BASH_ENV":"/tmp/x"}}`, "BASH_ENV cannot be set"},
		{"exported function", `{"argv":["sh"],"env":{"BASH_FUNC_ls%%":"() { :; }"}}`, "cannot be set"},
		{"relative directory", `{"argv":["sh"],"cwd":"tmp"}`, "not an absolute path"},
	}
	h := newHandler(t, shell.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := request(t, nil)
			req.Args = []byte(tt.args)
			_, err := h.Do(t.Context(), req)
			if !errors.Is(err, shell.ErrInvalidArgs) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Do = %v, want ErrInvalidArgs with %q", err, tt.want)
			}
			if tt.name != "two variables in one" && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q shows a value", err)
			}
		})
	}
}

func TestProgramsThatAreNotAllowed(t *testing.T) {
	_, err := newHandler(t, shell.Config{Allow: []string{"env"}}).Do(t.Context(), script(t, "echo ran"))
	if !errors.Is(err, shell.ErrNotAllowed) {
		t.Errorf("Do = %v, want ErrNotAllowed", err)
	}
}
