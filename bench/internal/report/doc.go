// Package report holds what the benchmarks found and writes it down: a table for the terminal, JSON for
// programs, a page with plots for docs/.
//
// It promises:
//   - A ratio always says how many times better Carillon is than what it is held against, whether more
//     or less is better, and a row is ok exactly when its ratio is at least its bar.
//   - The same report gives the same bytes. A plot is well-formed XML without scripts, fonts or
//     references to other files, and follows the reader's light or dark mode.
//
// It measures nothing and reads no clock.
package report
