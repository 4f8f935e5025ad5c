package directory

import (
	"slices"
	"sync"
	"unique"
)

// Relations is a [View] of who points to whom, so that a relation can be read from its other end, and of which entry lives
// on in which, so that what points to a merged entry goes on leading somewhere. The zero value is ready.
type Relations struct {
	mu     sync.RWMutex
	to     map[ID][]pointer // by target
	from   map[ID][]ID      // targets by the entry that points
	merged map[ID]ID        // into which entry it was merged
	parts  map[ID][]ID      // what was merged into it
}

// pointer is a relation as its target sees it: Target names the entry that points.
type pointer struct {
	Relation
	origin unique.Handle[string] // of the entry that points
}

// bound are the relations by which an entry shows as the work of another one.
var bound = []string{"organises", "organisedBy", "hosts", "partOf"}

// Apply implements [View].
func (r *Relations) Apply(entries []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to == nil {
		r.to, r.from, r.merged, r.parts = map[ID][]pointer{}, map[ID][]ID{}, map[ID]ID{}, map[ID][]ID{}
	}
	for i := range entries {
		e := &entries[i]
		for _, target := range r.from[e.ID] {
			drop(r.to, target, func(p pointer) bool { return p.Target == e.ID })
		}
		delete(r.from, e.ID)
		if into, was := r.merged[e.ID]; was {
			drop(r.parts, into, func(id ID) bool { return id == e.ID })
			delete(r.merged, e.ID)
		}
		if e.Status == Removed && e.MergedInto != "" {
			r.merged[e.ID] = e.MergedInto
			r.parts[e.MergedInto] = append(r.parts[e.MergedInto], e.ID)
		}
		if !e.Public() {
			continue
		}
		origin := unique.Make(e.Origin)
		for _, rel := range e.Relations {
			r.to[rel.Target] = append(r.to[rel.Target], pointer{Relation{Rel: rel.Rel, Target: e.ID}, origin})
			r.from[e.ID] = append(r.from[e.ID], rel.Target)
		}
	}
}

// drop takes away what is in the list of a key. Lists that were handed out stay as they are.
func drop[T any](m map[ID][]T, key ID, gone func(T) bool) {
	if kept := slices.DeleteFunc(slices.Clone(m[key]), gone); len(kept) > 0 {
		m[key] = kept
	} else {
		delete(m, key)
	}
}

// To lists the relations that public entries have to e, or to what was merged into it; Target is the entry that points. What
// an entry says that belongs to another directory than e puts nothing under e's name: that it is organised by e, for instance,
// only the directory of both can know.
func (r *Relations) To(e *Entry) []Relation {
	r.mu.RLock()
	defer r.mu.RUnlock()
	origin := unique.Make(e.Origin)
	var list []Relation
	all := []ID{e.ID}
	for i := 0; i < len(all); i++ {
		for _, p := range r.to[all[i]] {
			if p.origin != origin && slices.Contains(bound, p.Rel) || p.Target == e.ID || len(all) > 1 && slices.Contains(list, p.Relation) {
				continue
			}
			list = append(list, p.Relation)
		}
		for _, part := range r.parts[all[i]] {
			if !slices.Contains(all, part) {
				all = append(all, part)
			}
		}
	}
	return list
}

// Resolve returns the entry in which id lives on, through every merge that followed; id itself when it was not merged.
func (r *Relations) Resolve(id ID) ID {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for range len(r.merged) {
		into, ok := r.merged[id]
		if !ok {
			return id
		}
		id = into
	}
	return id
}
