// Package cluster keeps a node's membership in etcd and decides which node leads.
//
// Everything of one cluster lies under /carillon/<cluster>/ in etcd:
//
//	nodes/<name>          one [Member] per node, under the lease of the node's session
//	election/<lease>      the candidates; the one created first is in office
//	election-<g>/<lease>  those of group g, where there are several: see below
//	groups                how many groups there are, if it is not one
//	epoch                 a random word, created once: revisions of two epochs are not comparable
//	stores/<store>        the uid of the Redis that this cluster has taken for that store
//
// # The term
//
// A leader is known by its term: the create revision of its election key. Terms of one epoch only
// rise. The term, with the epoch, is the fencing token: what a leader writes to Redis carries it,
// and Redis refuses what carries a lower one than it has seen. Nothing in this package, and nothing
// that could be in it, keeps two nodes from believing for a while that they lead; the fence makes
// that harmless. A process that was stopped, or cut off, learns only later that it lost its office.
//
// # What is guaranteed
//
//   - [Cluster.Run] calls lead only after etcd has confirmed, with a read made after the campaign
//     was won, that this node's election key exists, was created at the term handed to lead and is
//     the first of all candidates. Election.Campaign of the etcd client alone does not say that: it
//     may return nil for a candidate whose lease has gone.
//   - lead is never called twice at once for one group. It has returned before the next campaign for
//     that group begins.
//   - The context of lead ends when etcd says that the office is gone: the election key was deleted
//     or the lease does not exist. It does not end because etcd cannot be reached: that says
//     nothing about the key, and the fence guards the time in between. When etcd answers again it is
//     asked about the lease; if it lives, it is renewed further and the office goes on.
//   - When the context of Run ends, lead is cancelled and waited for, then the office is given up,
//     so that a successor is elected at once, then the membership. If lead takes longer than half a
//     second to return the office is given up without waiting for it.
//   - A node name is held by one process at a time. It frees itself with the lease of its holder.
//   - All members have the same number of groups: it is compared, and set by the first of them, in
//     the transaction that writes the membership.
//   - No goroutine outlives the call that started it.
//
// # What is not guaranteed
//
//   - That there is one leader at any moment, see above; or that there is any.
//   - That [Cluster.Leader] and [Cluster.Members] are current: they are what the last watch event
//     said. Nothing may be decided by them that the fence does not guard.
//   - A bound on the notice of a lost office. With etcd answering it is the time of one watch event;
//     without, it is the outage.
//   - That a node which lost its session meets its old term again: a new session is a new key.
//
// The client handed in should have DialKeepAliveTime set, a few seconds: without it a connection
// that was dropped without a word is noticed only when the operating system gives it up.
//
// # Groups
//
// With [Config.Groups] above one there is an office per group of partitions, and an election for each;
// session, membership, epoch and liveness are those of the node. What is said here of the leader holds
// for the leader of each group. Terms of different groups never are the same.
//
// The offices come to be spread over the nodes by two rules, which every node applies to what the
// watch says, and which never move an office while it is as even as can be:
//
//   - A candidate that leads other groups already campaigns again, behind, as soon as somebody stands
//     behind it who leads fewer. So whoever is free is elected first, whenever it came.
//   - A leader hands an office over when the next in its line leads at least two groups fewer, is known
//     to live by an open connection, and the lines have not changed for a session's length and a second.
//     Of all offices to which that applies one moves at a time, the one led for the shortest by the node
//     that leads most.
//
// # Liveness and fast takeover
//
// [Listener] answers who this process is, and its open connection ends with the process:
// [DialLiveness] gives a peer both. What is told to OnGone is proven: an established connection, on
// which the peer had said its name and boot, was ended by its kernel, without the farewell of a
// Listener that ends in a living process; and a redial of the same address was refused, or answered
// by another boot of that node. Nothing is proven by a first dial that fails (the address may be that
// of another host), by silence, by a redial that the same boot or another node answers (the
// connection was cut on the way, or the address is shared), nor by the end of a membership. The
// address that a node advertises must be its own: in front of it nothing may stand that refuses
// connections while the node lives.
//
// The leader holds such a connection to each member; each follower one to the leader, and to those of
// the two candidates next after it that stand before itself. Whoever holds the proof deletes the
// election key of that process, so that it wins no office that it cannot fill; never its lease, nor its
// membership. A leader that dies together with its first three successors, or before anybody is
// connected to it, is replaced when its lease ends.
//
// The fast takeover builds on that: the follower's connection is armed once the handshake has named
// the leader's node, boot and term. When it ends, in whatever way, and a redial is refused, or
// answered by another boot, the follower deletes the election key of that term, as [StepDown] does;
// never the lease, for the node may live after all. That is done once per term, as soon as etcd
// answers. It needs no trust in the network: a wrong proof costs an election, and the fence keeps the
// old leader harmless. A leader that hangs, or is cut off, is replaced when its lease ends.
package cluster
