package main

import (
	"archive/zip"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/carillon-project/carillon/trigger"
)

// Not parallel: the rules are those of the process.
func TestZoneinfo(t *testing.T) {
	t.Cleanup(func() { trigger.UseZones(trigger.EmbeddedZones()) })
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := dir + "/" + name
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var empty bytes.Buffer
	if err := zip.NewWriter(&empty).Close(); err != nil {
		t.Fatal(err)
	}
	const daily = `{"type":"cron","expr":"0 9 * * *","timezone":"Europe/Berlin"}`
	for name, path := range map[string]string{
		"missing": dir + "/missing.zip", "a directory": dir, "no zip": file("text", []byte("TZif2")), "no zones": file("empty.zip", empty.Bytes()),
	} {
		for _, args := range [][]string{{"node"}, {"job", "add", "--task", "act", "--every", "1h"}, {"next"}} {
			r := environment{}.call(t, daily, append(args, "--zoneinfo", path)...)
			if r.code != 2 || r.out != "" || !strings.Contains(r.err, "--zoneinfo") || !strings.Contains(r.err, path) || strings.Count(r.err, "\n") != 1 {
				t.Errorf("%s, %s: exit %d, output %q, error %q; want one line, exit 2", name, args[0], r.code, r.out, r.err)
			}
		}
	}
	whole, err := os.ReadFile("../../trigger/zoneinfo/zoneinfo.zip")
	if err != nil {
		t.Fatal(err)
	}
	r := environment{}.call(t, daily, "next", "--from", "2026-01-01T00:00:00Z", "--count", "1", "--zoneinfo", file("whole.zip", whole))
	if r.code != 0 || !strings.Contains(r.out, "2026-01-01T08:00:00Z") {
		t.Errorf("a whole file: exit %d, output %q, error %q", r.code, r.out, r.err)
	}
}
