package main

import (
	"testing"

	"github.com/spf13/pflag"
)

// The words of a flag become the value that a document would hold; true and false, which a document
// may say for coalesce, are not words.
func TestCoalesceFlagSaysWhatADocumentMaySay(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"not given", nil, ""},
		{"false", []string{"--coalesce=false"}, "false"},
		{"true", []string{"--coalesce", "true"}, "true"},
		{"a word", []string{"--coalesce", "earliest"}, `"earliest"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var f jobFlags
			flags := pflag.NewFlagSet("add", pflag.ContinueOnError)
			f.register(flags)
			if err := flags.Parse(test.args); err != nil {
				t.Fatal(err)
			}
			doc, err := f.document()
			if err != nil {
				t.Fatal(err)
			}
			if got := string(doc["coalesce"]); got != test.want {
				t.Errorf("coalesce is %s, want %s", got, test.want)
			}
		})
	}
}
