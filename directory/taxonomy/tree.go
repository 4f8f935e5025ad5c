package taxonomy

import (
	"maps"
	"slices"
	"strings"
)

// tree checks what no category can show alone: parents, cycles, depth, and words that two categories claim.
func (p *parser) tree(t *tree) {
	parent := map[string]string{}
	for _, c := range t.raw {
		parent[c.ID] = c.Parent
	}
	told := map[string]bool{} // members of cycles already reported
	for _, c := range t.raw {
		p.category = c.ID
		if _, known := parent[c.Parent]; c.Parent != "" && !known {
			// A parent whose own entry is faulty was reported already.
			if _, faulty := p.lines[c.Parent]; !faulty {
				p.fail(p.lines[c.ID], "parent", "no category %q", c.Parent)
			}
			continue
		}
		path := []string{c.ID}
		at := map[string]int{c.ID: 0} // in the path
		for id := c.Parent; id != ""; id = parent[id] {
			i, met := at[id]
			if met && !told[id] {
				cycle := path[i:]
				for _, member := range cycle {
					told[member] = true
				}
				p.fail(p.lines[c.ID], "parent", "goes round in a circle: %s", strings.Join(append(cycle, id), " -> "))
			}
			if told[id] {
				path = nil
				break
			}
			at[id] = len(path)
			path = append(path, id)
		}
		if len(path) > MaxDepth {
			p.fail(p.lines[c.ID], "parent", "level %d: at most %d", len(path), MaxDepth)
		}
		if c.Parent == "" && c.Color == "" {
			p.fail(p.lines[c.ID], "color", "missing: only categories with a parent inherit one")
		}
	}

	former := map[string]string{}
	for _, c := range t.raw {
		p.category = c.ID
		for _, id := range c.Former {
			if _, known := parent[id]; known {
				p.fail(p.lines[c.ID], "former", "%q is a category", id)
			} else if other, taken := former[id]; taken {
				p.fail(p.lines[c.ID], "former", "%q is also a former id of %q", id, other)
			}
			former[id] = c.ID
		}
	}
	p.category = ""

	labels := map[[3]string]string{} // language, parent, label -> id
	words := map[string]string{}
	for _, c := range t.raw {
		p.category = c.ID
		for _, lang := range slices.Sorted(maps.Keys(c.Label)) {
			key := [3]string{lang, c.Parent, strings.ToLower(c.Label[lang])}
			if other, taken := labels[key]; taken {
				p.fail(p.lines[c.ID], "label."+lang, "%q is also the label of %q beside it", c.Label[lang], other)
			}
			labels[key] = c.ID
		}
		for _, s := range c.Synonyms {
			key := Fold(s)
			if other, taken := words[key]; taken && other != c.ID {
				p.fail(p.lines[c.ID], "synonyms", "%q also means %q", s, other)
			}
			words[key] = c.ID
		}
	}
	p.category = ""
}

// inherit builds the nodes, parents first, and fills in what each takes from above.
func (p *parser) inherit(t *tree) {
	children := map[string][]*Category{}
	for i := range t.raw {
		c := &t.raw[i]
		children[c.Parent] = append(children[c.Parent], c)
	}
	var add func(c *Category, up *node)
	add = func(c *Category, up *node) {
		n := &node{Category: *c}
		if up != nil {
			up.children = append(up.children, c.ID)
			if n.Icon == "" {
				n.Icon = up.Icon
			}
			if n.Color == "" {
				n.Color = up.Color
			}
			if len(n.Needs) == 0 {
				n.Needs = up.Needs
			}
			if len(up.Schema) > 0 {
				own := n.Schema
				n.Schema = maps.Clone(up.Schema)
				maps.Copy(n.Schema, own)
			}
		}
		t.byID[c.ID] = n
		for _, id := range c.Former {
			t.byID[id] = n
		}
		for _, child := range children[c.ID] {
			add(child, n)
		}
	}
	for _, c := range children[""] {
		t.roots = append(t.roots, c.ID)
		add(c, nil)
	}
}
