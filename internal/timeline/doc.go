// Package timeline draws what happened on an axis of time as an SVG image: due times above, runs as
// bars in lanes below, stretches such as a pause as shaded bands.
//
// Guaranteed: the same picture gives the same bytes; the image is well-formed XML of at most [Width]
// pixels across, without scripts, fonts or references to other files; it has a title and a description
// for screen readers, follows the reader's light or dark mode, and no text is smaller than 11 pixels. A
// picture whose words would cover one another is refused.
//
// Not guaranteed: how wide a reader's font really is; words are given the room that a wide one takes.
package timeline
