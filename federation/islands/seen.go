package islands

import (
	"context"
	"slices"
	"strings"
	"time"

	"archipel/directory"
)

// SeenWord is a category of another directory, what becomes of it here, and how many of its entries have it.
type SeenWord struct {
	Meaning
	Count int
}

// SeenMost is how many entries [Service.Seen] looks at.
const SeenMost = 20_000

// Seen lists the categories that the entries of a directory came with, those that are none of ours first, then by how many
// entries have them. Of more than [SeenMost] entries it looks at that many, the newest; looked says at how many of all.
func (s *Service) Seen(ctx context.Context, host string) (words []SeenWord, looked, all int, err error) {
	ids := s.Mirrors.pick(func(origin string, _ []string, _ time.Time, gone bool) bool { return origin == host && !gone })
	all = len(ids)
	ids = ids[max(0, len(ids)-SeenMost):]
	known, counts := map[string]word{}, map[string]int{}
	for part := range slices.Chunk(ids, 500) {
		if err := ctx.Err(); err != nil {
			return nil, 0, 0, err
		}
		entries, err := s.Directory.Entries(ctx, part)
		if err != nil {
			return nil, 0, 0, err
		}
		for i := range entries {
			e := &entries[i]
			if e.Private == nil || e.Private.Mirror == nil {
				continue
			}
			st, err := s.kept(e)
			if err != nil {
				continue
			}
			looked++
			for _, id := range st.entry.Categories {
				counts[id]++
				if at := slices.IndexFunc(st.words, func(w word) bool { return w.ID == id }); at >= 0 {
					known[id] = st.words[at] // the newest says how it is called now
				}
			}
		}
	}
	m, err := Map(ctx, s.store, host)
	if err != nil {
		return nil, 0, 0, err
	}
	for id, n := range counts {
		w := known[id]
		w.ID = id
		words = append(words, SeenWord{Meaning: s.Translate([]Word{Word(w)}, m)[0], Count: n})
	}
	slices.SortFunc(words, func(a, b SeenWord) int {
		if none, other := a.Ours == "" && !a.Mapped, b.Ours == "" && !b.Mapped; none != other {
			if none {
				return -1
			}
			return 1
		}
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.ID, b.ID)
	})
	return words, looked, all, nil
}

// NameOf is how a category of another directory is called, in a language if it has a name in it.
func (s *Service) NameOf(w Word, lang string) string {
	if name := w.Label[lang]; name != "" {
		return name
	}
	return s.labelOf(word(w), lang)
}

// SaveMap says how the words of an island are said in ours, over what somebody else said of other words meanwhile: a word
// with "" is none of ours, and one in forget is found by itself again. What comes from now on is translated so; a running
// server writes the entries that are here anew soon after.
func (s *Service) SaveMap(ctx context.Context, host string, words map[string]string, forget []string) error {
	if err := s.checkMap(words); err != nil {
		return err
	}
	_, err := change(ctx, s.store, kindMap, host, func(v *map[string]string, rev int64) (bool, error) {
		if *v == nil {
			*v = map[string]string{}
		}
		changed := false
		for theirs, ours := range words {
			was, said := (*v)[theirs]
			changed = changed || !said || was != ours
			(*v)[theirs] = ours
		}
		for _, theirs := range forget {
			_, said := (*v)[theirs]
			changed = changed || said
			delete(*v, theirs)
		}
		if len(*v) > maxMap {
			return false, directory.Invalid{{Field: "words", Code: directory.CodeTooMany, Params: map[string]any{"max": maxMap, "got": len(*v)}}}
		}
		return changed, nil
	})
	s.stir()
	return err
}

// maxMap is how many words of an island can be said in ours.
const maxMap = 2000

func (s *Service) checkMap(words map[string]string) error {
	if len(words) > maxMap {
		return directory.Invalid{{Field: "words", Code: directory.CodeTooMany, Params: map[string]any{"max": maxMap, "got": len(words)}}}
	}
	for theirs, ours := range words {
		if ours != "" && !s.Taxonomy.Valid(ours) || theirs == "" || len(theirs) > 80 {
			return directory.Invalid{{Field: "words." + theirs, Code: directory.CodeUnknown, Params: map[string]any{"value": ours}}}
		}
	}
	return nil
}

// MapPending reports whether entries of an island are still to be written anew since its words were said in ours.
func MapPending(ctx context.Context, store directory.Records, host string) (bool, error) {
	r, err := store.Record(ctx, kindMap, host)
	if err != nil {
		return false, err
	}
	var state SyncState
	if _, err := get(ctx, store, kindSync, host, &state); err != nil {
		return false, err
	}
	return state.Mapped < r.Rev, nil
}

// remap writes the entries of those islands anew whose words are said otherwise than when that was last done. A program
// that ends before it is done begins again.
func (s *Service) remap(ctx context.Context, done map[string]int64) error {
	return eachRecord(ctx, s.store, kindMap, func(r directory.Record) error {
		if done[r.Key] == r.Rev {
			return nil
		}
		state, err := s.syncState(ctx, r.Key)
		if err != nil {
			return err
		}
		if state.Mapped < r.Rev {
			if err := s.remapOne(ctx, r.Key, r.Rev); err != nil {
				return err
			}
		}
		done[r.Key] = r.Rev
		return nil
	})
}

func (s *Service) remapOne(ctx context.Context, host string, rev int64) error {
	ids := s.Mirrors.pick(func(origin string, _ []string, _ time.Time, gone bool) bool { return origin == host && !gone })
	if err := s.renew(ctx, ids, "system"); err != nil {
		return err
	}
	return s.changeSync(ctx, host, func(v *SyncState) { v.Mapped = max(v.Mapped, rev) })
}
