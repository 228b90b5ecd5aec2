package node_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/carillon-project/carillon"
)

// A Redis without replicas carries out what was to wait for one, and the client gets the answer beside
// the error.
func TestTooFewReplicas(t *testing.T) {
	t.Parallel()
	c, err := carillon.NewClient(t.Context(), carillon.ClientConfig{
		Redis: world.redis.URL(), Namespace: "stage", WaitReplicas: 1, Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	j, err := c.AddJob(t.Context(), hourly(uuid.NewString()))
	if !errors.Is(err, carillon.ErrNotReplicated) || j.ID == "" {
		t.Fatalf("AddJob = %+v, %v", j, err)
	}
	if _, err := stage.client.GetJob(t.Context(), j.ID); err != nil {
		t.Error(err)
	}
	id, err := c.Enqueue(t.Context(), "act", act(t, nothing))
	if !errors.Is(err, carillon.ErrNotReplicated) || id == "" {
		t.Errorf("Enqueue = %q, %v", id, err)
	}
	if err := c.RemoveJob(t.Context(), j.ID); !errors.Is(err, carillon.ErrNotReplicated) {
		t.Errorf("RemoveJob = %v", err)
	}
}
