package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/carillon-project/carillon/executor/shell"
	"github.com/carillon-project/carillon/trigger"
)

// crontab is what a crontab(5) file says, read as a whole: its entries, or all that is wrong with it.
type crontab struct {
	system bool // entries name a user in front of the command
	zone   string
	env    map[string]string // what the lines so far have set
}

// cronEntry is one line that runs something, with the environment that stands above it.
type cronEntry struct {
	line    int
	expr    string
	user    string // of a system crontab
	command string // up to the first %
	input   string // what stands behind it, for the command's standard input
	feeds   bool   // there is such input, be it empty
	shell   string
	path    string
	mailto  string
	zone    string
	delay   string // RANDOM_DELAY, minutes
	env     map[string]string
}

var (
	cronSetting  = regexp.MustCompile(`^\s*("[^"]*"|'[^']*'|[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$`)
	cronUser     = regexp.MustCompile(`^[a-z_][a-z0-9_.-]*\$?$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// readCrontab reads a whole file. Every line that is not understood is in the error, by its number.
func readCrontab(text string, system bool, zone string) ([]cronEntry, error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, errors.New("it is not text in UTF-8")
	}
	tab := crontab{system: system, zone: zone, env: map[string]string{}}
	var entries []cronEntry
	var faults []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		var err error
		if name, value, ok := cronVariable(line); ok {
			err = tab.set(name, value)
		} else {
			var e cronEntry
			if e, err = tab.entry(line); err == nil {
				e.line = number
				entries = append(entries, e)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", number, err))
		}
	}
	if len(entries) == 0 && len(faults) == 0 {
		return nil, errors.New("it holds no entry")
	}
	return entries, errors.Join(faults...)
}

// cronVariable reads NAME=VALUE, either of which may be quoted; a schedule never looks like it.
func cronVariable(line string) (name, value string, ok bool) {
	m := cronSetting.FindStringSubmatch(line)
	if m == nil {
		return "", "", false
	}
	return unquoted(m[1]), unquoted(m[2]), true
}

// unquoted takes off one pair of matching quotes.
func unquoted(text string) string {
	if n := len(text); n > 1 && (text[0] == '"' || text[0] == '\'') && text[0] == text[n-1] {
		return text[1 : n-1]
	}
	return text
}

// set takes a variable up for the entries below it.
func (c *crontab) set(name, value string) error {
	switch {
	case !variableName.MatchString(name):
		return fmt.Errorf("%q is not the name of a variable", name)
	case name != "PATH" && shell.Refuses(name), strings.HasPrefix(name, "CARILLON_"): // PATH is set by the command
		return fmt.Errorf("%s cannot be set by a job; set it in the command", name)
	case name == "SHELL" && !strings.HasPrefix(value, "/"):
		return fmt.Errorf("SHELL=%s is not a path", value)
	case name == "CRON_TZ":
		if _, known := trigger.ZonesInUse().Location(value); !known {
			return fmt.Errorf("CRON_TZ=%s is not a time zone such as Europe/Vienna", value)
		}
	case name == "RANDOM_DELAY":
		if n, err := strconv.Atoi(value); err != nil || n < 0 || n > 24*60 {
			return fmt.Errorf("RANDOM_DELAY=%s is not a number of minutes up to 1440", value)
		}
	}
	c.env[name] = value
	return nil
}

// entry reads a schedule and a command.
func (c *crontab) entry(line string) (cronEntry, error) {
	e := cronEntry{
		shell: "/bin/sh", path: c.env["PATH"], mailto: c.env["MAILTO"], zone: c.zone, delay: c.env["RANDOM_DELAY"], env: map[string]string{},
	}
	if own := c.env["SHELL"]; own != "" {
		e.shell = own
	}
	if zone := c.env["CRON_TZ"]; zone != "" {
		e.zone = zone
	}
	for name, value := range c.env {
		switch name {
		case "SHELL", "PATH", "MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING", "CRON_TZ", "RANDOM_DELAY":
		default:
			e.env[name] = value
		}
	}
	rest := line
	count := 5
	if line[0] == '@' {
		count = 1
	}
	var fields []string
	for range count {
		var field string
		field, rest = firstWord(rest)
		fields = append(fields, field)
	}
	e.expr = strings.Join(fields, " ")
	if strings.EqualFold(e.expr, "@reboot") {
		return e, errors.New("@reboot: no time belongs to it; enqueue a run when the machine starts: carillon enqueue shell --args …")
	}
	if c.system {
		e.user, rest = firstWord(rest)
		if e.user != "" && !cronUser.MatchString(e.user) {
			return e, fmt.Errorf("%q is not a user; say --system=false if commands follow the five fields at once", e.user)
		}
	}
	switch {
	case rest == "":
		return e, errors.New("it has no command")
	case rest[0] == '-':
		return e, fmt.Errorf("the command begins with %q, an option that only some cron daemons know", cut(rest, 10))
	}
	e.command, e.input, e.feeds = splitPercent(rest)
	if (e.feeds || e.path != "") && !posixShell(e.shell) {
		return e, fmt.Errorf("PATH and %% need a POSIX shell, which %s is not", e.shell)
	}
	if strings.TrimSpace(e.command) == "" {
		return e, errors.New("it has no command")
	}
	return e, nil
}

// firstWord cuts off what stands before the first space or tab.
func firstWord(text string) (word, rest string) {
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return text[:i], strings.TrimLeft(text[i:], " \t")
	}
	return text, ""
}

// splitPercent does what crontab(5) says of %: the first ends the command, what follows is its
// standard input, where each further one is the end of a line; \% is a percent sign.
func splitPercent(text string) (command, input string, feeds bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '%':
			b.WriteByte('%')
			i++
		case text[i] == '%' && !feeds:
			command, feeds = b.String(), true
			b.Reset()
		case text[i] == '%':
			b.WriteByte('\n')
		default:
			b.WriteByte(text[i])
		}
	}
	if !feeds {
		return b.String(), "", false
	}
	return command, b.String(), true
}

// posixShell reports whether a program takes what cronScript writes.
func posixShell(path string) bool {
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "sh", "bash", "dash", "ash", "ksh", "mksh", "zsh":
		return true
	}
	return false
}

// looksSystem guesses whether lines name a user: all of them could, and one is root.
func looksSystem(text string) bool {
	root := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || cronSetting.MatchString(line) {
			continue
		}
		words, at := strings.Fields(line), 5
		if line[0] == '@' {
			at = 1
		}
		if len(words) < at+2 || !cronUser.MatchString(words[at]) {
			return false
		}
		root = root || words[at] == "root"
	}
	return root
}
