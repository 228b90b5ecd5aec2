// Command report turns the results that TestMatrix leaves into the table of faults and promises in the
// documentation, those of the long form of TestLeader… into the table of takeovers, and both into a
// plot of the takeover times.
//
//	go run ./test/e2e/report --page docs/reliability.md --plot docs/takeover.svg
//	go run ./test/e2e/report --takeovers
//
// It replaces what stands between two marks in the page and leaves the rest as it is. It refuses
// results that lack a row of the table that is written, and prints, besides, which rows did not hold;
// then it exits with 1.
package main
