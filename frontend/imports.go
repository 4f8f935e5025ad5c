package frontend

import (
	"net/url"
	"time"
)

// ImportsView is the imports that there were, and the form for another.
type ImportsView struct {
	Lines   []ImportLine
	Next    string // older ones; empty when there are none
	Working []ImportLine
	Typed   url.Values
	Wrong   string
}

// ImportLine is one import.
type ImportLine struct {
	Name, Note, Author, Licence, File string
	Sources                           []string
	Last                              time.Time
	Created, Updated, Undone          int
	URL, UndoURL                      string
	State                             string // a code of the locale's [import_state]
	Undo                              bool
}

// ImportView is one file: what importing it would do, or did.
type ImportView struct {
	ID, State, Batch, File, Source, Licence, Author, Error string
	Undo                                                   bool
	At                                                     time.Time
	Rows, Created, Updated, Unchanged, Failed              int
	LeftOut, Warnings                                      []ImportIssue
}

// ImportIssue is what is wrong with a row.
type ImportIssue struct {
	Row, Line                int
	Name, Field, Value, Text string
}

// SourcesView is the sources of entries, with their terms.
type SourcesView struct {
	Sources     []SourceTerms
	Typed       SourceTerms
	Revision    int64
	Done, Wrong string
}

// SourceTerms are what is said of a source.
type SourceTerms struct {
	Name, URL, Licence, Attribution string
	Licences                        []string // that its entries have now
	Count                           int
}

// ImportURL is the page of one file.
func ImportURL(id string) string { return "/admin/imports/" + url.PathEscape(id) }

// UndoURL is the page that asks before an import is taken back.
func UndoURL(batch string) string { return "/admin/imports/undo/" + url.PathEscape(batch) }
