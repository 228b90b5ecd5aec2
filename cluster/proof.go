package cluster

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// redialTimeout bounds the redial that decides whether a process is gone.
	redialTimeout = time.Second
	redialAgain   = 5 * time.Millisecond
)

// finding is what a redial says of the process that was at the other end of a connection.
type finding int

const (
	unknown  finding = iota // silence, or a stranger: nothing was learnt
	answers                 // the same process
	refused                 // nobody listens there
	replaced                // the node answers, and it is another process of it
	taken                   // another node answers: the address may be shared, by a load balancer say
)

// left reports whether the process does not listen there any more. It may live nevertheless; that
// is enough to free an office, which is guarded by the fence.
func (f finding) left() bool { return f == refused || f == replaced || f == taken }

// proves reports whether the process is gone, given how its connection ended: by its kernel, not with
// a farewell, by us, or by a cut network that timed out; and the address that had led to it refuses,
// or leads to another process of that node. It is what runs may be taken away on.
func (f finding) proves(end error) bool {
	return (f == refused || f == replaced) && dropped(end)
}

// redial asks the address of an established connection that has ended. A process that is being torn
// down may still take a connection and drop it, since its listening socket closes a moment after the
// others: then it is asked again.
func redial(ctx context.Context, was Member) finding {
	ctx, cancel := context.WithTimeout(ctx, redialTimeout)
	defer cancel()
	for {
		conn, err := DialLiveness(ctx, was.Address)
		switch {
		case err == nil:
			defer func() { _ = conn.Close() }()
			return compare(conn.Identity(), was)
		case errors.Is(err, syscall.ECONNREFUSED):
			return refused
		case !dropped(err) || !pause(ctx, redialAgain):
			return unknown
		}
	}
}

func compare(id Identity, was Member) finding {
	switch {
	case id.Boot == was.Boot:
		return answers
	case id.Node == was.Name:
		return replaced
	}
	return taken
}

// dropped reports whether a connection was made and then ended without a word.
func dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// unseat deletes the election keys of a process that is proven gone, so that it wins no office that it
// cannot fill, or loses the one that it has won; never its lease. It asks until etcd has answered: what
// is proven stays true.
func (c *Cluster) unseat(ctx context.Context, was Member) {
	var freed bool
	err := c.ask(ctx, func(ctx context.Context) (err error) {
		freed, err = c.unseatOnce(ctx, was)
		return err
	})
	if err == nil && freed {
		c.log.Warn("a process that is gone stands for leader no more", "of", was.Name, "boot", was.Boot)
	}
}

// unseatOnce finds the election keys by the lease under which that very process is a member: the name
// alone may be another process's by now.
func (c *Cluster) unseatOnce(ctx context.Context, was Member) (freed bool, err error) {
	membership, err := c.cfg.Client.Get(ctx, c.keys.node(was.Name))
	if err != nil || len(membership.Kvs) == 0 {
		return false, err
	}
	member, err := decodeMember(membership.Kvs[0].Value)
	if err != nil || member.Boot != was.Boot {
		return false, nil // not that process, as far as can be known
	}
	for _, g := range c.groups {
		key := c.keys.candidate(g.index, clientv3.LeaseID(membership.Kvs[0].Lease))
		candidate, err := c.cfg.Client.Get(ctx, key)
		if err != nil {
			return freed, err
		}
		if len(candidate.Kvs) == 0 {
			continue
		}
		deleted, err := deleteCandidate(ctx, c.cfg.Client, key, candidate.Kvs[0].CreateRevision)
		if freed = freed || deleted; err != nil {
			return freed, err
		}
	}
	return freed, nil
}
