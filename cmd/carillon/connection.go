package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap" //nolint:depguard // etcd's client takes no other logger; it gets one that is silent

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

	etcdTLS, redisTLS tlsFiles
	etcdUser          string
	etcdPassword      string
	etcdPasswordFile  string
	redisUser         string
	redisPasswordFile string
}

// tlsFiles name PEM files.
type tlsFiles struct{ ca, cert, key string }

func (c *connection) flags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&c.etcd, "etcd", nil, "etcd `URLS`, separated by commas")
	flags.StringVar(&c.redis, "redis", "", "`URL` of the store \"default\", redis://HOST:6379/0")
	flags.StringArrayVar(&c.stores, "store", nil, "`NAME=URL` defines a further store (repeatable); NAME alone selects the store to use")
	flags.StringVar(&c.cluster, "cluster", job.DefaultName, "`NAME` of the cluster")
	flags.StringVar(&c.namespace, "namespace", "", "`PREFIX` of all keys in Redis (default: the cluster's name)")
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
		if err := (store.Config{Name: name, URL: text, Namespace: c.prefix()}).Validate(); err != nil {
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
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err = carillon.NewClient(ctx, carillon.ClientConfig{
		Stores: p.urls, Namespace: a.prefix(), Logger: a.logger(hclog.Error),
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

// config reads the files; nil when none is named. what is "etcd" or "redis".
func (f tlsFiles) config(what string) (*tls.Config, error) {
	if f == (tlsFiles{}) {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, usagef("--%s-ca: %w", what, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usagef("--%s-ca: %s has no certificate in it", what, f.ca)
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, usagef("--%s-cert and --%s-key go together", what, what)
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, usagef("--%s-cert: %w", what, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// etcdAccess is how to get at etcd, checked but not contacted.
type etcdAccess struct {
	endpoints      []string
	tls            *tls.Config
	user, password string
}

func (c *connection) etcdAccess() (etcdAccess, error) {
	a := etcdAccess{endpoints: c.etcd, user: c.etcdUser, password: c.etcdPassword}
	if len(c.etcd) == 0 {
		return a, usagef("no etcd is given; say --etcd http://HOST:2379 or set CARILLON_ETCD")
	}
	for _, endpoint := range c.etcd {
		u, err := url.Parse(endpoint)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return a, usagef("--etcd: %q is not an address such as http://HOST:2379", endpoint)
		}
	}
	var err error
	if a.tls, err = c.etcdTLS.config("etcd"); err != nil {
		return a, err
	}
	if c.etcdPasswordFile != "" {
		a.password, err = secretOf("--etcd-password-file", c.etcdPasswordFile)
	}
	return a, err
}

// dialEtcd returns a client of etcd, which may not have connected yet.
func (c *connection) dialEtcd() (*clientv3.Client, error) {
	a, err := c.etcdAccess()
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: a.endpoints, TLS: a.tls, Username: a.user, Password: a.password,
		DialTimeout: patience, Logger: zap.NewNop(),
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("etcd at %s does not answer; is it running, and is the address right? %w", strings.Join(a.endpoints, ", "), err)
	}
	if err != nil {
		return nil, fmt.Errorf("etcd at %s: %w", strings.Join(a.endpoints, ", "), err)
	}
	return client, nil
}
