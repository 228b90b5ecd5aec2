package rig

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/test/e2e/internal/wire"
)

// Lines are what joins one node, or client, to its servers when Config.Relayed is set.
type Lines struct {
	Redis *wire.Relay
	Etcd  []*wire.Relay // one per member
}

// Lines returns the lines of the node, or client, of that name, and makes them for a new name. They
// live as long as the stack; a node that gets a name again gets its lines again.
func (s *Stack) Lines(name string) (*Lines, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.lines[name]; ok {
		return l, nil
	}
	l := &Lines{}
	s.lines[name] = l // also when it is not whole, so that Close ends what there is
	var err error
	if l.Redis, err = wire.ListenRedis(s.redis.Addr(), &s.scripts); err != nil {
		return nil, err
	}
	for _, endpoint := range s.Endpoints() {
		r, err := wire.Listen(strings.TrimPrefix(endpoint, "http://"))
		if err != nil {
			return nil, err
		}
		l.Etcd = append(l.Etcd, r)
	}
	return l, nil
}

// access is what a node of that name is to be told of etcd and Redis.
func (s *Stack) access(name string) (etcd, redis string, err error) {
	if !s.cfg.Relayed {
		return strings.Join(s.Endpoints(), ","), s.RedisURL(), nil
	}
	l, err := s.Lines(name)
	if err != nil {
		return "", "", err
	}
	var endpoints []string
	for _, r := range l.Etcd {
		endpoints = append(endpoints, "http://"+r.Addr())
	}
	return strings.Join(endpoints, ","), through(s.redis.URL(), l.Redis), nil
}

// through is the URL with the address of a relay.
func through(server string, r *wire.Relay) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	u.Host = r.Addr()
	return u.String()
}

// Relayed is a client like Client whose line to Redis is that of the given name.
func (s *Stack) Relayed(ctx context.Context, name string) (*carillon.Client, error) {
	l, err := s.Lines(name)
	if err != nil {
		return nil, err
	}
	return carillon.NewClient(ctx, carillon.ClientConfig{Redis: through(s.redis.URL(), l.Redis), Namespace: cluster})
}

// Refusals is how many calls of all nodes Redis has refused since a newer leader had written. It is
// known only when the stack is relayed.
func (s *Stack) Refusals() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		n += l.Redis.Refusals()
	}
	return n
}

func (s *Stack) closeLines() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, l := range s.lines {
		for _, r := range append(l.Etcd, l.Redis) {
			if r != nil {
				errs = append(errs, r.Close())
			}
		}
	}
	return errors.Join(errs...)
}
