package frontend

import "time"

// BrokenLink is an address of an entry that does not answer any more, or has moved.
type BrokenLink struct {
	URL   string
	Code  string // a code of the locale's [broken_why]
	To    string // where it has moved
	Since time.Time
	Tried time.Time
	In    []BrokenIn // entries that have it, on the page of moderators
}

// BrokenIn is an entry that has a [BrokenLink].
type BrokenIn struct{ Name, URL, EditURL string }

// BrokenView lists the links of the directory that do not answer.
type BrokenView struct {
	Links []BrokenLink
	Off   bool   // nobody looks: the operator does not want it
	Next  string // URL of the next page
}
