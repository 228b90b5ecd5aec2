// Package archtest holds the shape of the tree: which package may import which, what every package
// must have, and how long a file may be. It parses the files itself, so that it judges what is
// written, on every system and under every build tag, also where nothing compiles.
//
// Guaranteed: each broken rule is reported with the file, what is wrong and what to do instead, in
// a stable order; packages of nested modules, testdata and hidden directories are not looked at.
//
// Not guaranteed: imports of packages of other modules are not followed, so a rule on what a package
// reaches sees its own imports and those of this module's packages beneath it.
package archtest
