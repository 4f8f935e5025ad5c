package taxonomy

import (
	"encoding/json"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"
)

// Edit returns what the taxonomy becomes when change is applied to its categories, as they are written; the order of the
// list is that of the file. The result has passed every check of [Parse]; the taxonomy itself stays as it is.
func (t *Taxonomy) Edit(change func([]Category) []Category) (*Taxonomy, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	doc.Categories = change(doc.Categories)
	if b, err = json.Marshal(doc); err != nil {
		return nil, err
	}
	return Parse("taxonomy", b)
}

// With is the taxonomy with a category added, or changed when its id is there already. Former ids stay.
func (t *Taxonomy) With(c Category) (*Taxonomy, error) {
	return t.Edit(func(all []Category) []Category {
		i := slices.IndexFunc(all, func(o Category) bool { return o.ID == c.ID })
		if i < 0 {
			return append(all, c)
		}
		c.Former = all[i].Former
		all[i] = c
		return all
	})
}

// Moved is the taxonomy with a category one place further up or down among those beside it.
func (t *Taxonomy) Moved(id string, down bool) (*Taxonomy, error) {
	return t.Edit(func(all []Category) []Category {
		at := slices.IndexFunc(all, func(o Category) bool { return o.ID == id })
		if at < 0 {
			return all
		}
		step := -1
		if down {
			step = 1
		}
		for i := at + step; i >= 0 && i < len(all); i += step {
			if all[i].Parent == all[at].Parent {
				all[i], all[at] = all[at], all[i]
				break
			}
		}
		return all
	})
}

// Without is the taxonomy without a category: what is below it goes below its parent, or below into. When into is a
// category, the id and the words of the one that goes are its own from then on.
func (t *Taxonomy) Without(id, into string) (*Taxonomy, error) {
	return t.Edit(func(all []Category) []Category {
		at := slices.IndexFunc(all, func(o Category) bool { return o.ID == id })
		to := slices.IndexFunc(all, func(o Category) bool { return o.ID == into })
		if at < 0 || at == to {
			return all
		}
		gone := all[at]
		if to >= 0 {
			c := &all[to]
			c.Former = append(append(c.Former, id), gone.Former...)
			for _, words := range []map[string]string{gone.Label, gone.Short} {
				for _, w := range slices.Sorted(maps.Values(words)) {
					if !slices.Contains(c.Synonyms, w) && !slices.Contains(values(c.Label), w) {
						c.Synonyms = append(c.Synonyms, w)
					}
				}
			}
			for _, w := range gone.Synonyms {
				if !slices.Contains(c.Synonyms, w) {
					c.Synonyms = append(c.Synonyms, w)
				}
			}
			c.Synonyms = slices.DeleteFunc(c.Synonyms, func(w string) bool { return t.claims(w, id, into) })
			c.Synonyms = c.Synonyms[:min(len(c.Synonyms), maxList)]
			for _, tag := range gone.OSM {
				if !slices.Contains(c.OSM, tag) && len(c.OSM) < maxList {
					c.OSM = append(c.OSM, tag)
				}
			}
		}
		for i := range all {
			if all[i].Parent == id {
				if all[i].Parent = gone.Parent; to >= 0 {
					all[i].Parent = into
				}
				if all[i].ID == into { // it was below the one that goes
					all[i].Parent = gone.Parent
				}
				if all[i].Parent == "" && all[i].Color == "" {
					all[i].Color = gone.Color
				}
			}
		}
		return slices.Delete(all, at, at+1)
	})
}

// claims reports whether a category other than the two has a word as its synonym: no word is in two.
func (t *Taxonomy) claims(word, a, b string) bool {
	key := Fold(word)
	for _, c := range t.All() {
		if c.ID != a && c.ID != b && slices.ContainsFunc(c.Synonyms, func(s string) bool { return Fold(s) == key }) {
			return true
		}
	}
	return false
}

// YAML writes the taxonomy as it was written, for people; [Parse] reads it again.
func (t *Taxonomy) YAML() ([]byte, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil { // JSON is YAML
		return nil, err
	}
	unfold(&doc, 0)
	return yaml.Marshal(&doc)
}

// unfold gives each category and each of its fields a line of its own.
func unfold(n *yaml.Node, depth int) {
	if n.Kind == yaml.MappingNode && depth <= 3 || n.Kind == yaml.SequenceNode && depth == 2 && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode {
		n.Style = 0
	}
	if n.Kind == yaml.ScalarNode {
		n.Style = 0 // quoted only where it must be
	}
	for _, c := range n.Content {
		unfold(c, depth+1)
	}
}
