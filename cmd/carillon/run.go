package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/carillon-project/carillon/trigger"
)

// app is what the commands share: the process they run in and the global flags.
type app struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time

	connection
	output   string
	logLevel string
	logJSON  bool
	config   string
	zoneinfo string
}

// run carries out one command line and returns the exit code. It writes the answer to stdout and
// at most one line about what went wrong to stderr; when ctx ends it stops in order. Nothing that
// it started outlives it.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	stdout, stderr = &orderly{w: stdout}, &orderly{w: stderr}
	a := &app{
		getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr,
		now: time.Now,
	}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(stderr, errorLine(err))
	}
	return exitCode(err)
}

// Groups of commands, in the order of the help.
const (
	groupRun     = "run"
	groupJobs    = "jobs"
	groupCluster = "cluster"
	groupOther   = "other"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "carillon",
		Short: "A distributed job scheduler on etcd and Redis",
		Long: "Carillon runs jobs on time on a cluster of equal nodes.\n\n" +
			"First try: carillon dev, then carillon job list in another terminal.",
		SilenceUsage: true, SilenceErrors: true,
		Args:              cobra.ArbitraryArgs,
		RunE:              showHelp,
		PersistentPreRunE: a.prepare,
	}
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run it:"},
		&cobra.Group{ID: groupJobs, Title: "Jobs and runs:"},
		&cobra.Group{ID: groupCluster, Title: "The cluster:"},
		&cobra.Group{ID: groupOther, Title: "Other:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(usageTemplate)
	a.globalFlags(root)
	root.AddCommand(
		a.devCommand(), a.nodeCommand(),
		a.jobCommand(), a.enqueueCommand(), a.runCommand(), a.nextCommand(), a.eventsCommand(),
		a.importCommand(), a.benchCommand(), a.clusterCommand(), a.executorCommand(), a.calendarCommand(), a.storeCommand(), a.healthCommand(),
		a.versionCommand(),
	)
	return root
}

func (a *app) globalFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "text", "what to print: text or json")
	flags.StringVar(&a.logLevel, "log-level", "", "trace, debug, info, warn, error or off")
	flags.BoolVar(&a.logJSON, "log-json", false, "write log lines as JSON")
	a.connection.flags(flags)
	flags.StringVar(&a.zoneinfo, "zoneinfo", "", "`FILE` with time zone rules in place of the built-in ones; the same for all")
	configurable(flags)
	flags.StringVar(&a.config, "config", "", "YAML `FILE` with settings, named as the flags")
}

// prepare runs before every command.
func (a *app) prepare(cmd *cobra.Command, _ []string) error {
	if err := a.configure(cmd); err != nil {
		return err
	}
	if a.output != "text" && a.output != "json" {
		return usagef("--output: %q is neither text nor json", a.output)
	}
	if a.logLevel != "" && hclog.LevelFromString(a.logLevel) == hclog.NoLevel {
		return usagef("--log-level: %q is not one of trace, debug, info, warn, error, off", a.logLevel)
	}
	return a.useZones()
}

// useZones has triggers read by the zone rules of --zoneinfo, an archive as lib/time/zoneinfo.zip of Go is.
func (a *app) useZones() error {
	if a.zoneinfo == "" {
		return nil
	}
	archive, err := os.ReadFile(a.zoneinfo)
	if err != nil {
		return usagef("--zoneinfo: %w", err)
	}
	zones, err := trigger.ReadZones(archive)
	if err != nil {
		return usagef("--zoneinfo %s: %w", a.zoneinfo, err)
	}
	trigger.UseZones(zones)
	return nil
}

// logger writes to standard error, from level on unless the user said otherwise.
func (a *app) logger(level hclog.Level) hclog.Logger {
	if a.logLevel != "" {
		level = hclog.LevelFromString(a.logLevel)
	}
	return hclog.New(&hclog.LoggerOptions{Name: "carillon", Level: level, Output: a.stderr, JSONFormat: a.logJSON})
}

// group makes a command that only holds others.
func group(use, short, in string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, GroupID: in, Args: cobra.ArbitraryArgs, RunE: showHelp}
	c.AddCommand(commands...)
	return c
}

// showHelp is what a command does that only holds others: with arguments it was misspelt.
func showHelp(cmd *cobra.Command, args []string) error {
	if len(args) == 0 && !cmd.HasParent() {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if len(args) == 0 {
		return usagef("%s: say what to do: %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
	if near := nearest(args[0], names); near != "" {
		return usagef("unknown command \"%s %s\"; did you mean \"%s %s\"?", cmd.CommandPath(), args[0], cmd.CommandPath(), near)
	}
	return usagef("unknown command \"%s %s\"; known are %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))
}
