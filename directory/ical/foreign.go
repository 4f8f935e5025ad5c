package ical

import (
	"html"

	"archipel/directory"
)

// The functions below clean texts of strangers in the same way wherever they come from, also when no calendar holds them.

// Markdown gives the words of HTML as Markdown: paragraphs, lists, headings, emphasis and links to the web; of everything
// else nothing. It has at most n characters.
func Markdown(foreign string, n int) string {
	return shortened(readable(fromHTML(foreign), true), n)
}

// Plain gives plain text as Markdown that shows it as it is, of at most n characters.
func Plain(foreign string, n int) string {
	return shortened(readable(fromPlain(foreign), true), n)
}

// Line is a text on one line, without control characters, and shortened to n characters. References of HTML are resolved.
func Line(foreign string, n int) string { return oneLine(html.UnescapeString(foreign), n) }

// WebLink is s if it is an address of the web, else empty.
func WebLink(s string) string { return webLink(s) }

// Address makes an address of a line, as people write them: what is before the postcode is the street, what is behind it
// the town. It is nil for an empty line.
func Address(line string) *directory.Address {
	if line = oneLine(line, directory.MaxLine); line == "" {
		return nil
	}
	return address(line)
}
