package frontend

import "time"

// IsleView is what is said of an entry that belongs to another island, besides whose it is.
type IsleView struct {
	HomeURL   string    // of the island
	Silent    time.Time // when it was last heard, if that is too long ago
	Highlight bool      // recommended here
	Remark    string    // of this directory; plain text
	CurateURL string    // where moderators say what this directory adds
}

// CurateURL is the path of the page where moderators say what this directory adds to an entry of another island.
func CurateURL(slug string) string { return EntryURL(slug) + "/curate" }

// toggleOnly leaves out what belongs to other islands, or takes it in again, and goes back to the first page.
func toggleOnly(q Query) Query {
	if q.Only != "" {
		return q.Without("only", "")
	}
	q.Only, q.After = OnlyHere, ""
	return q
}

// OnlyHere is the value of [Query.Only].
const OnlyHere = "here"
