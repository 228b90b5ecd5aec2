package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// nameGrace is how much longer than a session a node waits for its name: etcd looks for expired
// leases every half second, and a little more is fair.
const nameGrace = 2 * time.Second

// askAgain is how often a node asks whether members with another number of groups have left.
const askAgain = 250 * time.Millisecond

// claim is the state of a node's name in etcd.
type claim struct {
	created int64  // create revision of the key
	holder  Member // who has it, if it is not us
	groups  int    // how many the members have, if it is not ours
	ours    bool
}

// join writes the membership key under the session's lease and returns its create revision. A name
// held by another boot is waited for, as long as a crashed holder's session could last, then
// refused with ErrNameTaken; so are members that have another number of groups, with ErrGroups.
func (c *Cluster) join(s *session) (int64, error) {
	ctx, cancel := context.WithTimeout(s.ctx, c.cfg.TTL+nameGrace)
	defer cancel()
	for {
		got, err := c.claimName(s)
		if err != nil {
			return 0, err
		}
		if got.ours {
			c.members.worked()
			c.joinedOnce.Do(func() { close(c.joined) })
			return got.created, nil
		}
		over := ctx.Err() != nil && s.ctx.Err() == nil
		if got.groups != c.cfg.Groups {
			if over {
				return 0, c.disagree(got.groups)
			}
			c.members.failed(fmt.Errorf("%w: %d here, %d there", ErrGroups, c.cfg.Groups, got.groups))
			pause(ctx, askAgain)
			continue
		}
		if over {
			return 0, fmt.Errorf("cluster: join: %w: %q is held by boot %s at %s: choose another name or stop that process",
				ErrNameTaken, c.cfg.Member.Name, got.holder.Boot, got.holder.Address)
		}
		c.log.Info("waiting for the node name", "holder_boot", got.holder.Boot, "holder_address", got.holder.Address)
		err = c.waitGone(ctx, c.keys.node(c.cfg.Member.Name), got.created)
		if s.ctx.Err() != nil {
			return 0, context.Cause(s.ctx)
		}
		if err != nil && ctx.Err() == nil {
			return 0, err
		}
	}
}

// claimName takes the name if it is free, or held by an earlier session of this process.
func (c *Cluster) claimName(s *session) (claim, error) {
	value, err := json.Marshal(c.cfg.Member)
	if err != nil {
		return claim{}, fmt.Errorf("cluster: join: %w", err)
	}
	key := c.keys.node(c.cfg.Member.Name)
	put := clientv3.OpPut(key, string(value), clientv3.WithLease(s.lease))
	var got claim
	err = c.ask(s.ctx, func(ctx context.Context) error {
		resp, err := c.cfg.Client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0), c.agreed()).
			Then(put).
			Else(clientv3.OpGet(c.keys.groups()), clientv3.OpGet(key)).
			Commit()
		if err != nil {
			return err
		}
		if resp.Succeeded {
			got = claim{created: resp.Header.Revision, ours: true}
			return nil
		}
		if theirs := groupsIn(resp.Responses[0].GetResponseRange().Kvs); theirs != c.cfg.Groups {
			got = claim{groups: theirs}
			got.created, err = c.claimGroups(ctx, put)
			got.ours = got.created != 0
			return err
		}
		kv := resp.Responses[1].GetResponseRange().Kvs[0]
		holder, _ := decodeMember(kv.Value) // what cannot be read is not us
		got = claim{created: kv.CreateRevision, holder: holder, groups: c.cfg.Groups}
		if holder.Boot != c.cfg.Member.Boot {
			return nil
		}
		taken, err := c.cfg.Client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), "=", kv.CreateRevision)).
			Then(put).
			Commit()
		if err == nil && !taken.Succeeded {
			err = errors.New("cluster: join: name changed hands meanwhile")
		}
		got.ours = err == nil
		return err
	})
	if err != nil && s.ctx.Err() != nil {
		err = context.Cause(s.ctx)
	}
	return got, err
}

// stayJoined writes the membership again whenever somebody has deleted it, until the session ends.
func (c *Cluster) stayJoined(s *session, created int64) {
	for {
		if err := c.waitGone(s.ctx, c.keys.node(c.cfg.Member.Name), created); err != nil || s.ctx.Err() != nil {
			return
		}
		// A key that goes with its lease may be seen before the lease is known to be gone.
		lives, err := c.lives(s.ctx, s.lease)
		if err == nil && !lives {
			s.cancel(ErrLeaseLost)
		}
		if err != nil || !lives {
			return
		}
		c.log.Warn("membership was deleted; writing it again")
		if created, err = c.join(s); err != nil {
			s.cancel(err)
			return
		}
	}
}
