package storetest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon/store"
)

var givenTests = []conformance{
	{"open: another number of partitions than the store has is warned of", openGivenPartitions},
}

func openGivenPartitions(t *testing.T, open Open) {
	r := newRig(t, open, three)
	for given, warns := range map[int]bool{0: false, 3: false, 1: true, 7: true} {
		var said bytes.Buffer
		again := r.reopen(func(c *store.Config) {
			c.Partitions, c.Logger = given, hclog.New(&hclog.LoggerOptions{Output: &said, Level: hclog.Warn, JSONFormat: true})
		})
		equal(r, "partitions", again.Partitions(), 3)
		equal(r, "warned", strings.Contains(said.String(), "another number of partitions"), warns)
		if warns && (!strings.Contains(said.String(), `"partitions":3`) || !strings.Contains(said.String(), `"remedy":`)) {
			t.Errorf("the warning is %s", said.String())
		}
	}
}
