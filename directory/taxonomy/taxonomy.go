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
	Former      []string          `json:"former,omitempty"`   // ids that mean this category since theirs were merged into it
}

// tree is an immutable tree of categories.
type tree struct {
	languages []string
	raw       []Category       // as written, in the order of the file
	byID      map[string]*node // also by former id
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

func (t *tree) Languages() []string { return slices.Clone(t.languages) }

func (t *tree) Len() int { return len(t.raw) }

func (t *tree) Valid(id string) bool { return t.byID[id] != nil }

func (t *tree) Category(id string) (Category, bool) {
	n := t.byID[id]
	if n == nil {
		return Category{}, false
	}
	return n.Category, true
}

func (t *tree) All() []Category {
	out := make([]Category, 0, len(t.raw))
	for _, r := range t.roots {
		for _, id := range t.Descendants(r) {
			out = append(out, t.byID[id].Category)
		}
	}
	return out
}

func (t *tree) Roots() []string { return slices.Clone(t.roots) }

func (t *tree) Children(id string) []string {
	if n := t.byID[id]; n != nil {
		return slices.Clone(n.children)
	}
	return nil
}

func (t *tree) Descendants(id string) []string {
	n := t.byID[id]
	if n == nil {
		return nil
	}
	out := []string{n.ID}
	for _, c := range n.children {
		out = append(out, t.Descendants(c)...)
	}
	return out
}

func (t *tree) Ancestors(id string) []string {
	var out []string
	if n := t.byID[id]; n != nil && n.ID != id {
		out = []string{n.ID} // what a former id stands for is above it
	}
	for n := t.byID[id]; n != nil && n.Parent != ""; n = t.byID[n.Parent] {
		out = append(out, n.Parent)
	}
	return out
}

func (t *tree) Root(id string) string {
	if !t.Valid(id) {
		return ""
	}
	if up := t.Ancestors(id); len(up) > 0 {
		return up[len(up)-1]
	}
	return id
}

func (t *tree) Under(id string) []string {
	var out []string
	for _, d := range t.Descendants(id) {
		out = append(append(out, d), t.byID[d].Former...)
	}
	return out
}

func (t *tree) Current(id string) string {
	if n := t.byID[id]; n != nil {
		return n.ID
	}
	return id
}

func (t *tree) Written(id string) (Category, bool) {
	for i := range t.raw {
		if t.raw[i].ID == id {
			return t.raw[i], true
		}
	}
	return Category{}, false
}

func (t *tree) Label(id, lang string) string {
	if n := t.byID[id]; n != nil {
		return t.text(n.Label, lang)
	}
	return id
}

func (t *tree) ShortLabel(id, lang string) string {
	if n := t.byID[id]; n != nil {
		// A short label in the wrong language is worse than a long one in the right language.
		if s := exact(n.Short, lang); s != "" {
			return s
		}
		return t.text(n.Label, lang)
	}
	return id
}

func (t *tree) Description(id, lang string) string {
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

func (t *tree) text(m map[string]string, lang string) string {
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

func (t *tree) SchemaType(id string, kind directory.Kind) string {
	if n := t.byID[id]; n != nil {
		if s := n.Schema[string(kind)]; s != "" {
			return s
		}
	}
	return defaultSchema[kind]
}

func (t *tree) OSMTags(id string) []string {
	if n := t.byID[id]; n != nil {
		return slices.Clone(n.OSM)
	}
	return nil
}

func (t *tree) Icons() []string {
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

func (t *tree) MarshalJSON() ([]byte, error) {
	return json.Marshal(document{t.languages, t.raw})
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

func (t *tree) Items(lang string) []Item {
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
