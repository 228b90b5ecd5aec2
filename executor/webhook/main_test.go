package webhook_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// standardTime is the time of the Standard Webhooks worked example.
func standardTime() time.Time { return time.Unix(1614265330, 0) }
