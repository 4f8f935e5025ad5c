// Package search finds entries by words, and counts what there is.
//
// [Index] has two implementations: package embedded (bleve on disk, columns in memory), and package meili (a
// Meilisearch server). Package searchtest holds both to the promises made here. What both share is in this package:
// what a [Query] is, which parts of an entry are public text ([Document]), how text becomes words, which positions lie
// inside an area, and how an excerpt is cut.
package search

import (
	"context"
	"errors"
	"time"

	"github.com/paulmach/orb"

	"archipel/directory"
)

// Index finds the public entries of a directory. It is a [directory.Follower]: it takes the log of changes in order,
// and keeps the Seq that it has reached inside the index, so that the follower's cursor and the index never disagree.
// An index that was lost, damaged, or is older than the cursor says fills itself again from its [Source].
//
// Only entries that are public ([directory.Entry.Public]) are ever found, and nothing private is indexed.
// All methods may be called concurrently.
type Index interface {
	directory.Follower

	// Search answers q. Errors are a [directory.Invalid] that names the fields of q that make no sense, an error
	// wrapping ErrUnavailable when the engine is away or still reading everything for the first time, or the end of
	// ctx. Words of any content are answered: nothing that a visitor types is an operator.
	Search(ctx context.Context, q Query) (*Result, error)

	// IDs returns every entry that matches q, each once, in no order. Limit, After, Sort and Highlight do not count.
	IDs(ctx context.Context, q Query) ([]directory.ID, error)

	// Complete returns categories and entries for what somebody is typing.
	Complete(ctx context.Context, c Completion) (*Completed, error)

	// Reindex reads everything from the Source into a new index, and puts it in the place of the old one, which
	// answers meanwhile. Changes that come in between are not lost.
	Reindex(ctx context.Context) error

	// Status says how the index fares, without waiting for anything slow.
	Status(ctx context.Context) Status

	// Close releases the index; calls that follow fail with ErrUnavailable.
	Close() error
}

// ErrUnavailable says that the engine cannot answer now; callers fall back to simpler means and say so.
var ErrUnavailable = errors.New("search is not available")

// Source is where an index reads everything again; a [directory.Store] is one.
type Source interface {
	Head(ctx context.Context) (directory.Seq, error)
	Changes(ctx context.Context, after directory.Seq, limit int) ([]directory.Change, error)
	Scan(ctx context.Context, after directory.ID, fn func([]directory.Entry) error) error
}

// Taxonomy is what an index needs to know of categories.
type Taxonomy interface {
	// Labels returns the names of a category in every language, and its synonyms.
	Labels(id string) []string
	// Ancestors returns the categories above it, without itself.
	Ancestors(id string) []string
}

// Zoner names the zones that an entry lies in, with those above them: municipality, département, region, country. Its
// address tells on which side of a border it is, and where it is when it has no position.
type Zoner interface {
	Zones(e *directory.Entry) []string
}

// Status says how an index fares.
type Status struct {
	Engine     string        // "embedded" or "meilisearch"
	Entries    int           // how many can be found
	At         directory.Seq // everything up to here is found
	Rebuilding bool          // it is being filled, or brought to where the log is
	Err        error         // why it does not answer, nil when it does
}

// Sort is an order of results.
type Sort string

// Orders. Ties are broken by name, then by id.
const (
	Relevance Sort = "relevance" // best match first; without words, by name
	Nearness  Sort = "nearness"  // from Near, or from the middle of the area; entries without a position come last
	Date      Sort = "date"      // events by when they next happen, then everything else, the newest first
	Name      Sort = "name"
)

// Limits of a Query.
const (
	MaxText   = 200  // characters that count; what follows is ignored
	MaxWords  = 10   // words that count
	MaxLimit  = 1000 // hits in one Result
	MaxValues = 500  // values of one filter
	MaxFacets = 100  // tags in Facets
	NearestN  = 5    // hits in Result.Outside
)

// Query says what to find. The zero value finds everything.
type Query struct {
	Text string // what somebody typed; the last word may be unfinished
	Lang string // BCP 47, the visitor's language; for stop words and stems

	Kinds      []directory.Kind // any of them
	Categories []string         // any of them; with their descendants, if these shall count
	Tags       []string         // any of them; accents and case do not count

	BBox    *orb.Bound       // degrees; Min[0] > Max[0] crosses the antimeridian
	Near    *orb.Point       // [longitude, latitude]
	Radius  float64          // metres around Near; 0 only sorts and measures from Near
	Polygon orb.MultiPolygon // only positions inside
	Zones   []string         // any of these codes: where an entry is, or where it acts

	From time.Time // events that end after it
	To   time.Time // events that start before it

	Sort      Sort
	Limit     int    // 0 means 20
	After     string // the Next of the Result before
	Highlight bool   // return Excerpts
	Facets    bool   // return Facets
}

// Result answers a Query.
type Result struct {
	Hits  []Hit
	Total int    // how many match in all, exactly
	Next  string // for Query.After; empty at the end

	Facets *Facets

	Spelling string   // the words that were found instead, when those of the Query are found nowhere
	Dropped  []string // words that were left out, because nothing has all of them

	Outside  []Hit     // when nothing matches inside the area: the nearest matches outside, with their distance
	Without  []Fewer   // when nothing matches: what leaving out one filter would find
	Area     orb.Point // where distances are measured from, if Measured
	Measured bool
}

// Hit is an entry that matches.
type Hit struct {
	ID       directory.ID
	Score    float64   // of the words; not comparable between queries
	Distance float64   // metres from Near or from the middle of the area to the nearest site; -1 when not known
	Excerpts []Excerpt // of the fields that match, with Query.Highlight
}

// Excerpt is a piece of an entry's own plain text (it has not been escaped for HTML).
type Excerpt struct {
	Field string // "name", "summary", "description", "town"
	Text  string
	Marks []Range // ascending, not overlapping
}

// Range is a part of a text, in bytes: Text[Start:End].
type Range struct{ Start, End int }

// Facets counts matching entries. A dimension is counted under all of the query but its own filter: choosing
// categories changes the numbers beside kinds and tags, while those beside the other categories still say what each
// of them would give. Categories count with their ancestors: an entry counts once for each category it is in or under.
type Facets struct {
	Kinds      map[directory.Kind]int
	Categories map[string]int
	Tags       []Count // the most frequent, at most MaxFacets
}

// Count is how many entries have a value.
type Count struct {
	Value string
	N     int
}

// Fewer says how many entries match without one of the filters.
type Fewer struct {
	Filter string // "kind", "category", "tag", "area", "zone", "date"
	Total  int
}

// Completion is an unfinished query.
type Completion struct {
	Text  string
	Lang  string
	Near  *orb.Point // prefer what is near
	Limit int        // of each list; 0 means 6, at most 50
}

// Completed is what an unfinished query may become.
type Completed struct {
	Categories []Count // ids, with how many entries they have
	Entries    []Match
}

// Match is an entry in a list of completions.
type Match struct {
	ID       directory.ID
	Kind     directory.Kind
	Name     string
	Town     string
	Category string  // the main one
	Distance float64 // metres from Near, -1 when not known
}
