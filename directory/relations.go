package directory

import (
	"slices"
	"sync"
)

// Relations is a [View] of who points to whom, so that a relation can be read from its other end, and of which entry lives
// on in which, so that what points to a merged entry goes on leading somewhere. The zero value is ready.
type Relations struct {
	mu     sync.RWMutex
	to     map[ID][]Relation // by target; Target names the entry that points
	from   map[ID][]ID       // targets by the entry that points
	merged map[ID]ID         // into which entry it was merged
	parts  map[ID][]ID       // what was merged into it
}

// Apply implements [View].
func (r *Relations) Apply(entries []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to == nil {
		r.to, r.from, r.merged, r.parts = map[ID][]Relation{}, map[ID][]ID{}, map[ID]ID{}, map[ID][]ID{}
	}
	for i := range entries {
		e := &entries[i]
		for _, target := range r.from[e.ID] {
			drop(r.to, target, func(rel Relation) bool { return rel.Target == e.ID })
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
		for _, rel := range e.Relations {
			r.to[rel.Target] = append(r.to[rel.Target], Relation{Rel: rel.Rel, Target: e.ID})
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

// To lists the relations that public entries have to id, or to what was merged into it; Target is the entry that points.
func (r *Relations) To(id ID) []Relation {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.parts[id]) == 0 {
		return append([]Relation(nil), r.to[id]...)
	}
	var list []Relation
	all := []ID{id}
	for i := 0; i < len(all); i++ {
		for _, rel := range r.to[all[i]] {
			if rel.Target != id && !slices.Contains(list, rel) {
				list = append(list, rel)
			}
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
