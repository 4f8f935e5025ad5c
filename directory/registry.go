package directory

import (
	"crypto/sha256"

	"github.com/google/uuid"
)

// registry knows, of every entry, just what a write must be checked against: its version, its slugs and the key it has
// at its source. It costs some 120 bytes an entry.
type registry struct {
	records  []record
	byID     map[uuid.UUID]int32
	bySlug   map[digest]int32
	bySource map[digest]int32
	byHandle map[digest]int32
}

type record struct {
	id      uuid.UUID
	version Seq
	status  Status
}

// digest stands for a string; two different strings never share one in practice.
type digest [16]byte

func digestOf(s string) digest {
	sum := sha256.Sum256([]byte(s))
	return digest(sum[:16])
}

func newRegistry() *registry {
	return &registry{byID: map[uuid.UUID]int32{}, bySlug: map[digest]int32{}, bySource: map[digest]int32{}, byHandle: map[digest]int32{}}
}

// find returns the record of id.
func (r *registry) find(id ID) (record, bool) {
	u, err := uuid.Parse(string(id))
	if err != nil {
		return record{}, false
	}
	i, ok := r.byID[u]
	if !ok {
		return record{}, false
	}
	return r.records[i], true
}

func (r *registry) slug(slug string) (ID, bool)   { return r.via(r.bySlug, slug) }
func (r *registry) source(key string) (ID, bool)  { return r.via(r.bySource, key) }
func (r *registry) handle(name string) (ID, bool) { return r.via(r.byHandle, name) }

func (r *registry) via(m map[digest]int32, key string) (ID, bool) {
	i, ok := m[digestOf(key)]
	if !ok {
		return "", false
	}
	return ID(r.records[i].id.String()), true
}

// set takes the state of an entry unless it knows a newer one, and reports whether it took it.
func (r *registry) set(e *Entry) bool {
	u, err := uuid.Parse(string(e.ID))
	if err != nil {
		return false
	}
	i, known := r.byID[u]
	if known && r.records[i].version >= e.Version {
		return false
	}
	if !known {
		i = int32(len(r.records))
		r.records = append(r.records, record{id: u})
		r.byID[u] = i
	}
	r.records[i].version, r.records[i].status = e.Version, e.Status
	if e.Slug != "" {
		r.bySlug[digestOf(e.Slug)] = i
	}
	for _, alias := range e.Aliases {
		if _, taken := r.bySlug[digestOf(alias)]; !taken {
			r.bySlug[digestOf(alias)] = i
		}
	}
	if key := e.Source.Key(); key != "" && e.Origin == "" {
		// The record of a merged entry is that of the entry which took it over.
		if holder, held := r.bySource[digestOf(key)]; !held || e.Status != Removed || r.records[holder].status == Removed {
			r.bySource[digestOf(key)] = i
		}
	}
	if e.Fediverse != nil && e.Origin == "" {
		r.byHandle[digestOf(e.Fediverse.Handle)] = i
	}
	return true
}
