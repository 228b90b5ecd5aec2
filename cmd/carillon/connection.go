package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/carillon-project/carillon"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

// patience is how long a Redis or etcd may take to answer at first.
const patience = 5 * time.Second

// connection says where etcd and the stores are.
type connection struct {
	etcd      []string
	redis     string
	stores    []string // NAME=URL defines, NAME selects
	cluster   string
	namespace string
	replicas  int

	etcdTLS, redisTLS tlsFiles
	etcdUser          string
	etcdPassword      string
	etcdPasswordFile  string
	redisUser         string
	redisPasswordFile string
}

func (c *connection) flags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&c.etcd, "etcd", nil, "etcd `URLS`, separated by commas")
	flags.StringVar(&c.redis, "redis", "", "`URL` of the store \"default\", redis://HOST:6379/0")
	flags.StringArrayVar(&c.stores, "store", nil, "`NAME=URL` defines a further store (repeatable); NAME alone selects the store to use")
	flags.StringVar(&c.cluster, "cluster", job.DefaultName, "`NAME` of the cluster")
	flags.StringVar(&c.namespace, "namespace", "", "`PREFIX` of all keys in Redis (default: the cluster's name)")
	flags.IntVar(&c.replicas, "wait-replicas", 0, "fail a change that fewer than `N` replicas of Redis have within a second")
	flags.StringVar(&c.etcdTLS.ca, "etcd-ca", "", "PEM `FILE` of who signs etcd's certificates")
	flags.StringVar(&c.etcdTLS.cert, "etcd-cert", "", "PEM `FILE` of the certificate shown to etcd")
	flags.StringVar(&c.etcdTLS.key, "etcd-key", "", "PEM `FILE` of its key")
	flags.StringVar(&c.etcdUser, "etcd-user", "", "`NAME` of the etcd user")
	flags.StringVar(&c.etcdPassword, "etcd-password", "", "its password; better in the file")
	flags.StringVar(&c.etcdPasswordFile, "etcd-password-file", "", "`FILE` with its password")
	flags.StringVar(&c.redisTLS.ca, "redis-ca", "", "PEM `FILE` of who signs Redis's certificates")
	flags.StringVar(&c.redisTLS.cert, "redis-cert", "", "PEM `FILE` of the certificate shown to Redis")
	flags.StringVar(&c.redisTLS.key, "redis-key", "", "PEM `FILE` of its key")
	flags.StringVar(&c.redisUser, "redis-user", "", "`NAME` of the Redis user, where the URL has none")
	flags.StringVar(&c.redisPasswordFile, "redis-password-file", "", "`FILE` with its password")
}

// places is where the stores are, and which one was selected, if any.
type places struct {
	urls     map[string]string
	selected string
}

// place reads --redis and --store. Its errors are of usage, and never repeat a URL.
func (c *connection) place() (places, error) {
	p := places{urls: map[string]string{}}
	if c.redis != "" {
		p.urls[job.DefaultName] = c.redis
	}
	for _, text := range c.stores {
		name, url, defines := strings.Cut(text, "=")
		if err := job.ValidID("--store", name); err != nil || strings.ContainsAny(name, ":/") {
			return p, usagef("--store: write NAME=URL to define a store, or NAME to select one")
		}
		switch {
		case defines:
			p.urls[name] = url
		case p.selected != "" && p.selected != name:
			return p, usagef("--store: %q and %q are both selected; one can be", p.selected, name)
		default:
			p.selected = name
		}
	}
	if len(p.urls) == 0 {
		return p, usagef("no Redis is given; say --redis redis://HOST:6379/0 or set CARILLON_REDIS")
	}
	for name, text := range p.urls {
		text, err := c.withPassword(text)
		if err != nil {
			return p, err
		}
		p.urls[name] = text
		if err := (store.Config{Name: name, URL: text, Namespace: c.prefix(), WaitReplicas: c.replicas}).Validate(); err != nil {
			return p, usage(err)
		}
	}
	return p, nil
}

// withPassword adds the user and password of the flags to a URL that has none.
func (c *connection) withPassword(text string) (string, error) {
	if c.redisUser == "" && c.redisPasswordFile == "" {
		return text, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil {
		return text, nil // what is wrong with it is told by who reads it
	}
	password, err := secretOf("--redis-password-file", c.redisPasswordFile)
	if err != nil {
		return "", err
	}
	u.User = url.UserPassword(c.redisUser, password)
	return u.String(), nil
}

// secretOf reads a file that holds one secret; no file is no secret.
func secretOf(flag, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", usagef("%s: %w", flag, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// prefix is the namespace, by default the cluster's name.
func (c *connection) prefix() string {
	if c.namespace != "" {
		return c.namespace
	}
	return c.cluster
}

// client connects to the stores, or to the selected one alone. in selects it in the calls of the
// client; nil when none was selected.
func (a *app) client(ctx context.Context) (c *carillon.Client, in []carillon.CallOption, err error) {
	p, err := a.place()
	if err != nil {
		return nil, nil, err
	}
	if p, err = p.chosen(); err != nil {
		return nil, nil, err
	}
	secure, err := a.redisTLS.config("redis")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err = carillon.NewClient(ctx, carillon.ClientConfig{
		Stores: p.urls, RedisTLS: secure, Namespace: a.prefix(), WaitReplicas: a.replicas, Logger: a.logger(hclog.Error),
	})
	if p.selected != "" {
		in = append(in, carillon.InStore(p.selected))
	}
	return c, in, err
}

// chosen leaves only the selected store.
func (p places) chosen() (places, error) {
	if p.selected == "" {
		return p, nil
	}
	url, ok := p.urls[p.selected]
	if !ok {
		return p, fmt.Errorf("%w: %q; define it with --store %s=URL", carillon.ErrUnknownStore, p.selected, p.selected)
	}
	p.urls = map[string]string{p.selected: url}
	return p, nil
}

// openStores opens the stores, or the selected one alone, by name. The caller closes them.
func (a *app) openStores(ctx context.Context) ([]*store.Store, error) {
	p, err := a.place()
	if err != nil {
		return nil, err
	}
	if p, err = p.chosen(); err != nil {
		return nil, err
	}
	secure, err := a.redisTLS.config("redis")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var open []*store.Store
	for name, url := range p.urls {
		s, err := store.Open(ctx, store.Config{Name: name, URL: url, Namespace: a.prefix(), TLS: secure, Logger: a.logger(hclog.Error)})
		if err != nil {
			closeAll(open)
			return nil, err
		}
		open = append(open, s)
	}
	slices.SortFunc(open, func(a, b *store.Store) int { return strings.Compare(a.Name(), b.Name()) })
	return open, nil
}

func closeAll(stores []*store.Store) {
	for _, s := range stores {
		s.Close()
	}
}
