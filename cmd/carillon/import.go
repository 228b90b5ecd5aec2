package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
)

// crontabImport is how a crontab becomes jobs.
type crontabImport struct {
	prefix, zone, user string
	system, dryRun     bool
}

func (a *app) importCommand() *cobra.Command {
	return group("import", "Take over schedules from elsewhere", groupJobs, a.importCrontabCommand())
}

func (a *app) importCrontabCommand() *cobra.Command {
	var how crontabImport
	c := &cobra.Command{
		Use: "crontab FILE|-", Short: "Make a job of each entry of a crontab", Args: takes("FILE"),
		Long: "Makes a job of the task shell of each entry, and adds it or updates the one that\n" +
			"an earlier import made. The whole file is checked before anything is added.\n" +
			"Nodes must allow the shell (--allow-shell /bin/sh), and run everything as\n" +
			"their own user. Times are UTC unless CRON_TZ or --timezone says otherwise.",
		Example: "  carillon import crontab /etc/crontab --timezone Europe/Vienna --dry-run\n" +
			"  crontab -l | carillon import crontab - --prefix backup",
	}
	flags := c.Flags()
	flags.StringVar(&how.prefix, "prefix", "crontab", "`TEXT` that the ids begin with")
	flags.StringVar(&how.zone, "timezone", "UTC", "`ZONE` of entries without CRON_TZ")
	flags.StringVar(&how.user, "user", "", "of a system crontab only the entries of this `NAME`; * is all")
	flags.BoolVar(&how.system, "system", false, "entries name a user before the command (default: by the file)")
	flags.BoolVar(&how.dryRun, "dry-run", false, "print the jobs, as YAML or JSON lines, and contact nothing")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		text, err := a.readInput(args[0])
		if err != nil {
			return err
		}
		if !flags.Changed("system") {
			how.system = systemPath(args[0]) || looksSystem(string(text))
		}
		docs, err := how.documents(string(text))
		if err != nil {
			return usagef("%s: %w", nameOf(args[0]), err)
		}
		jobs, err := a.checked(docs)
		if err != nil {
			return usagef("%s: %w", nameOf(args[0]), err)
		}
		if how.dryRun {
			return a.showDocuments(docs)
		}
		if _, err := a.place(); err != nil {
			return err
		}
		return a.withClient(cmd.Context(), func(c *carillon.Client, in []carillon.CallOption) error {
			return a.addList(cmd.Context(), c, jobs, true, in)
		})
	}
	return c
}

// systemPath tells the files that cron itself reads as system crontabs.
func systemPath(file string) bool {
	return filepath.Clean(file) == "/etc/crontab" || filepath.Base(filepath.Dir(filepath.Clean(file))) == "cron.d"
}

// documents are the job documents of a crontab. Nothing of a file with a fault is returned.
func (i crontabImport) documents(text string) ([]source, error) {
	entries, err := readCrontab(text, i.system, i.zone)
	if err != nil {
		return nil, err
	}
	if err := i.checkUsers(entries); err != nil {
		return nil, err
	}
	var docs []source
	for n, e := range entries {
		if i.user != "" && i.user != "*" && e.user != i.user {
			continue
		}
		doc, err := e.document(fmt.Sprintf("%s-%d", i.prefix, n+1))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", e.line, err)
		}
		docs = append(docs, source{e.line, doc})
	}
	return docs, nil
}

// checkUsers makes sure that nobody's commands run as somebody else's without a word: a node runs
// them all as one user.
func (i crontabImport) checkUsers(entries []cronEntry) error {
	users := map[string]bool{}
	for _, e := range entries {
		users[e.user] = true
	}
	names := strings.Join(slices.Sorted(maps.Keys(users)), ", ")
	switch {
	case !i.system && i.user != "":
		return errors.New("--user goes with a system crontab; say --system if this is one")
	case i.user == "*" || users[i.user]:
		return nil
	case i.user != "":
		return fmt.Errorf("no entry is of user %q; there are %s", i.user, names)
	case len(users) > 1:
		return fmt.Errorf("entries are of %s, and a node runs all as its own user; import those of one with --user NAME, or all with --user '*'", names)
	}
	return nil
}

// checked decodes the documents and names the lines of those that are refused.
func (a *app) checked(docs []source) ([]job.Job, error) {
	jobs := make([]job.Job, len(docs))
	var faults []error
	for i, d := range docs {
		var err error
		if jobs[i], err = decodeJob(d.text, a.now()); err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", d.line, err))
		}
	}
	return jobs, errors.Join(faults...)
}

// document is the job of an entry; id is completed by the command's first words.
func (e cronEntry) document(id string) (json.RawMessage, error) {
	args := map[string]any{"argv": []string{e.shell, "-c", e.script()}}
	if len(e.env) > 0 {
		args["env"] = e.env
	}
	when := map[string]string{"type": "cron", "expr": e.expr, "timezone": e.zone}
	if e.delay != "" && e.delay != "0" {
		when["jitter"] = e.delay + "m"
	}
	labels := map[string]string{"imported-from": "crontab"}
	if e.user != "" {
		labels["crontab-user"] = e.user
	}
	about := fmt.Sprintf("Line %d of a crontab.", e.line)
	if e.mailto != "" {
		about += fmt.Sprintf(" Its output was mailed to %s; now it is in the history.", e.mailto)
	}
	if s := slug(e.command); s != "" {
		id += "-" + s
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		ID          string            `json:"id"`
		Name        string            `json:"name"`
		Description string            `json:"description"`
		Task        string            `json:"task"`
		Args        map[string]any    `json:"args"`
		Trigger     map[string]string `json:"trigger"`
		Labels      map[string]string `json:"labels"`
	}{id, cut(e.command, columns), about, "shell", args, when, labels})
	return bytes.TrimSpace(b.Bytes()), err
}

// script is what the shell is given: the command, behind what the shell task has no place for.
func (e cronEntry) script() string {
	var b strings.Builder
	if e.path != "" {
		fmt.Fprintf(&b, "PATH='%s'; export PATH\n", strings.ReplaceAll(e.path, "'", `'\''`))
	}
	if e.feeds {
		end := "END_OF_INPUT"
		for strings.Contains(e.input, end) {
			end += "_"
		}
		fmt.Fprintf(&b, "exec <<'%s'\n%s\n%s\n", end, e.input, end)
	}
	return b.String() + e.command
}

// slug makes a part of an id from the beginning of a text.
func slug(text string) string {
	const most = 32
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		plain := r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
		if plain {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
		if b.Len() == most {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// showDocuments prints documents as JSON lines or as a stream of YAML; either can be given to job add.
func (a *app) showDocuments(docs []source) error {
	for _, d := range docs {
		if a.output == "json" {
			if err := a.line(d.text); err != nil {
				return err
			}
			continue
		}
		text, err := yaml.JSONToYAML(d.text)
		if err != nil {
			return err
		}
		if err := a.write("---\n" + string(text)); err != nil {
			return err
		}
	}
	return nil
}
