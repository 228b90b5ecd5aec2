//go:build !unix

package shell

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// supported refuses systems that lack process groups: no child could be ended for certain there.
func supported() error {
	return fmt.Errorf("programs cannot be run on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (h *Handler) run(context.Context, *command) error { return supported() }
