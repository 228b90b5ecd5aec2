package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// tlsFiles name PEM files.
type tlsFiles struct{ ca, cert, key string }

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
