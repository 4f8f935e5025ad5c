package directory

import "sync"

// Relations is a [View] of who points to whom, so that a relation can be read from its other end. The zero value is ready.
type Relations struct {
	mu   sync.RWMutex
	to   map[ID][]Relation // by target; Target names the entry that points
	from map[ID][]ID       // targets by the entry that points
}

// Apply implements [View].
func (r *Relations) Apply(entries []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to == nil {
		r.to, r.from = map[ID][]Relation{}, map[ID][]ID{}
	}
	for i := range entries {
		e := &entries[i]
		for _, target := range r.from[e.ID] {
			kept := r.to[target][:0:0]
			for _, rel := range r.to[target] {
				if rel.Target != e.ID {
					kept = append(kept, rel)
				}
			}
			if len(kept) == 0 {
				delete(r.to, target)
			} else {
				r.to[target] = kept
			}
		}
		delete(r.from, e.ID)
		if !e.Public() {
			continue
		}
		for _, rel := range e.Relations {
			r.to[rel.Target] = append(r.to[rel.Target], Relation{Rel: rel.Rel, Target: e.ID})
			r.from[e.ID] = append(r.from[e.ID], rel.Target)
		}
	}
}

// To lists the relations that public entries have to id; Target is the entry that points.
func (r *Relations) To(id ID) []Relation {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return append([]Relation(nil), r.to[id]...)
}
