package frontend

// Found is what a search says beside its entries. The zero value says nothing.
type Found struct {
	Places    []Way  // places that the words may mean, each with the list of what is there
	Missing   string // why addresses may be missing among Places, in the page's language
	Corrected *Way   // the words that were looked for instead, as a search of their own
	Fewer     []Way  // for an empty list: the same without one of the filters
}

// Way is another list that one may go to.
type Way struct {
	Label string
	Hint  string // what tells it from others; may be empty
	URL   string
	Count int // entries that it has; 0 when not counted
}

// Narrowed is one thing that narrows a list, in words, the list without it, and the one with nothing else.
type Narrowed struct {
	Label          string
	Without, Alone Query
}

// Narrowing lists what narrows a list when more than one thing does; the area (box, point and zone) is one of them.
func Narrowing(lang string, v HomeView) []Narrowed {
	l, q := T(lang), v.Query
	area := q.BBox != nil || q.Near != nil || q.Zone != ""
	var out []Narrowed
	for _, f := range activeFilters(l, v) {
		switch f.key {
		case "near", "bbox", "zone":
			continue
		}
		alone := q.WithoutArea()
		for _, other := range activeFilters(l, v) {
			if other.key != f.key || other.value != f.value {
				alone = alone.Without(other.key, other.value)
			}
		}
		out = append(out, Narrowed{f.Label, q.Without(f.key, f.value), alone})
	}
	if len(out) == 0 || len(out) == 1 && !area {
		return nil // without it everything is left, which is told already
	}
	return out
}
