package store

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPartitionOf(t *testing.T) {
	cases := []struct {
		name, id, like string
	}{
		{"the text in braces counts", "a{tag}b", "tag"},
		{"the first braces count", "{tag}{other}", "tag"},
		{"an opening brace inside counts as text", "{{tag}", "{tag"},
		{"empty braces do not count", "{}x", "{}x"},
		{"an open brace alone does not count", "x{tag", "x{tag"},
		{"a closing brace before the opening one does not count", "}x{tag}", "tag"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			// Two ids that merely collide would do so for few numbers of partitions, not for all.
			for p := 2; p < 1024; p *= 3 {
				whole := keysOf("n", partitionOf(c.id, p))
				if want := keysOf("n", partitionOf(c.like, p)); whole != want {
					t.Errorf("of %d: %v, want %v", p, whole, want)
				}
			}
		})
	}
}

func TestPartitionOfIsInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(-1, 1024).Draw(t, "partitions")
		if p := partitionOf(rapid.String().Draw(t, "id"), n); p < 0 || p >= max(n, 1) {
			t.Fatalf("partition %d of %d", p, n)
		}
	})
}

// Moving an id to another partition loses every stored job: these may never change.
func TestPartitionOfIsFrozen(t *testing.T) {
	for id, want := range map[string]int{"a": 12, "job-1": 6, "{tenant}x": 5, "é": 1} {
		if got := partitionOf(id, 16); got != want {
			t.Errorf("%q is in partition %d, was in %d", id, got, want)
		}
	}
}

func TestKeysCarryTheHashTag(t *testing.T) {
	k := keysOf("ns", 3)
	tag := regexp.MustCompile(`^\{ns:3\}:[a-z_]+(:x\{y\}|:\d+)?$`)
	for _, key := range []string{
		k.meta(), k.registry(), k.jobs(), k.calendars(), k.calendarJobs(), k.runTimes(), k.stream("x{y}"), k.running(), k.leases(), k.slot("x{y}"), k.waitingIndex(),
		k.waiting("x{y}"), k.waitingRuns("x{y}"), k.delayed(), k.delayedRuns(), k.fence(), k.paused(), k.pausedExecutors(), k.outage(), k.removed(), k.removedDead(), k.housekeeping(), k.oldSlots(), k.op("x{y}"),
		k.history("x{y}"), k.past(20_000), k.dead(), k.log("x{y}"), k.events(), k.wake(),
	} {
		if !tag.MatchString(key) {
			t.Errorf("key %q", key)
		}
	}
}

func TestScriptsKnowTheirArity(t *testing.T) {
	cases := []struct {
		name string
		sc   *script
		keys int
		ok   bool
	}{
		{"as many as it takes", addScript, 7, true},
		{"one too many", addScript, 8, false},
		{"one too few", addScript, 6, false},
		{"no items", startScript, 9, true},
		{"two items", startScript, 17, true},
		{"half an item", startScript, 11, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := c.sc.check(c.keys); (err == nil) != c.ok {
				t.Error(err)
			}
		})
	}
}

func TestErrorsNameNoPassword(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		"redis://u:" + secret + "@host:6379/x", "redis://u:" + secret + "@host:99999999/0/1", "redis://u:" + secret + "@ho st:1",
		"http://u:" + secret + "@host", "redis://u:" + secret + "@host?db=z", "redis://u:" + secret + "%zz@host", "://" + secret,
		"redis://u:" + secret + "@host?master_name=m&db=x", "redis://u:" + secret + "@host?addr=b&dial_timeout=x", secret,
		"rediss://u:" + secret + "@[::1", "redis://u:" + secret + "@host:6379/0?nonsense=1",
	} {
		err := Config{URL: text}.Validate()
		if err == nil {
			t.Errorf("%q was accepted", strings.ReplaceAll(text, secret, "…"))
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds the password: %v", err)
		}
	}
}

func TestURLs(t *testing.T) {
	cases := []struct {
		name, url, master string
		addrs             string
		db                int
		tls, cluster      bool
	}{
		{"plain", "redis://h:1/2", "", "h:1", 2, false, false},
		{"default port", "redis://h", "", "h:6379", 0, false, false},
		{"TLS", "rediss://u:p@h:1", "", "h:1", 0, true, false},
		{"socket", "unix:///run/r.sock?db=3", "", "/run/r.sock", 3, false, false},
		{"cluster", "redis://a:1?addr=b:2&addr=c:3", "", "a:1,b:2,c:3", 0, false, true},
		{"sentinel", "redis://a:1/4?master_name=m&addr=b:2", "m", "a:1,b:2", 4, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := parseURL(c.url)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(o.Addrs, ",")
			if got != c.addrs || o.MasterName != c.master || o.DB != c.db || (o.TLSConfig != nil) != c.tls || o.IsClusterMode != c.cluster {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestConfigReportsEveryFault(t *testing.T) {
	err := Config{URL: "x", Namespace: "a b", Partitions: -1, HistoryLimit: -1}.Validate()
	for _, want := range []string{"redis URL", "namespace", "partitions", "limits"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if err := (Config{URL: "redis://h"}).Validate(); err != nil {
		t.Error(err)
	}
}

// Every key that is made is one that Check knows.
func TestKeysAreKnown(t *testing.T) {
	source, err := os.ReadFile("keys.go")
	if err != nil {
		t.Fatal(err)
	}
	made := regexp.MustCompile(`k\.prefix \+ "([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(made) < 20 {
		t.Fatalf("only %d keys are made in keys.go", len(made))
	}
	for _, m := range made {
		if name := m[1]; name != "wake" && !isKeyName(name) { // a channel, not a key
			t.Errorf("%q is not among keyNames", name)
		}
	}
}
