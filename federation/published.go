package federation

import (
	"bytes"
	"slices"
	"sync"

	"archipel/directory"

	"github.com/google/uuid"
)

// Published is a [directory.View] of what the instance publishes to the fediverse: which entries, newest first. It costs
// some 50 bytes an entry. The zero value is ready.
type Published struct {
	mu     sync.Mutex
	at     map[uuid.UUID]int64 // when it was created, in milliseconds since 1970
	sorted []post              // newest first; nil when it must be made again
	actors actorIndex
}

type post struct {
	id uuid.UUID
	at int64
}

// Apply implements [directory.View].
func (p *Published) Apply(entries []directory.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil {
		p.at = map[uuid.UUID]int64{}
	}
	for i := range entries {
		p.actors.apply(&entries[i])
		id, err := uuid.Parse(string(entries[i].ID))
		if err != nil {
			continue
		}
		before, known := p.at[id]
		if !publishes(&entries[i]) {
			delete(p.at, id)
			if known {
				p.sorted = nil
			}
			continue
		}
		if at := entries[i].Created.UnixMilli(); !known || at != before {
			p.at[id] = at
			p.sorted = nil
		}
	}
}

// Len is how many entries are published.
func (p *Published) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.at)
}

// page returns up to limit entries that come after the given one (the zero post: from the newest), and whether more follow.
func (p *Published) page(after post, limit int) (page []post, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sorted == nil {
		p.sorted = make([]post, 0, len(p.at))
		for id, at := range p.at {
			p.sorted = append(p.sorted, post{id, at})
		}
		slices.SortFunc(p.sorted, newestFirst)
	}
	return pageOf(p.sorted, after, limit)
}

// pageOf returns up to limit posts of a list, newest first, that come after the given one, and whether more follow.
func pageOf(list []post, after post, limit int) (page []post, more bool) {
	from := 0
	if after != (post{}) {
		var found bool
		if from, found = slices.BinarySearchFunc(list, after, newestFirst); found {
			from++
		}
	}
	to := min(from+limit, len(list))
	return slices.Clone(list[from:to]), to < len(list)
}

func newestFirst(a, b post) int {
	if a.at != b.at {
		if a.at > b.at {
			return -1
		}
		return 1
	}
	return bytes.Compare(b.id[:], a.id[:])
}

// publishes reports whether an entry is public in the fediverse: our own events and initiatives. Organisations and places
// are for mirrors; nobody is given an account, or a post, that they did not ask for.
func publishes(e *directory.Entry) bool {
	return e.Public() && e.Origin == "" && (e.Kind == directory.Event && e.Event != nil || e.Kind == directory.Initiative)
}
