package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Epoch returns the random word that stands for this etcd's count of revisions, creating it if this
// is the first call. It is the same for all callers, for ever, unless etcd is rebuilt empty: then
// terms begin again at one, and the other epoch tells.
func Epoch(ctx context.Context, client *clientv3.Client, cluster string) (string, error) {
	if err := check(client, cluster); err != nil {
		return "", fmt.Errorf("cluster: epoch: %w", err)
	}
	epoch, err := createOnce(ctx, client, keysOf(cluster).epoch(), uuid.NewString())
	return epoch, explain(ctx, client, "epoch", err)
}

// StoreUID returns the uid of the Redis that this cluster knows as the given store, or "" if it
// knows none yet.
func StoreUID(ctx context.Context, client *clientv3.Client, cluster, store string) (string, error) {
	if err := checkStore(client, cluster, store); err != nil {
		return "", fmt.Errorf("cluster: store uid: %w", err)
	}
	actx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := client.Get(actx, keysOf(cluster).store(store))
	if err != nil || len(resp.Kvs) == 0 {
		return "", explain(ctx, client, "store uid", err)
	}
	return string(resp.Kvs[0].Value), nil
}

// Stores returns the names of the stores that this cluster has ever claimed or adopted, sorted.
func Stores(ctx context.Context, client *clientv3.Client, cluster string) ([]string, error) {
	if err := check(client, cluster); err != nil {
		return nil, fmt.Errorf("cluster: stores: %w", err)
	}
	actx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	prefix := keysOf(cluster).store("")
	resp, err := client.Get(actx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, explain(ctx, client, "stores", err)
	}
	names := make([]string, len(resp.Kvs))
	for i, kv := range resp.Kvs {
		names[i] = strings.TrimPrefix(string(kv.Key), prefix)
	}
	return names, nil
}

// ClaimStore records uid as the store's if none is recorded, and returns the one recorded now: uid,
// or the one that was there before, which it leaves alone.
func ClaimStore(ctx context.Context, client *clientv3.Client, cluster, store, uid string) (string, error) {
	err := checkStore(client, cluster, store)
	if err == nil && uid == "" {
		err = errors.New("uid is empty")
	}
	if err != nil {
		return "", fmt.Errorf("cluster: claim store: %w", err)
	}
	known, err := createOnce(ctx, client, keysOf(cluster).store(store), uid)
	return known, explain(ctx, client, "claim store "+store, err)
}

// AdoptStore records uid as the store's, whatever was recorded. It is the operator's word that a
// replaced or emptied Redis is to be used from now on.
func AdoptStore(ctx context.Context, client *clientv3.Client, cluster, store, uid string) error {
	err := checkStore(client, cluster, store)
	if err == nil && uid == "" {
		err = errors.New("uid is empty")
	}
	if err != nil {
		return fmt.Errorf("cluster: adopt store: %w", err)
	}
	actx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err = client.Put(actx, keysOf(cluster).store(store), uid)
	return explain(ctx, client, "adopt store "+store, err)
}

func checkStore(client *clientv3.Client, cluster, store string) error {
	return errors.Join(check(client, cluster), checkName("store", store))
}

// createOnce returns the value of key, which is value if the key did not exist.
func createOnce(ctx context.Context, client *clientv3.Client, key, value string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, value)).
		Else(clientv3.OpGet(key)).
		Commit()
	if err != nil {
		return "", err
	}
	if resp.Succeeded {
		return value, nil
	}
	return string(resp.Responses[0].GetResponseRange().Kvs[0].Value), nil
}
