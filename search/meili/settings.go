package meili

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/meilisearch/meilisearch-go"
	"github.com/paulmach/orb"

	"archipel/directory"
	"archipel/search"
)

// format is what the documents hold; raise it when that changes, and every index is built again.
const format = 2

const (
	maxTotalHits = 200_000 // how many hits Meilisearch counts and gives out
	maxValues    = 2000    // values of a facet that it counts
)

// settings are ours, versioned by their hash: an index with others is built again.
func settings(languages []string) *meilisearch.Settings {
	stop := map[string]bool{}
	var locales []string
	for _, l := range languages {
		for _, w := range search.StopWords(l) {
			stop[w] = true
		}
		if code := locale(l); code != "" {
			locales = append(locales, code)
		}
	}
	words := make([]string, 0, len(stop))
	for w := range stop {
		words = append(words, w)
	}
	slices.Sort(words)
	s := &meilisearch.Settings{
		// An order that was asked for comes first; without one, sort does nothing.
		RankingRules:         []string{"sort", "words", "typo", "attribute", "proximity", "exactness", "key:asc", "id:asc"},
		SearchableAttributes: []string{"key", "name", "joined", "names.text", "labels", "tags", "town", "place", "summary", "text", "texts.text", "other"},
		FilterableAttributes: []string{"id", "kind", "under", "tagKeys", "tags", "zones", "more", "west", "east", "south", "north", "_geo"},
		SortableAttributes:   []string{"key", "id", "_geo"},
		DisplayedAttributes:  []string{"*"},
		StopWords:            words,
		Synonyms:             search.Synonyms(),
		TypoTolerance: &meilisearch.TypoTolerance{
			Enabled: true, DisableOnWords: []string{}, DisableOnAttributes: []string{}, DisableOnNumbers: true,
			MinWordSizeForTypos: meilisearch.MinWordSizeForTypos{OneTypo: search.OneTypo, TwoTypos: search.TwoTypos},
		},
		Pagination: &meilisearch.Pagination{MaxTotalHits: maxTotalHits},
		Faceting:   &meilisearch.Faceting{MaxValuesPerFacet: maxValues, SortFacetValuesBy: map[string]meilisearch.SortFacetType{"*": meilisearch.SortFacetTypeCount}},
	}
	if len(locales) > 0 {
		s.LocalizedAttributes = []*meilisearch.LocalizedAttributes{{Locales: locales, AttributePatterns: []string{"*"}}}
	}
	return s
}

func version(s *meilisearch.Settings) string {
	b, _ := json.Marshal(s) // strings and numbers
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// locale is a language as Meilisearch names it (ISO 639-3), empty when it knows none.
func locale(lang string) string {
	return map[string]string{
		"fr": "fra", "en": "eng", "de": "deu", "es": "spa", "it": "ita", "pt": "por", "nl": "nld", "ca": "cat", "da": "dan",
		"sv": "swe", "fi": "fin", "hu": "hun", "ro": "ron", "ru": "rus", "tr": "tur", "pl": "pol", "el": "ell", "ar": "ara", "no": "nob",
	}[lang]
}

// record is a document as Meilisearch has it.
type record struct {
	search.Document
	Key     string   `json:"key"`              // the name as it is sorted and compared
	Joined  []string `json:"joined,omitempty"` // neighbours in the name and the tags written as one word
	TagKeys []string `json:"tagKeys,omitempty"`
	Geo     *point   `json:"_geo,omitempty"` // the main site: Meilisearch knows one per document
	More    bool     `json:"more"`           // there are other sites; the box below holds all of them
	West    float64  `json:"west,omitempty"`
	East    float64  `json:"east,omitempty"`
	South   float64  `json:"south,omitempty"`
	North   float64  `json:"north,omitempty"`
}

type point struct {
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
}

func newRecord(d search.Document) record {
	r := record{Document: d, Key: search.Key(d.Name), Joined: search.Joined(d.Name, d.Lang)}
	for _, t := range d.Tags {
		r.Joined = append(r.Joined, search.Joined(t, d.Lang)...)
		if k := directory.Fold(t); k != "" && !slices.Contains(r.TagKeys, k) {
			r.TagKeys = append(r.TagKeys, k)
		}
	}
	if len(d.Sites) > 0 {
		r.Geo = &point{d.Sites[0][1], d.Sites[0][0]}
	}
	if len(d.Sites) > 1 {
		b := orb.MultiPoint(d.Sites).Bound()
		r.More, r.West, r.South, r.East, r.North = true, b.Min[0], b.Min[1], b.Max[0], b.Max[1]
	}
	return r
}

// markID is the document in which the index records how far it has come. It has no kind, and so is never found.
const markID = "mark"

type marked struct {
	ID   string `json:"id"`
	Mark mark   `json:"mark"`
}

type mark struct {
	Format   int           `json:"format"`
	Settings string        `json:"settings"`
	Seq      directory.Seq `json:"seq"`
	Change   string        `json:"change"` // id of the change at Seq: tells a log from another one
}
