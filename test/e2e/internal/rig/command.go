package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Command runs the carillon command with the stack's etcd and Redis and with input, and returns what
// it printed on standard output. What it said on standard error is in the error.
func (s *Stack) Command(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.cfg.Binary, args...)
	cmd.Env = append(os.Environ(), "CARILLON_REDIS="+s.RedisURL(), "CARILLON_ETCD="+strings.Join(s.Endpoints(), ","))
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &said
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("rig: carillon %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return out, nil
}
