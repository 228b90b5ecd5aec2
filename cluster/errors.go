package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var (
	// ErrUnreachable means that etcd gave no answer. It says nothing about what is stored there.
	ErrUnreachable = errors.New("etcd is out of reach")
	// ErrNameTaken means that a living process of another boot is a member under this name.
	ErrNameTaken = errors.New("node name is taken")
	// ErrGroups means that the living members have another number of groups.
	ErrGroups = errors.New("number of groups differs")
	// ErrTooOld means that etcd answered and is older than version 3.5.
	ErrTooOld = errors.New("etcd is too old")
	// ErrNotInOffice means that the term to end is not the one in office.
	ErrNotInOffice = errors.New("term is not in office")
	// ErrClientClosed means that the etcd client handed in was closed while in use.
	ErrClientClosed = errors.New("etcd client is closed")

	// ErrOfficeLost is the cause of a lead context that ended because the election key is gone.
	ErrOfficeLost = errors.New("cluster: office lost: election key is gone")
	// ErrLeaseLost is the cause of a lead context that ended because etcd no longer knows the lease.
	ErrLeaseLost = errors.New("cluster: office lost: lease is gone")
	// ErrHandedOver is the cause of a lead context that ended because another node leads fewer groups.
	ErrHandedOver = errors.New("cluster: office given up: handed over to a node that leads fewer groups")
	// ErrResigned is the cause of a lead context that ended because Resign was called.
	ErrResigned = errors.New("cluster: office given up: resigned")
)

// codeUnavailable is the gRPC status code with which etcd says that it cannot answer just now.
const codeUnavailable = 14

// explain wraps what etcd's client said about operation op: an answer is passed on, silence becomes
// ErrUnreachable with the endpoints and what to do. ctx is the caller's, without our own timeout;
// a deadline of the caller that passes is silence too.
func explain(ctx context.Context, client *clientv3.Client, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && client.Ctx().Err() != nil {
		return fmt.Errorf("cluster: %s: %w", op, ErrClientClosed)
	}
	var answer rpctypes.EtcdError
	answered := errors.As(rpctypes.Error(err), &answer) && answer.Code() != codeUnavailable
	if answered || errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("cluster: %s: %w", op, err)
	}
	return fmt.Errorf("cluster: %s: %w at %s: check that it runs, that the address is right and that a quorum of its members is up: %w",
		op, ErrUnreachable, strings.Join(client.Endpoints(), ", "), err)
}
