package frontend

import (
	"net/url"
	"time"
)

// HistoryView is what happened to an entry, the newest change first.
type HistoryView struct {
	Slug, Name string
	Changes    []Change
	Older      string // value of "before" for the next page; empty on the last
	AllURL     string // every version, for those who may see them; empty for everybody else
}

// Change is one line of an entry's history.
type Change struct {
	Seq       int64
	At        time.Time
	Author    string // shown as it is; empty means unknown
	Operation string // a code of the locale's [operation]: create, update, hide, remove, restore, import, undo, merge, redact, ...
	Note      string
	Fields    []FieldChange
	Redacted  bool // the content was erased, the line remains
}

// FieldChange is one field before and after. The difference is worked out here, word by word.
type FieldChange struct {
	Field    string // a code of the locale's [field]; others are shown as they are
	Old, New string
}

// AboutView says who runs the directory and whose work it stands on.
type AboutView struct {
	Operator     string // who is responsible; empty says that nobody was named
	OperatorHTML string // the operator's own words, sanitised by the caller
	Contact      string // mail address or URL
	Address      string
	Entries      int
	Kept         bool     // members add and change entries
	ReviewFirst  bool     // what they change appears when the team has looked at it
	Sources      []Credit // of the entries
	Basemap      []Credit // Natural Earth, GeoNames, streets
	Finding      []Credit // of towns and addresses
	Addresses    bool     // addresses that are looked for go to a server of addresses
	Version      string   // of the program
	SourceURL    string   // where the program's source is
	APIURL       string   // "/api"
	Fediverse    bool     // it can be followed from other networks
	Islands      bool     // it has a page of the directories that it follows
}

// ProblemView is a page that says what went wrong, what is kept and what to do.
type ProblemView struct {
	Status    int        // HTTP status; 400, 404, 409, 410, 413, 429, 500, 503 have their own words
	Problems  []Problem  // for 400: which fields, and why
	Text      string     // what to know, in the page's language; empty: the words of the status
	SignIn    bool       // signing in may help
	Name      string     // for 410: of the entry that was removed
	Kept      url.Values // for 400 and 503: what was typed, shown and sent again by the retry button
	RetryURL  string     // path to try again
	Method    string     // of the retry, "GET" when empty
	RequestID string     // to be told to the operator
	Nearest   []Card     // for 404: entries with a similar name
}

// Problem is one thing wrong with one field, in codes that the locale turns into words.
type Problem struct {
	Field  string         // "geometry.coordinates"; its label is the locale's field.<Field>, or itself
	Code   string         // its words are the locale's problem.<Code>
	Params map[string]any // filled into the words
}
