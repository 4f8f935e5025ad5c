package taxonomy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"

	"archipel/directory"
)

// Taxonomy is a tree of categories. It is safe for concurrent use; every answer is about the tree of one moment, which
// [Taxonomy.Replace] changes.
type Taxonomy struct{ now atomic.Pointer[held] }

type held struct {
	*tree
	stamp string
}

func holding(t *tree) *Taxonomy {
	if t == nil {
		return nil
	}
	out := &Taxonomy{}
	b, _ := json.Marshal(document{t.languages, t.raw}) // of texts alone: it cannot fail
	sum := sha256.Sum256(b)
	out.now.Store(&held{t, hex.EncodeToString(sum[:8])})
	return out
}

// Replace puts the tree of another taxonomy in the place of this one's, for everybody who holds t.
func (t *Taxonomy) Replace(by *Taxonomy) { t.now.Store(by.now.Load()) }

// Stamp tells one tree from another: equal trees have equal stamps, in every process.
func (t *Taxonomy) Stamp() string { return t.now.Load().stamp }

// WordStamp tells by which words, and below which others, entries are found in one tree and another: two trees with equal
// stamps differ in icons, colours, order and crosswalk alone.
func (t *Taxonomy) WordStamp() string {
	now := t.now.Load()
	raw := slices.Clone(now.raw)
	for i := range raw {
		raw[i] = Category{ID: raw[i].ID, Parent: raw[i].Parent, Label: raw[i].Label, Short: raw[i].Short, Synonyms: raw[i].Synonyms, Former: raw[i].Former}
	}
	slices.SortFunc(raw, func(a, b Category) int { return strings.Compare(a.ID, b.ID) })
	return holding(&tree{languages: now.languages, raw: raw}).Stamp()
}

// UnmarshalJSON reads what MarshalJSON wrote, with every check of [Parse].
func (t *Taxonomy) UnmarshalJSON(b []byte) error {
	n, err := Parse("taxonomy", b)
	if err != nil {
		return err
	}
	t.Replace(n)
	return nil
}

// Languages lists the languages in which every category has a label; the first one is the fallback.
func (t *Taxonomy) Languages() []string { return t.now.Load().Languages() }

// Len is the number of categories.
func (t *Taxonomy) Len() int { return t.now.Load().Len() }

// Valid reports whether id is a category, or the former id of one.
func (t *Taxonomy) Valid(id string) bool { return t.now.Load().Valid(id) }

// Category returns a category together with the icon, colour, schema types and needs that it inherits. Its maps and
// slices must not be changed.
func (t *Taxonomy) Category(id string) (Category, bool) { return t.now.Load().Category(id) }

// All returns every category, each parent directly followed by what is below it, in the order of the file.
func (t *Taxonomy) All() []Category { return t.now.Load().All() }

// Roots lists the ids of the first level in the order of the file.
func (t *Taxonomy) Roots() []string { return t.now.Load().Roots() }

// Children lists the ids directly below id in the order of the file.
func (t *Taxonomy) Children(id string) []string { return t.now.Load().Children(id) }

// Descendants lists id itself and everything below it, each parent before its children; nil for an unknown id.
func (t *Taxonomy) Descendants(id string) []string { return t.now.Load().Descendants(id) }

// Ancestors lists what is above id, the nearest first.
func (t *Taxonomy) Ancestors(id string) []string { return t.now.Load().Ancestors(id) }

// Root returns the first-level category above id, or id itself; empty for an unknown id.
func (t *Taxonomy) Root(id string) string { return t.now.Load().Root(id) }

// Under lists every id that an entry in a category, or in one below it, may have: also former ones.
func (t *Taxonomy) Under(id string) []string { return t.now.Load().Under(id) }

// Current is the id that stands for one that is known: itself, or for a former id that of its category. An unknown id is
// its own.
func (t *Taxonomy) Current(id string) string { return t.now.Load().Current(id) }

// Written returns a category as it was written, nothing inherited filled in.
func (t *Taxonomy) Written(id string) (Category, bool) { return t.now.Load().Written(id) }

// Label names a category in a language (BCP 47), falling back to the language without its region, then to the
// taxonomy's first language. An unknown id is its own label.
func (t *Taxonomy) Label(id, lang string) string { return t.now.Load().Label(id, lang) }

// ShortLabel is the label where space is scarce.
func (t *Taxonomy) ShortLabel(id, lang string) string { return t.now.Load().ShortLabel(id, lang) }

// Description explains a category in a language, or is empty.
func (t *Taxonomy) Description(id, lang string) string { return t.now.Load().Description(id, lang) }

// SchemaType is the schema.org type of an entry of this kind in this category: the category's own, else the one it
// inherits, else the kind's.
func (t *Taxonomy) SchemaType(id string, kind directory.Kind) string {
	return t.now.Load().SchemaType(id, kind)
}

// OSMTags lists the OpenStreetMap tags ("key=value") of a category, not those of its parents.
func (t *Taxonomy) OSMTags(id string) []string { return t.now.Load().OSMTags(id) }

// Icons lists every icon name in use, sorted.
func (t *Taxonomy) Icons() []string { return t.now.Load().Icons() }

// MarshalJSON writes the taxonomy as it was written, nothing inherited filled in; [Parse] reads it again.
func (t *Taxonomy) MarshalJSON() ([]byte, error) { return t.now.Load().MarshalJSON() }

// Items lists all categories in one language, parents before their children.
func (t *Taxonomy) Items(lang string) []Item { return t.now.Load().Items(lang) }

// Match finds the category that a text means: by id, by a label in any language, by a short label, by a synonym, or by
// an OSM tag ("key=value"). Case, accents, punctuation, small words and plurals do not count. Of a path
// ("Alimentation > AMAP") the last part counts when the whole means nothing. A word that two categories share, neither
// above the other, means nothing.
func (t *Taxonomy) Match(text string) (id string, ok bool) { return t.now.Load().Match(text) }
