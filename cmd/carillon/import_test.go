package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/carillon-project/carillon/job"
)

// shellArgs are the args of an imported job.
type shellArgs struct {
	Argv []string          `json:"argv"`
	Env  map[string]string `json:"env"`
}

// imported runs a dry import and decodes its documents.
func imported(t *testing.T, text string, args ...string) []job.Job {
	t.Helper()
	r := environment{}.call(t, text, append([]string{"import", "crontab", "-", "--dry-run", "-o", "json"}, args...)...)
	if r.code != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	var jobs []job.Job
	for line := range strings.Lines(r.out) {
		j, err := job.Decode([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func argsOf(t *testing.T, j job.Job) shellArgs {
	t.Helper()
	var a shellArgs
	if err := json.Unmarshal(j.Args, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestImportCrontabMakesDocuments(t *testing.T) {
	tests := []struct {
		name, text string
		flags      []string
		id, when   string
		argv       []string
		env        map[string]string
	}{
		{"plain", "*/5 9-17 * * 1-5\t/usr/bin/backup --all > /dev/null 2>&1\n", nil, "crontab-1-usr-bin-backup-all-dev-null-2-1",
			`{"expr":"*/5 9-17 * * 1-5","timezone":"UTC","type":"cron"}`, []string{"/bin/sh", "-c", "/usr/bin/backup --all > /dev/null 2>&1"}, nil},
		{"daily", "@daily echo hi", []string{"--prefix", "web", "--timezone", "Asia/Tokyo"}, "web-1-echo-hi",
			`{"expr":"@daily","timezone":"Asia/Tokyo","type":"cron"}`, []string{"/bin/sh", "-c", "echo hi"}, nil},
		{"environment", "# c\nSHELL = /bin/bash\n MAILTO=ops\nA=\" b \"\n\"C\"='d'\nCRON_TZ=Europe/Vienna\nRANDOM_DELAY=6\n0 3 * * * x", nil, "crontab-1-x",
			`{"expr":"0 3 * * *","jitter":"6m","timezone":"Europe/Vienna","type":"cron"}`, []string{"/bin/bash", "-c", "x"}, map[string]string{"A": " b ", "C": "d"}},
		{"path", "PATH=/a:/it's\n0 3 * * * x", nil, "crontab-1-x",
			`{"expr":"0 3 * * *","timezone":"UTC","type":"cron"}`, []string{"/bin/sh", "-c", "PATH='/a:/it'\\''s'; export PATH\nx"}, nil},
		{"percent", `0 3 * * * date +\%F | cat %one%%two\%`, nil, "crontab-1-date-f-cat",
			`{"expr":"0 3 * * *","timezone":"UTC","type":"cron"}`, []string{"/bin/sh", "-c", "exec <<'END_OF_INPUT'\none\n\ntwo%\nEND_OF_INPUT\ndate +%F | cat "}, nil},
		{"assignment in the command", "0 3 * * * A=1 x", nil, "crontab-1-a-1-x",
			`{"expr":"0 3 * * *","timezone":"UTC","type":"cron"}`, []string{"/bin/sh", "-c", "A=1 x"}, nil},
		{"system by its looks", "0 3 * * * root x y", nil, "crontab-1-x-y",
			`{"expr":"0 3 * * *","timezone":"UTC","type":"cron"}`, []string{"/bin/sh", "-c", "x y"}, nil},
		{"not system when told", "0 3 * * * root x y", []string{"--system=false"}, "crontab-1-root-x-y",
			`{"expr":"0 3 * * *","timezone":"UTC","type":"cron"}`, []string{"/bin/sh", "-c", "root x y"}, nil},
		{"no letters", "0 3 * * * :", nil, "crontab-1", `{"expr":"0 3 * * *","timezone":"UTC","type":"cron"}`, []string{"/bin/sh", "-c", ":"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			jobs := imported(t, tt.text, tt.flags...)
			if len(jobs) != 1 {
				t.Fatalf("%d jobs", len(jobs))
			}
			if jobs[0].ID != tt.id || string(jobs[0].Trigger) != tt.when || jobs[0].Task != "shell" {
				t.Errorf("%s %s %s", jobs[0].ID, jobs[0].Task, jobs[0].Trigger)
			}
			if diff := cmp.Diff(shellArgs{tt.argv, tt.env}, argsOf(t, jobs[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestImportCrontabSaysWhoseEntriesItTakes(t *testing.T) {
	const text = "1 * * * * root a\n2 * * * * www-data b\nMAILTO=ops@example.org\n3 * * * * root c\n"
	file := filepath.Join(t.TempDir(), "cron.d", "site")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environment{}.refused(t, 2, []string{"root, www-data", "--user"}, "", "import", "crontab", file, "--dry-run")
	var got []string
	for _, j := range imported(t, text, "--user", "root") {
		got = append(got, j.ID+" "+j.Labels["crontab-user"])
	}
	if diff := cmp.Diff([]string{"crontab-1-a root", "crontab-3-c root"}, got); diff != "" {
		t.Error(diff)
	}
	all := imported(t, text, "--user", "*")
	if len(all) != 3 || !strings.Contains(all[2].Description, "ops@example.org") || !strings.Contains(all[2].Description, "Line 4") {
		t.Errorf("%+v", all)
	}
}

func TestImportCrontabRefusesTheWholeFile(t *testing.T) {
	tests := []struct {
		name, text string
		args       []string
		words      []string
	}{
		{"each line is named", "@reboot x\n0 3 * * * fine\n99 * * * *\n\n0 3 * *\n", nil, []string{"line 1: @reboot", "line 3: it has no command", "line 5"}},
		{"schedule", "0 3 * * * fine\n99 * * * * x\n0 0 30 2 * y\n", nil, []string{"line 2", "99", "line 3", "never fires"}},
		{"unknown nickname", "@sometimes x", nil, []string{"line 1", "@sometimes"}},
		{"zone", "CRON_TZ=Mars/Base\n0 3 * * * x", nil, []string{"line 1", "CRON_TZ"}},
		{"zone of the flag", "0 3 * * * x", []string{"--timezone", "Mars/Base"}, []string{"Mars/Base"}},
		{"delay", "RANDOM_DELAY=soon\n0 3 * * * x", nil, []string{"line 1", "RANDOM_DELAY"}},
		{"loader", "LD_PRELOAD=x\n0 3 * * * x", nil, []string{"line 1", "LD_PRELOAD"}},
		{"shell", "SHELL=sh\n0 3 * * * x", nil, []string{"line 1", "SHELL"}},
		{"percent in fish", "SHELL=/usr/bin/fish\n0 3 * * * x%y", nil, []string{"line 2", "fish"}},
		{"option of OpenBSD", "0 3 * * * -n x", nil, []string{"line 1", "option"}},
		{"user", "0 3 * * * Root! x", []string{"--system"}, []string{"line 1", "Root!"}},
		{"user without column", "0 3 * * * x", []string{"--user", "root"}, []string{"--user"}},
		{"nobody", "0 3 * * * root x", []string{"--user", "www"}, []string{"www", "root"}},
		{"nothing", "# only words\nA=1\n", nil, []string{"no entry"}},
		{"prefix", "0 3 * * * x", []string{"--prefix", "a b"}, []string{"a b"}},
		{"binary", "0 3 * * * \xff", nil, []string{"UTF-8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nowhere.refused(t, 2, tt.words, tt.text, append([]string{"import", "crontab", "-"}, tt.args...)...)
		})
	}
	nowhere.refused(t, 2, []string{"FILE is missing"}, "", "import", "crontab")
}

func TestWhatADryImportPrintsCanBeAdded(t *testing.T) {
	const text = "PATH=/bin\n0 3 * * * cat%a%---%b & <x>\n@weekly echo \"q\" # 100\\%\n"
	r := environment{}.call(t, text, "import", "crontab", "-", "--dry-run")
	docs, list, err := readDocuments([]byte(r.out))
	if err != nil || !list || r.code != 0 {
		t.Fatalf("%v: %s", err, r.out)
	}
	want := imported(t, text)
	for i, doc := range docs {
		got, err := job.Decode(doc.text)
		if err != nil || argsOf(t, got).Argv[2] != argsOf(t, want[i]).Argv[2] || got.ID != want[i].ID {
			t.Errorf("%s, want %v: %v", doc.text, want[i], err)
		}
	}
}

// TestTheShellGivesTheCommandItsInput runs what an import wrote, as the shell task would.
func TestTheShellGivesTheCommandItsInput(t *testing.T) {
	args := argsOf(t, imported(t, `PATH=/usr/bin:/bin`+"\n"+`0 3 * * * true && cat | tr a-z A-Z; echo "$PATH" \%%one $HOME%END_OF_INPUT%two`)[0])
	out, err := exec.CommandContext(t.Context(), args.Argv[0], args.Argv[1:]...).Output()
	if want := "ONE $HOME\nEND_OF_INPUT\nTWO\n/usr/bin:/bin %\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}

func FuzzReadCrontab(f *testing.F) {
	f.Add("A=b\n0 3 * * * root x%y\n@daily z\n", true)
	f.Fuzz(func(t *testing.T, text string, system bool) {
		entries, err := readCrontab(text, system, "UTC")
		if err == nil && len(entries) == 0 {
			t.Error("neither entries nor an error")
		}
		for _, e := range entries {
			if e.line < 1 || e.line > strings.Count(text, "\n")+1 || strings.TrimSpace(e.command) == "" {
				t.Errorf("entry %+v", e)
			}
		}
	})
}
