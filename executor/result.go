package executor

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// encodeResult is the JSON of what a handler returned, nil for nothing. What cannot be encoded, also
// because its own method panics, is replaced by a note that says so.
func encodeResult(v any) (result json.RawMessage) {
	if v == nil {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			result = unencodable(fmt.Sprintf("panic: %v", r))
		}
	}()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return unencodable(err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func unencodable(why string) json.RawMessage {
	note, err := json.Marshal(map[string]string{"omitted": "it cannot be encoded as JSON: " + bounded(why, errorLimit)})
	if err != nil {
		return nil
	}
	return note
}
