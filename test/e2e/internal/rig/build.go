package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// binaryEnv names a carillon binary to use instead of building one.
const binaryEnv = "CARILLON_E2E_BINARY"

// Build builds the carillon command, with the tag faults, into dir and returns its path. It needs the go command and this
// module as the working directory's. A path in CARILLON_E2E_BINARY is returned instead.
func Build(ctx context.Context, dir string) (string, error) {
	if given := os.Getenv(binaryEnv); given != "" {
		return given, nil
	}
	binary := filepath.Join(dir, "carillon")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "faults", "-o", binary, "github.com/carillon-project/carillon/cmd/carillon")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("rig: build the command: %w: %s", err, out)
	}
	return binary, nil
}
