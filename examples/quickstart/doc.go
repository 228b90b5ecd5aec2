// Quickstart is the walk-through that embedded schedulers are known by, on a cluster: a store in
// Redis database 2, a store and an executor of one's own name, defaults, a listener, an interval
// job, a conflict, a restart with and without a backlog, pause and resume, and both kinds of
// shutdown.
//
//	carillon dev --data /tmp/dev          # in one terminal: etcd and Redis
//	go run ./examples/quickstart -endpoints /tmp/dev/endpoints.json first
//	go run ./examples/quickstart -endpoints /tmp/dev/endpoints.json later
//
// The scenes are listed by -h. -every and -for shorten the article's 15 s and 240 s.
package main
