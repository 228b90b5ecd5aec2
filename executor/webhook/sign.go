package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// secretPrefix marks a symmetric secret of Standard Webhooks.
const secretPrefix = "whsec_"

// minKey is the least key length that Standard Webhooks recommends, in bytes.
const minKey = 24

// parseSecret returns the key in a secret of the form whsec_<base64>; the empty secret has none.
// No error repeats any part of the secret.
func parseSecret(secret string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return nil, errors.New("secret does not begin with " + secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		// The decoder's own text is left out: it tells a position within the secret.
		return nil, errors.New("secret is not base64 after " + secretPrefix)
	}
	if len(key) < minKey {
		return nil, fmt.Errorf("secret has %d bytes, less than %d", len(key), minKey)
	}
	return key, nil
}

// sign returns the value of webhook-signature for a message.
func sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
