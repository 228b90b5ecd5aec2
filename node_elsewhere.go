package carillon

import (
	"context"
	"net/http"

	"github.com/carillon-project/carillon/cluster"
)

// elsewhere reports whether any other member says that it is ready, which it is only while it reaches
// a partition of every store.
func (r *running) elsewhere(ctx context.Context) bool {
	ctx, done := context.WithCancel(ctx)
	defer done()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	members := r.ring.Members()
	answers := make(chan bool, len(members))
	for _, m := range members {
		go func() { answers <- m.Boot != r.boot && saysReady(ctx, client, m) }()
	}
	any := false
	for range members {
		if <-answers {
			any = true
			done() // one is enough
		}
	}
	return any
}

// saysReady asks a member's own /readyz.
func saysReady(ctx context.Context, client *http.Client, m cluster.Member) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.Address+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // the status says all
	return resp.StatusCode == http.StatusOK
}
