package store

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// ResultLimit is how many bytes of a result are kept with the history row of its run. A longer one
// is replaced by a note that says how long it was.
const ResultLimit = 4096

// resultText is a result as it stands in a row: on one line, without tabs, within the limit. What is
// no JSON is replaced by a note.
func resultText(result json.RawMessage) string {
	if len(result) == 0 || string(result) == "null" {
		return ""
	}
	var b bytes.Buffer
	if err := json.Compact(&b, result); err != nil {
		return omitted("it is not JSON")
	}
	if b.Len() > ResultLimit {
		return omitted(fmt.Sprintf("%d bytes, at most %d are kept", b.Len(), ResultLimit))
	}
	return b.String()
}

func omitted(why string) string { return `{"omitted":"` + why + `"}` }
