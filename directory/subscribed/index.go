package subscribed

import (
	"slices"
	"sync"

	"archipel/directory"
)

// Index is a [directory.View] of the events that have a source, by its name. The zero value is ready.
type Index struct {
	mu sync.RWMutex
	of map[string]map[directory.ID]bool
	by map[directory.ID]string
}

// Apply implements [directory.View].
func (x *Index) Apply(entries []directory.Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.of == nil {
		x.of, x.by = map[string]map[directory.ID]bool{}, map[directory.ID]string{}
	}
	for i := range entries {
		e := &entries[i]
		if name, known := x.by[e.ID]; known {
			if delete(x.of[name], e.ID); len(x.of[name]) == 0 {
				delete(x.of, name)
			}
			delete(x.by, e.ID)
		}
		if e.Kind != directory.Event || e.Origin != "" || e.Source.Key() == "" || e.Status == directory.Removed {
			continue
		}
		if x.of[e.Source.Name] == nil {
			x.of[e.Source.Name] = map[directory.ID]bool{}
		}
		x.of[e.Source.Name][e.ID] = true
		x.by[e.ID] = e.Source.Name
	}
}

// Of lists the events of a source that are not removed, in the order in which they were made.
func (x *Index) Of(source string) []directory.ID {
	x.mu.RLock()
	defer x.mu.RUnlock()
	ids := make([]directory.ID, 0, len(x.of[source]))
	for id := range x.of[source] {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
