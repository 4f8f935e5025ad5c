package islands

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"archipel/directory"
)

// Overlay is what this directory adds to an entry of another one. It survives every update from there. It is a record of
// the store, by the entry's ID.
type Overlay struct {
	Categories []string  `json:"categories,omitempty"` // of ours, instead of those that it came with
	Tags       []string  `json:"tags,omitempty"`       // besides its own
	Hide       bool      `json:"hide,omitempty"`       // out of public view
	Highlight  bool      `json:"highlight,omitempty"`
	Remark     string    `json:"remark,omitempty"` // plain text, shown with the entry
	By         string    `json:"by,omitempty"`     // author of the history
	Changed    time.Time `json:"changed,omitzero"`
}

// The keys of [directory.Entry.Extra] that show an overlay in the public form of an entry.
const (
	ExtraRemark    = "remark"
	ExtraHighlight = "highlight"
)

const maxRemark = 1000 // characters

// LoadOverlay returns the overlay of an entry and its revision, for [Service.Curate]; the zero one when there is none.
func LoadOverlay(ctx context.Context, store directory.Store, id directory.ID) (o Overlay, rev int64, err error) {
	rev, err = get(ctx, store, kindOverlay, string(id), &o)
	return o, rev, err
}

// Overlay is [LoadOverlay] with the service's store.
func (s *Service) Overlay(ctx context.Context, id directory.ID) (Overlay, int64, error) {
	return LoadOverlay(ctx, s.store, id)
}

// Curate puts an overlay over an entry of another directory, in place of the one whose revision is rev, and writes the entry
// anew. The error is a [directory.Invalid] that names the field, [directory.ErrNotFound], or [directory.ErrStale] when
// somebody else put another one over it meanwhile.
func (s *Service) Curate(ctx context.Context, author string, id directory.ID, o Overlay, rev int64) (directory.Entry, error) {
	e, err := s.Directory.Entry(ctx, id)
	if err != nil {
		return e, err
	}
	if e.Origin == "" || e.Status == directory.Removed || e.Private == nil || e.Private.Mirror == nil {
		return e, directory.ErrNotFound
	}
	var problems directory.Invalid
	for _, c := range o.Categories {
		if !s.Taxonomy.Valid(c) {
			problems = append(problems, directory.Problem{Field: "categories", Code: directory.CodeUnknown, Params: map[string]any{"value": c}})
		}
	}
	o.Remark = strings.Join(strings.Fields(tidy(o.Remark)), " ")
	tags := make([]string, 0, len(o.Tags))
	for _, t := range o.Tags {
		if t = strings.Join(strings.Fields(tidy(t)), " "); t != "" && !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	o.Tags = tags
	if len(o.Categories) > 20 {
		problems = append(problems, directory.Problem{Field: "categories", Code: directory.CodeTooMany, Params: map[string]any{"max": 20, "got": len(o.Categories)}})
	}
	if n := utf8.RuneCountInString(o.Remark); n > maxRemark {
		problems = append(problems, directory.Problem{Field: "remark", Code: directory.CodeTooLong, Params: map[string]any{"max": maxRemark, "got": n}})
	}
	if len(o.Tags) > 20 {
		problems = append(problems, directory.Problem{Field: "tags", Code: directory.CodeTooMany, Params: map[string]any{"max": 20, "got": len(o.Tags)}})
	}
	for _, t := range o.Tags {
		if utf8.RuneCountInString(t) > 100 {
			problems = append(problems, directory.Problem{Field: "tags", Code: directory.CodeTooLong, Params: map[string]any{"max": 100, "got": utf8.RuneCountInString(t)}})
		}
	}
	if problems != nil {
		return e, problems
	}
	o.By, o.Changed = author, s.Now().UTC().Truncate(time.Millisecond)
	if err := put(ctx, s.store, kindOverlay, string(id), o, rev); err != nil {
		return e, err
	}
	if err := s.renew(ctx, []directory.ID{id}, author); err != nil {
		return e, err
	}
	return s.Directory.Entry(ctx, id)
}

// Hide lets an overlay hide an entry of another directory, whatever else it says. note is why, for the history. Hiding it
// again changes nothing.
func (s *Service) Hide(ctx context.Context, author string, id directory.ID, note string) error {
	_, err := change(ctx, s.store, kindOverlay, string(id), func(o *Overlay, _ int64) (bool, error) {
		write := !o.Hide
		o.Hide, o.By, o.Changed = true, author, s.Now().UTC().Truncate(time.Millisecond)
		return write, nil
	})
	if err != nil {
		return err
	}
	seen := s.visibility()
	err = s.rewrite(ctx, []directory.ID{id}, author, note, func(e *directory.Entry, over *Overlay, _ map[string]string) {
		s.settle(e, over, seen)
	})
	if err != nil {
		return err
	}
	return s.settleSince(ctx, seen)
}

// Map returns how the words of an island are said in ours: our category by its own, "" for none of ours. What is not in the
// map is found by what the words are in OpenStreetMap, by their names, or stays under its own name.
func Map(ctx context.Context, store directory.Store, host string) (map[string]string, error) {
	var m map[string]string
	_, err := get(ctx, store, kindMap, host, &m)
	return m, err
}

// SetMap says how the words of an island are said in ours, and writes its entries anew.
func (s *Service) SetMap(ctx context.Context, author, host string, words map[string]string) error {
	if err := s.checkMap(words); err != nil {
		return err
	}
	_, err := change(ctx, s.store, kindMap, host, func(v *map[string]string, _ int64) (bool, error) {
		*v = words
		return true, nil
	})
	if err != nil {
		return err
	}
	ids := s.Mirrors.pick(func(origin string, _ []string, _ time.Time, gone bool) bool { return origin == host && !gone })
	return s.renew(ctx, ids, author)
}

// renew writes entries of others as their origins said them, in our words and with their overlays.
func (s *Service) renew(ctx context.Context, ids []directory.ID, author string) error {
	seen := s.visibility()
	err := s.rewrite(ctx, ids, author, "", func(e *directory.Entry, over *Overlay, words map[string]string) {
		st, err := s.kept(e)
		if err != nil {
			s.Log.Warn("islands: what was received is not understood", "entry", e.ID, "err", err)
			return
		}
		fresh := st.entry
		fresh.ID, fresh.Origin, fresh.Version, fresh.Status, fresh.Slug, fresh.Aliases, fresh.MergedInto, fresh.Private = e.ID, e.Origin, e.Version, e.Status, e.Slug, nil, "", e.Private
		*e = fresh
		s.translate(e, st.words, words)
		curate(e, over)
		s.settle(e, over, seen)
	})
	if err != nil {
		return err
	}
	return s.settleSince(ctx, seen)
}

// Meaning is what becomes of a word of another directory.
type Meaning struct {
	Word
	Ours   string // our category; empty: it stays under its own name, as a tag
	Mapped bool   // the operator said so
}

// Translate says what becomes of the words of a directory under a map; see [Map].
func (s *Service) Translate(words []Word, m map[string]string) []Meaning {
	out := make([]Meaning, len(words))
	for i, w := range words {
		out[i].Word = w
		out[i].Ours, out[i].Mapped = s.meaning(word(w), m)
	}
	return out
}

// meaning finds our category for a word: as the operator says, by its OpenStreetMap tags, by its id or its names.
func (s *Service) meaning(w word, m map[string]string) (ours string, mapped bool) {
	if ours, ok := m[w.ID]; ok {
		return ours, true
	}
	for _, tag := range w.OSM {
		if id, ok := s.Taxonomy.Match(tag); ok && strings.Contains(tag, "=") {
			return id, false
		}
	}
	if s.Taxonomy.Valid(w.ID) {
		return w.ID, false
	}
	for _, lang := range s.Taxonomy.Languages() {
		if label := w.Label[lang]; label != "" {
			if id, ok := s.Taxonomy.Match(label); ok {
				return id, false
			}
		}
	}
	return "", false
}

// translate says the categories of an entry of another directory in our words. What has none becomes a tag under its own
// name, so that it can be seen and found.
func (s *Service) translate(e *directory.Entry, words []word, m map[string]string) {
	theirs := e.Categories
	e.Categories = nil
	for _, id := range theirs {
		w := word{ID: id}
		if i := slices.IndexFunc(words, func(w word) bool { return w.ID == id }); i >= 0 {
			w = words[i]
		}
		ours, _ := s.meaning(w, m)
		for _, up := range w.Under { // better a wider word of ours than none
			if ours != "" {
				break
			}
			if _, said := m[w.ID]; said {
				break
			}
			if mapped := m[up]; mapped != "" {
				ours = mapped
			}
		}
		switch {
		case ours != "":
			if !slices.Contains(e.Categories, ours) {
				e.Categories = append(e.Categories, ours)
			}
		case len(e.Tags) < directory.MaxList:
			e.Tags = append(e.Tags, s.labelOf(w, e.Lang))
		}
	}
}

// labelOf is a word's own name, in a language that people here read if there is one.
func (s *Service) labelOf(w word, lang string) string {
	for _, l := range append(s.Taxonomy.Languages(), lang) {
		if w.Label[l] != "" {
			return w.Label[l]
		}
	}
	for _, l := range slices.Sorted(func(yield func(string) bool) {
		for l := range w.Label {
			if !yield(l) {
				return
			}
		}
	}) {
		if w.Label[l] != "" {
			return w.Label[l]
		}
	}
	return w.ID
}

// curate puts an overlay over an entry.
func curate(e *directory.Entry, o *Overlay) {
	delete(e.Extra, ExtraRemark) // these are ours to say
	delete(e.Extra, ExtraHighlight)
	if o == nil {
		return
	}
	if len(o.Categories) > 0 {
		e.Categories = slices.Clone(o.Categories)
	}
	for _, t := range o.Tags {
		if len(e.Tags) < directory.MaxList && !slices.Contains(e.Tags, t) {
			e.Tags = append(e.Tags, t)
		}
	}
	if e.Extra == nil && (o.Highlight || o.Remark != "") {
		e.Extra = map[string]string{}
	}
	if o.Highlight {
		e.Extra[ExtraHighlight] = "yes"
	}
	if o.Remark != "" {
		e.Extra[ExtraRemark] = o.Remark
	}
}

// overlays reads those of some entries; most have none.
func (s *Service) overlays(ctx context.Context, ids []directory.ID) (map[directory.ID]*Overlay, error) {
	some, err := s.store.Records(ctx, kindOverlay, "", 1)
	if err != nil || len(some) == 0 {
		return nil, err
	}
	found := map[directory.ID]*Overlay{}
	for _, id := range ids {
		if id == "" {
			continue
		}
		var o Overlay
		rev, err := get(ctx, s.store, kindOverlay, string(id), &o)
		if err != nil {
			return nil, err
		}
		if rev > 0 {
			found[id] = &o
		}
	}
	return found, nil
}

func (s *Service) mapsOf(ctx context.Context, batch []news) (map[string]map[string]string, error) {
	maps := map[string]map[string]string{}
	for _, n := range batch {
		if _, known := maps[n.origin]; known {
			continue
		}
		m, err := Map(ctx, s.store, n.origin)
		if err != nil {
			return nil, err
		}
		maps[n.origin] = m
	}
	return maps, nil
}
