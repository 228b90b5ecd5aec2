// Command demo kills the leader of a running cluster and accounts for every run.
//
// It starts an etcd, a redis-server and three `carillon node` processes on this machine, adds jobs
// that are due each second, kills the leader with SIGKILL, and prints what was due, what ran, what
// was lost and what was doubled, as the receiver of the jobs' requests saw it. It exits with 0 when
// nothing was lost or doubled and every other rule of package history held, else with 1.
//
// It is a demonstration, with one kill and one etcd member; the end-to-end tests are the proof.
package main
