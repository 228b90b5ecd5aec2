package scheduler

const (
	cacheEntries  = 150_000
	cacheBytes    = 64 << 20
	entryOverhead = 400 // about what an entry costs beside the bytes it says it has
)

// cache keeps values by key within bounds of count and bytes, so that a node's memory does not grow
// with the jobs. What it drops for room is arbitrary. It is not safe for concurrent use.
type cache[V any] struct {
	entries, bytes int // bounds
	used           int
	values         map[string]cached[V]
}

type cached[V any] struct {
	value V
	size  int
}

func newCache[V any](entries, bytes int) *cache[V] {
	return &cache[V]{entries: entries, bytes: bytes, values: map[string]cached[V]{}}
}

func (c *cache[V]) get(key string) (V, bool) {
	v, ok := c.values[key]
	return v.value, ok
}

// put keeps a value of about so many bytes, unless it alone exceeds the bounds.
func (c *cache[V]) put(key string, value V, size int) {
	c.drop(key)
	size += len(key) + entryOverhead
	if size > c.bytes {
		return
	}
	for other := range c.values {
		if len(c.values) < c.entries && c.used+size <= c.bytes {
			break
		}
		c.drop(other)
	}
	c.values[key] = cached[V]{value, size}
	c.used += size
}

func (c *cache[V]) drop(key string) {
	c.used -= c.values[key].size
	delete(c.values, key)
}
