package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/pflag"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/executor/shell"
	"github.com/carillon-project/carillon/executor/webhook"
)

// taskFlags say what the built-in tasks may do. By default http reaches public addresses only and
// shell runs nothing.
type taskFlags struct {
	allowHTTP  []string
	allowShell []string
	secretFile string
}

func (t *taskFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&t.allowHTTP, "allow-http-to", nil, "open private addresses to the task http, `CIDR` (repeatable)")
	flags.StringArrayVar(&t.allowShell, "allow-shell", nil, "let the task shell run this program, `PATH` (repeatable)")
	flags.StringVar(&t.secretFile, "http-secret-file", "", "`FILE` with the secret that signs requests, whsec_… (or CARILLON_HTTP_SECRET)")
}

// tasks are the built-in handlers of one process.
type tasks struct {
	http  *webhook.Handler
	shell *shell.Handler
}

// tasks makes the handlers. Its errors are of usage.
func (a *app) tasks(t taskFlags) (*tasks, error) {
	var allow []netip.Prefix
	for _, text := range t.allowHTTP {
		prefix, err := netip.ParsePrefix(text)
		if address, single := netip.ParseAddr(text); single == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return nil, usagef("--allow-http-to: %q is not a CIDR such as 10.0.0.0/8", text)
		}
		allow = append(allow, prefix)
	}
	secret, err := secretOf("--http-secret-file", t.secretFile)
	if err != nil {
		return nil, err
	}
	if secret == "" {
		secret = a.getenv(envPrefix + "HTTP_SECRET")
	}
	made := &tasks{}
	if made.http, err = webhook.New(webhook.Config{Allow: allow, Secret: secret}); err != nil {
		return nil, usage(err)
	}
	made.shell, err = shell.New(shell.Config{Allow: t.allowShell})
	if err != nil && (len(t.allowShell) > 0 || !errors.Is(err, errors.ErrUnsupported)) {
		return nil, usagef("--allow-shell: %w", err)
	}
	return made, nil
}

// close gives up what the handlers keep open.
func (t *tasks) close() { t.http.Close() }

// serve registers the built-in tasks on a node.
func (t *tasks) serve(n *carillon.Node) {
	n.HandleFunc("log", logTask)
	n.HandleFunc("http", t.callTask)
	if t.shell != nil {
		n.HandleFunc("shell", t.shellTask)
	}
	faulty(n)
}

// logTask writes the message of its args to the log, with the job and the run.
func logTask(ctx context.Context, run carillon.Run) (any, error) {
	var args struct {
		Message string `json:"message"`
	}
	decoder := json.NewDecoder(bytes.NewReader(run.Args))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&args); err != nil && !errors.Is(err, io.EOF) {
		return nil, carillon.Permanent(fmt.Errorf(`log: read arguments: write {"message":"…"}: %w`, err))
	}
	carillon.Logger(ctx).Info("task log", "message", args.Message)
	return nil, nil
}

func (t *tasks) callTask(ctx context.Context, run carillon.Run) (any, error) {
	err := t.http.Do(ctx, webhook.Request{
		Store: run.Store, JobID: run.JobID, RunID: run.ID, ScheduledTime: run.ScheduledTime, Attempt: run.Attempt, Args: run.Args,
	})
	if errors.Is(err, webhook.ErrInvalidArgs) || errors.Is(err, webhook.ErrAddressRefused) {
		return nil, carillon.Permanent(err)
	}
	return nil, err
}

func (t *tasks) shellTask(ctx context.Context, run carillon.Run) (any, error) {
	result, err := t.shell.Do(ctx, shell.Request{
		Store: run.Store, JobID: run.JobID, RunID: run.ID, ScheduledTime: run.ScheduledTime, Attempt: run.Attempt, Args: run.Args,
	})
	if errors.Is(err, shell.ErrInvalidArgs) || errors.Is(err, shell.ErrNotAllowed) {
		return nil, carillon.Permanent(err)
	}
	return result, err
}
