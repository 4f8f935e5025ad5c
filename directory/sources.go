package directory

import (
	"slices"
	"strings"
	"sync"
)

// SourceCount is a source of public entries under one licence.
type SourceCount struct {
	Name, URL, Licence string
	Count              int
}

// Sources is a [View] of whose data the directory shows, under which licences. The zero value is ready.
type Sources struct {
	mu     sync.RWMutex
	counts map[sourceKey]int
	of     map[ID]sourceKey
	urls   map[string]string
}

type sourceKey struct{ name, licence string }

// Apply implements [View].
func (s *Sources) Apply(entries []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.counts, s.of, s.urls = map[sourceKey]int{}, map[ID]sourceKey{}, map[string]string{}
	}
	for i := range entries {
		e := &entries[i]
		if key, ok := s.of[e.ID]; ok {
			if s.counts[key]--; s.counts[key] == 0 {
				delete(s.counts, key)
			}
			delete(s.of, e.ID)
		}
		if !e.Public() || e.Source == nil || e.Source.Name == "" {
			continue
		}
		key := sourceKey{e.Source.Name, e.Licence}
		s.of[e.ID] = key
		s.counts[key]++
		if e.Source.URL != "" {
			s.urls[key.name] = e.Source.URL
		}
	}
}

// List gives the sources, the largest first.
func (s *Sources) List() []SourceCount {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]SourceCount, 0, len(s.counts))
	for key, n := range s.counts {
		list = append(list, SourceCount{Name: key.name, URL: s.urls[key.name], Licence: key.licence, Count: n})
	}
	slices.SortFunc(list, func(a, b SourceCount) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Name+a.Licence, b.Name+b.Licence)
	})
	return list
}
