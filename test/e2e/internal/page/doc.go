// Package page keeps tables of a page of the documentation that a program writes: each stands between
// two comments that name it, and nothing else of the page is touched.
//
// A page that lacks the marks of a table is refused, so that nothing is written where it does not
// belong. What is between the marks is lost when a table is set, and kept, but for rows of the same
// beginning, when a row is added.
package page
