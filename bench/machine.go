package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/carillon-project/carillon/bench/internal/report"
)

// facts tell where and with what was measured.
func facts(ctx context.Context, s sizes, took time.Duration) []report.Fact {
	return []report.Fact{
		{Name: "processor", Text: fmt.Sprintf("%s, %d cores", processor(), runtime.NumCPU())},
		{Name: "system", Text: runtime.GOOS + "/" + runtime.GOARCH + ", " + runtime.Version()},
		{Name: "Redis", Text: firstLine(exec.CommandContext(ctx, "redis-server", "--version")) + "; nothing kept on disk"},
		{Name: "asynq", Text: version("github.com/hibiken/asynq") + ", 100 workers"},
		{Name: "gocron", Text: version("github.com/go-co-op/gocron/v2")},
		{Name: "Carillon", Text: firstLine(exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")) + ", concurrency 100, one partition"},
		{Name: "rounds", Text: fmt.Sprintf("%d; the whole took %s", s.rounds, took.Round(time.Second))},
	}
}

const unknown = "unknown"

// processor is the model's name, where the system tells it as Linux does.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return unknown
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

func firstLine(cmd *exec.Cmd) string {
	out, err := cmd.Output()
	if err != nil {
		return unknown
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// version is that of a module this program was built with.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return unknown
}
