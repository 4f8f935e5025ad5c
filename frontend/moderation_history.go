package frontend

import (
	"fmt"
	"time"
)

// VersionsView is everything that an entry ever was, for those who may see it.
type VersionsView struct {
	Slug, Name string
	Public     bool  // it has a public page now
	Version    int64 // that stands
	Lines      []VersionLine
	Older      string // value of "before" for the next page; empty on the last
	From, To   int64  // the versions chosen for comparison, the older first
	Compared   bool   // Fields says how they differ
	Erased     bool   // one of them was erased
	Fields     []FieldChange
	MayRevert  bool   // to From
	MergeURL   string // where it becomes one with another entry; empty where it cannot
	MayUnmerge bool
	IntoName   string // the entry in which it lives on since it was merged; empty: it was not
	IntoURL    string
	PartURL    string // the versions of what was just merged into it
	Note       string
	Done       string // what was just done, in words
	Wrong      string // why nothing was done, in words
}

// VersionLine is one version.
type VersionLine struct {
	Seq       int64
	At        time.Time
	Author    string // empty: somebody without an account
	Operation string // a code of the locale's [operation]
	Status    string // a code of the locale's [entry_status]
	Name      string // of the entry then
	Note      string
	Redacted  bool
}

// VersionsURL is the page of every version of an entry.
func VersionsURL(slug string) string { return EntryURL(slug) + "/versions" }

func versionsQuery(v VersionsView) string {
	q := fmt.Sprintf("?from=%d&to=%d", v.From, v.To)
	if !v.Compared {
		return ""
	}
	return q
}
