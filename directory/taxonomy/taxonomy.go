// Package taxonomy holds the words by which an instance sorts its entries: a tree of categories with labels per
// language, icons, colours, and a crosswalk to OpenStreetMap tags, schema.org types and TransforMap needs.
//
// A taxonomy is written as YAML (see default.yaml, which explains every field) or as JSON, which is read the same way.
package taxonomy

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"

	"archipel/directory"
)

// Category is one word of a taxonomy.
type Category struct {
	ID          string            `json:"id"`               // stable slug, stored with the entries
	Parent      string            `json:"parent,omitempty"` // id of the category above; empty for a root
	Label       map[string]string `json:"label"`            // by BCP 47 tag
	Short       map[string]string `json:"short,omitempty"`  // where space is scarce: chips, legend
	Description map[string]string `json:"description,omitempty"`
	Icon        string            `json:"icon,omitempty"`     // name in the sprite; inherited when empty
	Color       string            `json:"color,omitempty"`    // "#rrggbb", at least 3:1 on white; inherited when empty
	Synonyms    []string          `json:"synonyms,omitempty"` // other words for it, in any language
	OSM         []string          `json:"osm,omitempty"`      // "key=value", the most characteristic one first
	Schema      map[string]string `json:"schema,omitempty"`   // schema.org type by kind of entry; inherited
	Needs       []string          `json:"needs,omitempty"`    // values of TransforMap's fulfils_needs:*; inherited
}

// Taxonomy is an immutable tree of categories. It is safe for concurrent use.
type Taxonomy struct {
	languages []string
	raw       []Category // as written, in the order of the file
	byID      map[string]*node
	roots     []string
	words     map[string]string // folded label, short label or synonym -> id
	tags      map[string]string // OSM tag -> id
}

type node struct {
	Category // with what it inherits
	children []string
}

//go:embed default.yaml
var defaultYAML []byte

// Default returns the taxonomy that ships with the program: two levels, French and English.
func Default() *Taxonomy {
	t, err := Parse("default.yaml", defaultYAML)
	if err != nil {
		panic(err) // the embedded file is tested
	}
	return t
}

// DefaultYAML returns the text of the default, for an operator who wants to start from it.
func DefaultYAML() []byte { return slices.Clone(defaultYAML) }

// Languages lists the languages in which every category has a label; the first one is the fallback.
func (t *Taxonomy) Languages() []string { return slices.Clone(t.languages) }

// Len is the number of categories.
func (t *Taxonomy) Len() int { return len(t.raw) }

// Valid reports whether id is a category.
func (t *Taxonomy) Valid(id string) bool { return t.byID[id] != nil }

// Category returns a category together with the icon, colour, schema types and needs that it inherits. Its maps and
// slices must not be changed.
func (t *Taxonomy) Category(id string) (Category, bool) {
	n := t.byID[id]
	if n == nil {
		return Category{}, false
	}
	return n.Category, true
}

// All returns every category, each parent directly followed by what is below it, in the order of the file.
func (t *Taxonomy) All() []Category {
	out := make([]Category, 0, len(t.raw))
	for _, r := range t.roots {
		for _, id := range t.Descendants(r) {
			out = append(out, t.byID[id].Category)
		}
	}
	return out
}

// Roots lists the ids of the first level in the order of the file.
func (t *Taxonomy) Roots() []string { return slices.Clone(t.roots) }

// Children lists the ids directly below id in the order of the file.
func (t *Taxonomy) Children(id string) []string {
	if n := t.byID[id]; n != nil {
		return slices.Clone(n.children)
	}
	return nil
}

// Descendants lists id itself and everything below it, each parent before its children; nil for an unknown id.
func (t *Taxonomy) Descendants(id string) []string {
	n := t.byID[id]
	if n == nil {
		return nil
	}
	out := []string{id}
	for _, c := range n.children {
		out = append(out, t.Descendants(c)...)
	}
	return out
}

// Ancestors lists what is above id, the nearest first.
func (t *Taxonomy) Ancestors(id string) []string {
	var out []string
	for n := t.byID[id]; n != nil && n.Parent != ""; n = t.byID[n.Parent] {
		out = append(out, n.Parent)
	}
	return out
}

// Root returns the first-level category above id, or id itself; empty for an unknown id.
func (t *Taxonomy) Root(id string) string {
	if !t.Valid(id) {
		return ""
	}
	if up := t.Ancestors(id); len(up) > 0 {
		return up[len(up)-1]
	}
	return id
}

// Label names a category in a language (BCP 47), falling back to the language without its region, then to the
// taxonomy's first language. An unknown id is its own label.
func (t *Taxonomy) Label(id, lang string) string {
	if n := t.byID[id]; n != nil {
		return t.text(n.Label, lang)
	}
	return id
}

// ShortLabel is the label where space is scarce.
func (t *Taxonomy) ShortLabel(id, lang string) string {
	if n := t.byID[id]; n != nil {
		// A short label in the wrong language is worse than a long one in the right language.
		if s := exact(n.Short, lang); s != "" {
			return s
		}
		return t.text(n.Label, lang)
	}
	return id
}

// Description explains a category in a language, or is empty.
func (t *Taxonomy) Description(id, lang string) string {
	if n := t.byID[id]; n != nil {
		return t.text(n.Description, lang)
	}
	return ""
}

func exact(m map[string]string, lang string) string {
	for tag := lang; tag != ""; {
		if s := m[tag]; s != "" {
			return s
		}
		i := strings.LastIndexByte(tag, '-')
		if i < 0 {
			break
		}
		tag = tag[:i]
	}
	return ""
}

func (t *Taxonomy) text(m map[string]string, lang string) string {
	if s := exact(m, lang); s != "" {
		return s
	}
	return m[t.languages[0]]
}

var defaultSchema = map[directory.Kind]string{
	directory.Organisation: "Organization",
	directory.Place:        "Place",
	directory.Initiative:   "Project",
	directory.Event:        "Event",
}

// SchemaType is the schema.org type of an entry of this kind in this category: the category's own, else the one it
// inherits, else the kind's.
func (t *Taxonomy) SchemaType(id string, kind directory.Kind) string {
	if n := t.byID[id]; n != nil {
		if s := n.Schema[string(kind)]; s != "" {
			return s
		}
	}
	return defaultSchema[kind]
}

// OSMTags lists the OpenStreetMap tags ("key=value") of a category, not those of its parents.
func (t *Taxonomy) OSMTags(id string) []string {
	if n := t.byID[id]; n != nil {
		return slices.Clone(n.OSM)
	}
	return nil
}

// Icons lists every icon name in use, sorted.
func (t *Taxonomy) Icons() []string {
	var out []string
	for i := range t.raw {
		if t.raw[i].Icon != "" {
			out = append(out, t.raw[i].Icon)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

type document struct {
	Languages  []string   `json:"languages"`
	Categories []Category `json:"categories"`
}

// MarshalJSON writes the taxonomy as it was written, nothing inherited filled in; [Parse] reads it again.
func (t *Taxonomy) MarshalJSON() ([]byte, error) {
	return json.Marshal(document{t.languages, t.raw})
}

// UnmarshalJSON reads what MarshalJSON wrote, with every check of [Parse].
func (t *Taxonomy) UnmarshalJSON(b []byte) error {
	n, err := Parse("taxonomy", b)
	if err != nil {
		return err
	}
	*t = *n
	return nil
}

// Item is a category as a page needs it: one language, everything inherited filled in.
type Item struct {
	ID          string `json:"id"`
	Parent      string `json:"parent,omitempty"`
	Label       string `json:"label"`
	Short       string `json:"short,omitempty"` // only when it differs from Label
	Description string `json:"description,omitempty"`
	Icon        string `json:"icon,omitempty"`
	Color       string `json:"color"`
}

// Items lists all categories in one language, parents before their children.
func (t *Taxonomy) Items(lang string) []Item {
	all := t.All()
	out := make([]Item, len(all))
	for i, c := range all {
		out[i] = Item{ID: c.ID, Parent: c.Parent, Label: t.Label(c.ID, lang), Description: t.Description(c.ID, lang), Icon: c.Icon, Color: c.Color}
		if s := t.ShortLabel(c.ID, lang); s != out[i].Label {
			out[i].Short = s
		}
	}
	return out
}
