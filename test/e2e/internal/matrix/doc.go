// Package matrix is the table of faults that Carillon is held against, and the play of each.
//
// A [Fault] is one row: what is done to a running cluster, what is promised then, and what must be
// seen beyond the rules that hold always. [Table] returns all rows. [Play] starts a cluster of real
// processes with a steady load of jobs, strikes it as the row says, lets it heal and drain, judges
// the history, and returns a [Result], which is also what the documentation's table is made of.
// Chaos draws the rows that are marked for it at random and strikes a cluster that lives on.
//
// # How to add a row
//
// Write a file with a function that returns rows, and name it in Table. A row needs Name, Says,
// Promise and Strike. Strike does its harm through the Field, notes it there ([rig.Stack] does so for
// what it offers itself, see Harm), and returns when what it broke is whole again: nodes it ended
// are started, what it cut is mended. It waits for events, never for a time, save for how long a
// harm lasts. A bound or a count that must be seen is checked in Judge, from the history.
//
// # What it does not
//
// A row's bounds are those of the documentation only in the long form ([Field.Long]); the short form
// runs beside other work and is generous.
package matrix
