package store

import (
	"os"
	"regexp"
	"testing"
)

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
