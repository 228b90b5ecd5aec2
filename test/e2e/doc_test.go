// Package e2e_test starts real processes, hurts them, and judges what their jobs did from outside.
//
// Each test has an etcd, a redis-server and several `carillon node` processes of its own, and a
// receiver in this process that their jobs post to. What the receiver saw, what etcd's watch said
// and what the store remembers is one history, and package history judges it. The seed of random
// choices is printed; the history of a test that failed is kept, with every log, in
// test/e2e/artifacts.
//
//	CARILLON_E2E_KILLS    leaders that TestLeaderKills kills; default 3
//	CARILLON_E2E_SEED     seed of random choices; default random
//	CARILLON_E2E_BINARY   a carillon binary, built with the tag faults, to test instead of a fresh build
//	CARILLON_E2E_LONG     the long form of the matrix: more rounds, and the bounds of the documentation
package e2e_test
