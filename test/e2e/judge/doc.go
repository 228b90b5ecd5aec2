// Command judge holds kept histories against the rules again and prints every breach and the sums.
//
//	go run ./test/e2e/judge test/e2e/artifacts/TestMatrix/leader-sigkill/history.json
//
// It exits with 1 when there is a breach or a history cannot be read. It judges what holds always,
// not what a row of the matrix asks beyond that.
package main
