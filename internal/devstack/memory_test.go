package devstack_test

import (
	"testing"
	"time"

	"github.com/carillon-project/carillon/internal/devstack"
)

func TestMemoryTellsTheTimeAndExpiresKeys(t *testing.T) {
	m, err := devstack.StartMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := connect(t, m.URL())
	before, err := c.Time(patience(t)).Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Set(patience(t), "k", "v", 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := c.Exists(patience(t), "k").Result()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	after, err := c.Time(patience(t)).Result()
	if err != nil || after.Sub(before) < 49*time.Millisecond {
		t.Errorf("the key expired after %v, %v", after.Sub(before), err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
