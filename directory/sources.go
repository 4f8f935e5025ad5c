package directory

import (
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// SourceCount is a source of public entries under one licence.
type SourceCount struct {
	Name, URL, Licence string
	Count              int
}

// Sources is a [View] of whose data the directory shows, under which licences. The zero value is ready.
type Sources struct {
	mu      sync.RWMutex
	sources []SourceCount
	number  map[sourceKey]int32 // of a source in sources
	of      map[uuid.UUID]int32 // the source of an entry
}

type sourceKey struct{ name, licence string }

// Apply implements [View].
func (s *Sources) Apply(entries []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.number, s.of = map[sourceKey]int32{}, map[uuid.UUID]int32{}
	}
	for i := range entries {
		e := &entries[i]
		id, err := uuid.Parse(string(e.ID))
		if err != nil {
			continue
		}
		if n, ok := s.of[id]; ok {
			s.sources[n].Count--
			delete(s.of, id)
		}
		if !e.Shown() || e.Source == nil || e.Source.Name == "" {
			continue
		}
		key := sourceKey{e.Source.Name, e.Licence}
		n, ok := s.number[key]
		if !ok {
			n = int32(len(s.sources))
			s.number[key] = n
			s.sources = append(s.sources, SourceCount{Name: key.name, Licence: key.licence})
		}
		s.of[id] = n
		s.sources[n].Count++
		if e.Source.URL != "" {
			s.sources[n].URL = e.Source.URL
		}
	}
}

// List gives the sources, the largest first.
func (s *Sources) List() []SourceCount {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := slices.DeleteFunc(slices.Clone(s.sources), func(c SourceCount) bool { return c.Count == 0 })
	slices.SortFunc(list, func(a, b SourceCount) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Name+a.Licence, b.Name+b.Licence)
	})
	return list
}
