package main

import (
	"context"
	"fmt"
	"io"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/carillon-project/carillon/cluster"
	"github.com/carillon-project/carillon/job"
	"github.com/carillon-project/carillon/store"
)

func (a *app) storeCommand() *cobra.Command {
	var name string
	var partitions int
	adopt := &cobra.Command{
		Use: "adopt", Short: "Accept a Redis that was emptied or replaced, or a rebuilt etcd", Args: takes(),
		Long: "Tells the cluster to use the Redis at the URL from now on, in place of the one\n" +
			"it knew, and creates the store there if it is empty. Jobs that were only in\n" +
			"the old one are gone: store import brings those of an export back. Nodes that\n" +
			"run go on by themselves. After etcd was rebuilt or restored it lets leaders of\n" +
			"the new one act, and refuses those of the old. Needs etcd and Redis.",
		Example: "  carillon store adopt --etcd http://etcd:2379 --redis redis://redis:6379/0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.adopt(cmd.Context(), name, partitions)
		},
	}
	adopt.Flags().StringVar(&name, "store-name", "", "`NAME` of the store (default \"default\")")
	adopt.Flags().IntVar(&partitions, "partitions", 0, "of a store that is created (default 1)")
	return group("store", "Check, export and import a store, adopt a new one", groupCluster,
		a.storeCheckCommand(), a.storeExportCommand(), a.storeImportCommand(), adopt)
}

// storeFacts is which store it is.
type storeFacts struct {
	Store      string `json:"store"`
	UID        string `json:"uid"`
	Partitions int    `json:"partitions"`
}

// adopt makes the store at the URL the one that the cluster knows by name.
func (a *app) adopt(ctx context.Context, name string, partitions int) error {
	p, err := a.place()
	if err != nil {
		return err
	}
	if name == "" {
		name = p.selected
	}
	if name == "" {
		name = job.DefaultName
	}
	url, ok := p.urls[name]
	if !ok {
		return usagef("store %q has no URL; say --store %s=URL, or --redis URL for the store default", name, name)
	}
	secure, err := a.redisTLS.config("redis")
	if err != nil {
		return err
	}
	cfg := store.Config{
		Name: name, URL: url, Namespace: a.prefix(), TLS: secure, Create: true, Adopt: true, Partitions: partitions, Logger: a.logger(hclog.Error),
	}
	if err := cfg.Validate(); err != nil {
		return usage(err)
	}
	return a.withEtcd(func(etcd *clientv3.Client) error {
		known, err := cluster.StoreUID(ctx, etcd, a.cluster, name) // before anything is created
		if err != nil {
			return err
		}
		opening, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		s, err := store.Open(opening, cfg)
		if err != nil {
			return err
		}
		defer s.Close()
		epoch, err := cluster.Epoch(ctx, etcd, a.cluster)
		if err != nil {
			return err
		}
		reopened, err := s.Accept(opening, epoch)
		if err != nil {
			return err
		}
		if err := cluster.AdoptStore(ctx, etcd, a.cluster, name, s.UID()); err != nil {
			return err
		}
		f := storeFacts{Store: name, UID: s.UID(), Partitions: s.Partitions()}
		if partitions != 0 && partitions != f.Partitions {
			fmt.Fprintf(a.stderr, "warning: store %s has %d partitions and keeps them; --partitions %d counts only for a store that is created\n", name, f.Partitions, partitions)
		}
		return a.answer(f, func(w io.Writer) {
			if reopened {
				fmt.Fprintf(w, "store %s accepts leaders of this etcd now\n", name)
			}
			if known == f.UID {
				fmt.Fprintf(w, "cluster %s knew store %s already\n", a.cluster, name)
				return
			}
			fmt.Fprintf(w, "cluster %s uses store %s with uid %s now\n", a.cluster, name, f.UID)
		})
	})
}
