package geo

import "slices"

// grow makes room for n more rows at once.
func (t *table) grow(n int) {
	t.ids = slices.Grow(t.ids, n)
	t.kind = slices.Grow(t.kind, n)
	t.info = slices.Grow(t.info, n)
	t.dead = slices.Grow(t.dead, n)
	t.grams = slices.Grow(t.grams, n)
	t.hours = slices.Grow(t.hours, n)
	t.lists = slices.Grow(t.lists, n)
	t.tagAt = slices.Grow(t.tagAt, n)
	t.ptAt = slices.Grow(t.ptAt, n)
	t.pts = slices.Grow(t.pts, n)
	t.ptRow = slices.Grow(t.ptRow, n)
	t.spnAt = slices.Grow(t.spnAt, n)
	if want := (len(t.ids) + n) * 2; want > len(t.slots) {
		t.rehash(want)
	}
}

// growLists makes room for what the items' rows refer to.
func (t *table) growLists(items []Item, ready []prepared) {
	var text, cats, tags, spans int
	for i := range items {
		it := &items[i]
		text += len(it.Slug) + len(it.Name) + len(ready[i].words) + textUnit
		cats += len(it.Categories)
		tags += len(it.Tags)
		spans += len(it.Times)
	}
	t.text = slices.Grow(t.text, text)
	t.cats = slices.Grow(t.cats, cats)
	t.tags = slices.Grow(t.tags, tags)
	t.spans = slices.Grow(t.spans, spans)
}

// pack copies the rows that are alive into a new table, and tells sorted their points' new places.
func (s *Snapshot) pack(sorted []keyed) {
	old := s.table
	t := newTable()
	t.seed = old.seed
	t.kinds, t.categories, t.tagNames, t.origins = old.kinds, old.categories, old.tagNames, old.origins
	t.hourly = old.hourly
	t.grow(s.alive)
	t.text = make([]byte, 0, len(old.text)/max(len(old.ids), 1)*s.alive)
	moved := make([]uint32, len(old.pts))
	for r := range old.ids {
		if old.dead[r] != 0 {
			continue
		}
		row, r := uint32(len(t.ids)), uint32(r)
		in := old.info[r]
		in.text = t.addText(old.slug(&in), old.name(&in), old.words(&in))
		t.ids = append(t.ids, old.ids[r])
		t.kind = append(t.kind, old.kind[r])
		t.info = append(t.info, in)
		t.dead = append(t.dead, 0)
		t.grams = append(t.grams, old.grams[r])
		t.hours = append(t.hours, old.hours[r])
		t.cats = append(t.cats, old.rowCats(r)...)
		t.lists = append(t.lists, uint32(len(t.cats)))
		t.tags = append(t.tags, old.rowTags(r)...)
		t.tagAt = append(t.tagAt, uint32(len(t.tags)))
		for p := old.ptAt[r]; p < old.ptAt[r+1]; p++ {
			moved[p] = uint32(len(t.pts))
			t.pts = append(t.pts, old.pts[p])
			t.ptRow = append(t.ptRow, row)
		}
		t.ptAt = append(t.ptAt, uint32(len(t.pts)))
		t.spans = append(t.spans, old.rowSpans(r)...)
		t.spnAt = append(t.spnAt, uint32(len(t.spans)))
		t.place(row)
	}
	for i := range sorted {
		sorted[i].pt = moved[sorted[i].pt]
	}
	s.table, s.rest = t, 0
}
