package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A finding is told with what mends it, as text and as JSON, and is a failure; mended, it is gone.
func testStoreCheck(t *testing.T, env environment) {
	options, err := redis.ParseURL(env["CARILLON_REDIS"])
	if err != nil {
		t.Fatal(err)
	}
	raw := redis.NewClient(options)
	defer raw.Close()
	const leases = "{default:0}:leases"
	later := float64(time.Now().Add(time.Hour).UnixMilli())
	if err := raw.ZAdd(t.Context(), leases, redis.Z{Score: later, Member: "nobody"}).Err(); err != nil {
		t.Fatal(err)
	}
	r := env.call(t, "", "store", "check", "-o", "json")
	var reports []storeReport
	if err := json.Unmarshal([]byte(r.out), &reports); err != nil || len(reports) != 1 || len(reports[0].Findings) != 1 {
		t.Fatalf("store check: %+v, %v", r, err)
	}
	f := reports[0].Findings[0]
	if r.code != 1 || f.Fault != "lease_without_run" || f.Subject != "nobody" || f.Key != leases {
		t.Errorf("store check = %d, %+v", r.code, f)
	}
	r = env.call(t, "", "store", "check")
	for _, want := range []string{"findings 1", "lease_without_run: nobody", f.Detail, "mend: " + f.Remedy} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not in:\n%s", want, r.out)
		}
	}
	if r.code != 1 || !strings.Contains(r.err, "findings: 1") {
		t.Errorf("store check = %d, stderr %q", r.code, r.err)
	}
	if err := raw.ZRem(t.Context(), leases, "nobody").Err(); err != nil {
		t.Fatal(err)
	}
	env.must(t, nil, "store", "check")
}
